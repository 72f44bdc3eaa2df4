"""The tool that a model calls: what it is told about its program, and what it is never told."""

import json
import textwrap
from functools import partial

import pytest
from support import SUM_PROGRAM

from trl_rltf.environments import UnitTestEnvironment
from trl_rltf.execution import LocalRunner


PROMPT = [{"role": "user", "content": "Print the sum of two numbers."}]
HIDDEN = {"inputs": ["10 20\n"], "outputs": ["30\n"]}
VISIBLE = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}


@pytest.fixture
def make_environment(runner):
    return partial(UnitTestEnvironment, runner=runner)


@pytest.fixture
def environment(make_environment):
    """An environment at the start of a completion, for a problem with visible tests."""
    made = make_environment(max_calls=2)
    made.reset(prompt=PROMPT, tests=json.dumps(HIDDEN), visible_tests=json.dumps(VISIBLE))
    return made


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (SUM_PROGRAM, "All 2 visible tests passed."),
        (f"Here it is:\n```python\n{SUM_PROGRAM}```\n", "All 2 visible tests passed."),
        (
            "print(3)",
            "1 of 2 visible tests passed. Test 2 did not:\ninput: '3 4\\n'\nexpected: '7\\n'\ngot: '3\\n'",
        ),
        (
            "a, b = input().split()\nprint(c)",
            "0 of 2 visible tests passed. Test 1 did not:\ninput: '1 2\\n'\nexpected: '3\\n'\n"
            "got: NameError: name 'c' is not defined\nline 2: print(c)",
        ),
        ("x = 1\nx = = 2", "The program does not compile. SyntaxError: invalid syntax, line 2: x = = 2"),
    ],
)
def test_a_model_is_told_about_the_first_visible_test_that_fails(environment, code, answer):
    assert environment.run_tests(code) == f"{answer}\nCalls left: 1"


def test_no_tests_run_after_the_last_call(environment):
    assert environment.run_tests("print(1)").endswith("Calls left: 1")
    assert environment.run_tests("print(1)").endswith("Calls left: 0")
    assert environment.run_tests(SUM_PROGRAM).startswith("No call of `run_tests` is left.")
    environment.reset(prompt=PROMPT, visible_tests=VISIBLE)
    assert environment.run_tests(SUM_PROGRAM) == "All 2 visible tests passed.\nCalls left: 1"


def test_code_that_is_not_text_is_answered(environment):
    assert "of type int" in environment.run_tests(3)
    assert environment.run_tests("print(1)").endswith("Calls left: 1")


def test_the_examples_of_a_statement_are_visible(make_environment):
    environment = make_environment()
    statement = "Add.\n\n-----Example-----\nInput\n1 2\n\nOutput\n3\n"
    environment.reset(prompt=[{"role": "user", "content": statement}], tests=HIDDEN)
    assert environment.run_tests(SUM_PROGRAM).startswith("All 1 visible tests passed.")


def test_the_first_assert_is_visible(make_environment):
    environment = make_environment()
    tests = {"asserts": ["assert add(1, 2) == 3", "assert add(5, 6) == 11"], "setup": ""}
    environment.reset(prompt=PROMPT, tests=tests)
    answer = environment.run_tests("def add(a, b):\n    return 0")
    assert answer.startswith("0 of 1 visible tests passed. Test 1 did not:\ninput: add(1, 2)\nexpected: ")
    assert "11" not in answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("print(1)", "The program compiles, and runs on an empty input."),
        ("print(input())", "The program compiles, and runs until it reads its input."),
        ("x =", "The program does not compile. SyntaxError: invalid syntax, line 1: x ="),
        ("\nx", "On an empty input, the program fails. NameError: name 'x' is not defined, line 2: x"),
    ],
)
@pytest.mark.parametrize("tests", [HIDDEN, {"fn_name": "add", "inputs": [[10, 20]], "outputs": [30]}])
def test_without_visible_tests_a_model_is_told_whether_its_program_runs(make_environment, tests, code, answer):
    environment = make_environment()
    environment.reset(prompt=PROMPT, tests=json.dumps(tests))
    assert environment.run_tests(code) == f"The problem has no visible tests. {answer}\nCalls left: 2"


# It reads all of its memory before it makes the numbers that it looks for.
SEARCH = """import gc
texts = [repr(o)[:1000] for o in gc.get_objects()]
numbers = ["".join(reversed(text)) for text in ("828172", "951413")]
raise ValueError([text for text in texts if any(number in text for number in numbers)])"""
SPIES = [
    "import sys\nraise ValueError(sys.stdin.read())",
    "import sys\nprint(sys.stdin.read())\nraise ValueError",
    "def add(*arguments):\n    raise ValueError(arguments)",
    SEARCH,
    "def add(*arguments):\n" + textwrap.indent(SEARCH, "    "),
    "import os\nraise ValueError(os.listdir('.'), open('/proc/self/environ').read())",
]


