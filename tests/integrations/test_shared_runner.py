"""One runner per process, made at the first call and closed at exit."""

import multiprocessing
import os

import pytest

from trl_rltf.execution import Outcome, Program, SandboxError, Verdict
from trl_rltf.execution.report import ExecutionReport
from trl_rltf.integrations import configure
from trl_rltf.integrations.grading import explain, find_program, grade, refuse_failed_sandbox, warn_of_failed_sandbox
from trl_rltf.integrations.shared_runner import close_runners, get_runner


TESTS = {"asserts": ["assert f() == 1"]}
RIGHT = Program("def f(): return 1", TESTS)


def test_all_calls_share_one_runner():
    assert get_runner() is get_runner(num_workers=None) is get_runner(timeout=1.0)
    assert get_runner(num_workers=1) is not get_runner()
    assert get_runner(num_workers=1).timeout == 1.0


def test_a_new_configuration_replaces_the_runner():
    before = get_runner()
    configure(num_workers=1, timeout=2.0, strict_comparison=True)
    assert get_runner() is not before
    assert (get_runner().num_workers, get_runner().timeout, get_runner().strict_comparison) == (1, 2.0, True)


def test_a_wrong_setting_is_refused_at_once_and_changes_nothing():
    before = get_runner()
    with pytest.raises(ValueError, match="`num_workers` is 0"):
        configure(num_workers=0)
    assert get_runner() is before


def test_each_call_needs_the_opt_in(monkeypatch):
    grade([RIGHT])
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "0")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
        grade([RIGHT])
    assert grade([RIGHT], allow_code_eval=True)[0].outcome is Outcome.PASS


def test_a_closed_runner_is_made_again():
    grade([RIGHT])
    close_runners()
    assert grade([RIGHT])[0].outcome is Outcome.PASS


def _grade_in_fork(queue):
    queue.put(grade([RIGHT])[0].outcome.name)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_grades_too():
    grade([RIGHT])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_grade_in_fork, args=(queue,))
    process.start()
    assert queue.get(timeout=60) == "PASS"
    process.join(60)


def test_workers_end_with_the_process_and_torch_is_not_loaded(run_script):
    code = """
import sys
import trl_rltf.integrations as integrations
for name in set(integrations.__all__):
    getattr(integrations, name)
score = integrations.compute_score("apps", "def f(): return 1", "assert f() == 1")
assert score["score"] == 1.0, score
assert not {"torch", "transformers", "trl", "datasets", "evaluate", "verl", "verifiers", "lighteval"} & set(sys.modules)
import os
from pathlib import Path
def children():
    return [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
print(" ".join(children()))
"""
    workers = run_script(code).stdout.split()
    assert workers
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]


def test_rewards_need_the_standard_library_only(run_script):
    code = """
from trl_rltf.integrations import code_reward, compute_score
tests = {"test_cases": [{"input": "1", "output": "1", "type": "stdin_stdout"}]}
print(compute_score("apps", "print(input())", tests)["score"], code_reward(["print(2)"], verification_info=[tests]))
"""
    assert run_script(code, flags=["-S"]).stdout == "1.0 [0.0]\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(): return 1", "passed"),
        ("def f(): return 2", "failed: 0 of 1 tests passed"),
        ("def f(): return x", "failed: NameError: name 'x' is not defined"),
        ("def f(: return 1", "failed: SyntaxError: invalid syntax"),
        ("def f():\n    while True: pass", "timed out"),
        ("def f(): raise TimeoutError('mine')", "failed: TimeoutError: mine"),
    ],
)
def test_the_reason_is_one_line(source, reason):
    assert explain(grade([Program(source, TESTS)])[0]) == reason


def test_a_failed_sandbox_is_no_score():
    report = ExecutionReport(Outcome.NOT_GRADABLE, (Verdict.NOT_RUN,))
    with pytest.raises(SandboxError, match="row 7: the sandbox failed twice"):
        refuse_failed_sandbox(report, "row 7")
    with pytest.warns(RuntimeWarning, match="failed on 1 of 2 programs"):
        warn_of_failed_sandbox([report, grade([RIGHT])[0]])


class Message:
    role = "assistant"
    content = "```python\nprint(1)\n```"


@pytest.mark.parametrize(
    "completion",
    [
        "```python\nprint(1)\n```",
        [{"role": "assistant", "content": "```python\nprint(1)\n```"}],
        [{"content": "```python\nprint(1)\n```"}],
        [{"role": "assistant", "content": "```python\nprint(1)\n```"}, {"role": "tool", "content": "x"}],
        [Message()],
    ],
)
def test_the_program_of_text_and_of_messages_is_found(completion):
    assert find_program(completion, "row 0").strip() == "print(1)"


@pytest.mark.parametrize("completion", [[], [{"role": "assistant", "content": None}], "", "\n"])
def test_an_empty_completion_has_an_empty_program(completion):
    assert find_program(completion, "row 0").strip() == ""


@pytest.mark.parametrize("completion", [None, 7, ["text"], b"print(1)"])
def test_what_is_no_completion_is_an_error_that_names_the_row(completion):
    with pytest.raises(TypeError, match="row 4: "):
        find_program(completion, "row 4")
