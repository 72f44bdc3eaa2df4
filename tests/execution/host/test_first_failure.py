"""The first test that a program did not pass is described in short texts, also if the answer is hostile."""

import json
import sys
import time
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction

import pytest

from trl_rltf.execution import FirstFailure, LocalRunner, Outcome, Program
from trl_rltf.execution.host.first_failure import MAX_CHARACTERS, short_text


SQUARES = {"inputs": ["1\n", "2\n", "3\n"], "outputs": ["1\n", "4\n", "9\n"]}
CALLS = {"fn_name": "f", "inputs": [[1, "a"], [2, "b"]], "outputs": [[1, "a"], [2, "b"]]}
PRINTS_A_SUM = "n = int(input())\nprint(n + n)\n"


def first_failure(runner, source, tests, checker=None):
    return runner.run([Program(source, tests, checker)])[0].first_failure


def test_a_program_that_passes_has_none(runner):
    assert first_failure(runner, "print(int(input()) ** 2)\n", SQUARES) is None


def test_input_expected_and_printed_output_of_the_first_wrong_answer_are_shown(runner):
    """1 + 1 is not 1, and 2 + 2 is 4 again."""
    assert first_failure(runner, PRINTS_A_SUM, SQUARES) == FirstFailure(
        0, input=r"'1\n'", expected=r"'1\n'", got=r"'2\n'"
    )


def test_the_first_failing_test_is_not_the_first_test_if_that_passes(runner):
    found = first_failure(runner, "print(1)\n", SQUARES)
    assert (found.test, found.input, found.got) == (1, r"'2\n'", r"'1\n'")


def test_values_are_shown_as_python_writes_them(runner):
    found = first_failure(runner, "def f(n, text):\n    return {n: (text, None)}\n", CALLS)
    assert found == FirstFailure(0, input="[1, 'a']", expected="[1, 'a']", got="{1: ('a', None)}")


@pytest.mark.parametrize(
    ("asserts", "shown"),
    [
        (
            ["assert f(1) == 1", "assert f(2) == 4"],
            FirstFailure(1, input="f(2)", expected="assert f(2) == 4", got="2"),
        ),
        (["assert f(1) + 0 == 2"], FirstFailure(0, expected="assert f(1) + 0 == 2", got="the assert does not hold")),
        (
            ["assert f(1) is f(g)"],
            FirstFailure(0, expected="assert f(1) is f(g)", got="the assert does not hold"),
        ),
    ],
    ids=["split", "in a referee", "inside"],
)
def test_an_assert_is_shown_whole(runner, asserts, shown):
    program = "def f(n):\n    return n\n\ndef g():\n    pass\n"
    assert first_failure(runner, program, {"asserts": asserts}) == shown


def test_an_answer_that_a_checker_refuses_is_shown(runner):
    found = first_failure(runner, PRINTS_A_SUM, SQUARES, checker=lambda *texts: False)
    assert (found.test, found.expected, found.got) == (0, r"'1\n'", r"'2\n'")


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ("n = int(input())\nprint(1 // (n - 1) if n < 2 else 0)\n", "ZeroDivisionError: integer division or modulo by zero"),
        ("print(1\n", "SyntaxError: '(' was never closed"),
        ("raise ValueError('one\\ntwo \\x1b[31m \\ud800')\n", r"ValueError: one\ntwo \x1b[31m"),
        ("while True:\n    pass\n", "TimeoutError: "),
    ],
    ids=["raises", "does not compile", "message with control characters", "runs out of time"],
)  # fmt: skip
def test_an_error_is_shown_in_place_of_an_answer(runner, source, got):
    found = first_failure(runner, source, SQUARES)
    assert (found.test, found.input) == (0, r"'1\n'")
    assert found.got.startswith(got)


def test_the_error_of_a_later_test_is_not_that_of_the_first_failing_one(runner):
    found = first_failure(runner, "n = int(input())\nprint(1 // (n - 3) if n == 3 else 0)\n", SQUARES)
    assert (found.test, found.got) == (0, r"'0\n'")