@pytest.mark.parametrize("code", SPIES)
@pytest.mark.parametrize(
    "tests",
    [
        {"inputs": ["1\n", "314159\n"], "outputs": ["1\n", "271828\n"]},
        {"fn_name": "add", "inputs": [[1, 1], [314159, 0]], "outputs": [2, 271828]},
        {"asserts": ["assert add(1, 1) == 2", "assert add(314159, 0) == 271828"], "setup": ""},
    ],
)
@pytest.mark.parametrize("has_visible", [False, True])
def test_hidden_tests_never_reach_the_model(make_environment, tests, code, has_visible):
    visible = {key: value[:1] if isinstance(value, list) else value for key, value in tests.items()}
    environment = make_environment()
    environment.reset(prompt=PROMPT, tests=tests, **({"visible_tests": visible} if has_visible else {}))
    answer = environment.run_tests(code)
    assert "271828" not in answer
    assert "314159" not in answer


@pytest.mark.parametrize(
    ("code", "limits", "error"),
    [
        (
            "import time\nwhile time.process_time() < 0.08:\n    pass",
            {"time_limit": 0.03, "memory_limit": None},
            "TimeoutError",
        ),
        ("block = bytearray(2**26)", {"memory_limit": 2**26}, "MemoryError"),
    ],
)
def test_the_limits_of_a_problem_hold_for_the_tool(make_environment, code, limits, error):
    environment = make_environment()
    for visible in ({"visible_tests": VISIBLE}, {}):
        environment.reset(prompt=PROMPT, tests=HIDDEN, **visible, **limits)
        assert error in environment.run_tests(code)
    with pytest.raises(ValueError, match=r"A limit is malformed \(problem 'sum'\): `time_limit` is 'long'"):
        environment.reset(prompt=PROMPT, tests=HIDDEN, problem_id="sum", time_limit="long")


def test_a_number_in_a_visible_test_is_found(make_environment):
    environment = make_environment()
    for visible in (
        {"inputs": ["314159\n"], "outputs": ["1\n"]},
        {"fn_name": "add", "inputs": [[314159]], "outputs": [1]},
    ):
        environment.reset(prompt=PROMPT, visible_tests=visible)
        assert "314159" in environment.run_tests("import sys\nraise ValueError(sys.stdin.read())").partition("got:")[0]
        assert "314159" in environment.run_tests(f"{SPIES[2]}\nadd(input())").partition("got:")[2]


def test_trl_can_describe_the_tool(environment):
    from transformers.utils import get_json_schema

    schema = get_json_schema(environment.run_tests)["function"]
    assert schema["name"] == "run_tests"
    assert schema["parameters"]["required"] == ["code"]
    assert schema["parameters"]["properties"]["code"] == {
        "type": "string",
        "description": "The whole program, in Python.",
    }


def test_environments_without_a_runner_share_one():
    assert UnitTestEnvironment()._runner is UnitTestEnvironment()._runner


def test_running_programs_needs_an_opt_in(monkeypatch):
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
        UnitTestEnvironment()
    UnitTestEnvironment(allow_code_eval=True)
    with LocalRunner(allow_code_eval=True) as runner:
        UnitTestEnvironment(runner=runner)


@pytest.mark.parametrize("max_calls", [0, -1, 1.5, True, "3"])
def test_a_bad_number_of_calls_is_refused(max_calls):
    with pytest.raises(ValueError, match=r"`max_calls` is .* must be a whole number, at least 1"):
        UnitTestEnvironment(max_calls=max_calls)


def test_a_runner_that_grades_nothing_is_refused():
    with pytest.raises(TypeError, match="`runner` is a str, but must have a method `run`"):
        UnitTestEnvironment(runner="local")


def test_a_prompt_that_is_no_chat_is_refused(make_environment):
    with pytest.raises(
        ValueError, match=r"`prompt` is plain text \(problem 'sum'\), but a model calls tools in a chat"
    ):
        make_environment().reset(prompt="Add.", tests=HIDDEN, problem_id="sum")


def test_a_row_without_tests_is_refused(make_environment):
    with pytest.raises(ValueError, match="neither a column `tests` nor `visible_tests`"):
        make_environment().reset(prompt=PROMPT)


@pytest.mark.parametrize("visible", ["not JSON", "[]", [1], {"inputs": ["1"]}, {"inputs": [], "outputs": []}])
def test_malformed_visible_tests_are_refused_with_the_problem(make_environment, visible):
    for columns in ({"tests": HIDDEN, "visible_tests": visible}, {"tests": visible}):
        with pytest.raises(ValueError, match=r"The tests are malformed \(problem 'sum'\): "):
            make_environment().reset(prompt=PROMPT, problem_id="sum", **columns)


def test_an_answer_can_be_encoded(environment):
    for code in ("raise ValueError('\ud800')", r"raise ValueError('\ud800')", r"print(eval('\'\ud800\''))"):
        assert environment.run_tests(code).encode()
