"""What holds without Ray, or before it is used: the checks of the arguments, and the parts that do not need a cluster."""

import pickle
import sys

import pytest
from support import SUM_PROGRAM, SUM_TESTS, span_at

from trl_rltf import __version__
from trl_rltf.execution import (
    ExecutionReport,
    GradingInterrupted,
    Outcome,
    Program,
    SandboxError,
    Verdict,
    parse_tests,
)
from trl_rltf.execution.host.pool import Batch
from trl_rltf.execution.ray import RayRunner
from trl_rltf.execution.ray.grader import Grader, GradingRequest, Problem
from trl_rltf.execution.ray.tasks import RemoteJob, Task


REPORT = ExecutionReport(Outcome.FAILURE, (Verdict.PASSED, Verdict.FAILED), span=span_at(1, 0, 1, 4), stdout="3\n")


@pytest.fixture
def no_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # so that importing it fails


def test_the_message_says_how_to_install_ray(no_ray):
    with pytest.raises(ImportError, match=r'`RayRunner` needs Ray.*pip install "trl-rltf\[ray\]"'):
        RayRunner()


def test_importing_the_package_imports_neither_ray_nor_torch(run_script):
    run_script(
        "import sys; from trl_rltf.execution.ray import RayRunner; import trl_rltf.execution.ray.grader; "
        "assert not {'ray', 'torch'} & set(sys.modules)"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"timeot": 1.0},
            TypeError,
            r"`RayRunner` got `timeot`, but must get arguments of `LocalRunner`: timeout,",
        ),
        ({"timeout": 0}, ValueError, "`timeout` is 0, but must be a number of seconds above 0"),
        ({"memory_limit": 1000}, ValueError, "`memory_limit` is 1000 bytes"),
        ({"isolation": "docker"}, ValueError, "`isolation` is 'docker', but must be one of 'auto', 'strict'"),
        ({"num_workers": 0}, ValueError, "`num_workers` is 0"),
        ({"batch_size": 2.5}, ValueError, "`batch_size` is 2.5, but must be a whole number above 0"),
        ({"max_concurrent_batches": 0}, ValueError, "`max_concurrent_batches` is 0"),
        ({"max_task_retries": -1}, ValueError, "`max_task_retries` is -1, but must be a whole number, at least 0"),
        ({"num_cpus": -1}, ValueError, "`num_cpus` is -1, but must be a number, at least 0"),
        ({"resources": {"grading": "1"}}, ValueError, "`grading` is '1', but must be a number"),
        ({"name": ""}, ValueError, "`name` is empty"),
    ],
)
def test_arguments_are_checked_before_ray_is_needed(arguments, error, message, no_ray):
    with pytest.raises(error, match=message):
        RayRunner(**arguments)


def test_the_opt_in_is_checked_in_the_process_of_the_caller(monkeypatch, no_ray):
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
        RayRunner()
    with pytest.raises(ImportError):
        RayRunner(allow_code_eval=True)


@pytest.mark.parametrize("error", [GradingInterrupted([REPORT]), SandboxError("no worker starts", [REPORT])])
def test_an_error_arrives_with_its_reports_in_another_process(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.reports) == (str(error), [REPORT])


@pytest.fixture
def grader():
    made = Grader({"timeout": 1.0, "isolation": "auto"}, num_workers=1, is_shared=False)
    yield made
    made._runner.close()


def test_a_grader_grades_programs_with_the_tests_that_they_name(grader):
    tests = [Problem(SUM_TESTS), Problem({"inputs": ["1 2"], "outputs": ["4"]})]
    reports = grader.grade(GradingRequest([SUM_PROGRAM] * 3, tests, [1, 0, 1]))
    assert [report.outcome for report in reports] == [Outcome.FAILURE, Outcome.PASS, Outcome.FAILURE]


def test_a_grader_gets_the_limits_of_each_program(grader):
    busy = "import time\nwhile time.process_time() < 0.4:\n    pass\nmemory = bytearray(2**27)\nprint(3)"
    tests = {"inputs": [""], "outputs": ["3"]}
    limits = [{"timeout": 0.1}, {"timeout": 2.0}, {"memory_limit": 2**26}, {"timeout": 2.0}]
    parsed = parse_tests(tests)
    jobs = [RemoteJob(Program(busy, tests, **one), parsed, None) for one in limits]
    request = Task(jobs, Batch(jobs)).request()
    assert request.problem_of == [0, 1, 2, 1]
    assert [r.error_type for r in grader.grade(request)] == ["TimeoutError", None, "MemoryError", None]


def test_a_checker_that_arrives_twice_is_loaded_once(grader):
    pickled = pickle.dumps(accepts_anything)
    wrong = {"inputs": ["1 2"], "outputs": ["4"]}
    assert grader.grade(GradingRequest([SUM_PROGRAM], [Problem(wrong, pickled)], [0]))[0].outcome is Outcome.PASS
    assert grader._checker(pickled) is grader._checker(bytes(pickled))


class accepts_anything:
    def __new__(cls, given, answer, expected):
        return True


def test_a_checker_that_cannot_be_loaded_is_an_error_that_says_what_to_do(grader):
    pickled = pickle.dumps(accepts_anything).replace(b"accepts_anything", b"accepts_nothing_")
    with pytest.raises(ValueError, match=r"a checker cannot be loaded on the node .* Install its module there"):
        grader.grade(GradingRequest([SUM_PROGRAM], [Problem(SUM_TESTS, pickled)], [0]))


def test_a_grader_refuses_clients_with_other_arguments_or_another_version(grader):
    assert grader.attach("a", {"timeout": 1.0}, __version__).problem == ""
    assert "`timeout=1.0`" in grader.attach("b", {"timeout": 2.0}, __version__).problem
    assert "the caller has 0.0.1" in grader.attach("c", {}, "0.0.1").problem


def test_a_grader_without_the_isolation_says_so_instead_of_failing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    refused = Grader({"isolation": "bubblewrap"}, num_workers=1, is_shared=False).attach("a", {}, __version__)
    assert "bubblewrap (`bwrap`) is not installed" in refused.problem