def test_tests_that_are_left_out_change_nothing():
    with LocalRunner(num_workers=1, stop_on_first_failure=True, isolation="process") as runner:
        report = runner.run([Program("print(1)\n", SQUARES)])[0]
    assert report.outcome is Outcome.FAILURE
    assert report.first_failure == FirstFailure(1, input=r"'2\n'", expected=r"'4\n'", got=r"'1\n'")


def test_a_long_text_is_cut_at_200_characters(runner):
    tests = {"inputs": ["x" * 1000], "outputs": ["y" * 1000]}
    found = first_failure(runner, "print('z' * 1000)\n", tests)
    for text, letter in ((found.input, "x"), (found.expected, "y"), (found.got, "z")):
        assert text == f"'{letter * 198}…"


HOSTILE = {
    "16 MB of text": "return 'x' * (2**24 - 100)",
    "600,000 items": "return list(range(600_000))",
    "deep lists": "r = []\n    for _ in range(5000):\n        r = [r]\n    return r",
    "deep mappings": "r = {}\n    for _ in range(5000):\n        r = {1: r}\n    return r",
    "a long integer": "return 1 << 2**20",
    "a lone surrogate": "return '\\ud800'",
    "endless": "import itertools\n    return itertools.count()",
    "an object": "return f",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_answer_gives_a_short_text_that_can_be_stored(runner, body):
    found = first_failure(runner, f"def f(n):\n    {body}\n", {"fn_name": "f", "inputs": [[1]], "outputs": [5]})
    assert 0 < len(found.got) <= MAX_CHARACTERS
    assert found.got.encode().isascii() or found.got.endswith("…")
    assert found.got.isprintable()


def nested(depth, make):
    value = make(0)
    for _ in range(depth):
        value = make(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        "x" * 2**24,
        [0] * 2**20,
        dict.fromkeys(range(2**18), "x" * 1000),
        nested(100_000, lambda inner: [inner]),
        nested(100_000, lambda inner: {1: inner}),
        nested(100_000, lambda inner: (inner, inner)),  # 2**100000 items
        1 << 2**24,
        Fraction(1, 3**10_000),
        iter(range(2**30)),
    ],
    ids=["text", "list", "mapping", "deep lists", "deep mappings", "shared", "integer", "fraction", "iterator"],
)
def test_the_time_does_not_depend_on_the_value(value):
    began = time.process_time()
    text = short_text(value)
    assert time.process_time() - began < 0.05
    assert 0 < len(text) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "[]"),
        ((1,), "(1,)"),
        ({"a": [1, 2.5], (1, 2): None}, "{'a': [1, 2.5], (1, 2): None}"),
        ({3}, "{3}"),
        (deque([1, "b"]), "[1, 'b']"),
        (iter([1, 2]), "[1, 2]"),
        ({1: 2}.values(), "[2]"),
        (OrderedDict(a=1), "{'a': 1}"),
        (Counter("aa"), "{'a': 2}"),
        (defaultdict(int, {1: 2}), "{1: 2}"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (True, "True"),
        (b"a\n", r"b'a\n'"),
        ("'\n\x1b", '"\'\\n\\x1b"'),
    ],
)
def test_a_short_value_is_shown_whole(value, text):
    assert short_text(value) == text


def test_a_description_is_a_text_of_three_lines():
    assert str(FirstFailure(2, input="'1'", expected="'2'", got="'3'")) == "input: '1'\nexpected: '2'\ngot: '3'"
    assert str(FirstFailure(0, expected="assert f()", got="None")) == "expected: assert f()\ngot: None"


def test_the_command_writes_it_into_its_report(tmp_path, run_script):
    rows = [{"source": PRINTS_A_SUM, "tests": SQUARES}]
    (tmp_path / "programs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = run_script("-m", "trl_rltf.execution", "grade", tmp_path / "programs.jsonl", python=sys.executable)
    (line,) = map(json.loads, result.stdout.splitlines())
    assert line["first_failure"] == {"test": 0, "input": r"'1\n'", "expected": r"'1\n'", "got": r"'2\n'"}
