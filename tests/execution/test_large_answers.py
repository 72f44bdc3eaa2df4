"""Right answers of any size, depth and kind pass, and hostile answers cost the caller little."""

import time

import pytest

from trl_rltf.execution import Outcome, Program


def nested(depth, value=0):
    for _ in range(depth):
        value = [value]
    return value


def outcome(runner, body, tests):
    """The outcome of a function `f(n)` with this body."""
    return runner.run([Program(f"def f(n):\n    {body}\n", tests)])[0].outcome


def call(expected, argument=3):
    """A test that `f` returns a value for an argument."""
    return {"fn_name": "f", "inputs": [[argument]], "outputs": [expected]}


NEST = "r = 0\n    for _ in range(n):\n        r = [r]\n    return r"


@pytest.mark.parametrize(
    ("body", "argument", "expected"),
    [
        ("return list(range(n))", 600_000, list(range(600_000))),
        ("return ','.join('1' * n)", 1_000_000, ",".join("1" * 1_000_000)),
        (NEST, 70, nested(70)),
        (NEST, 500, nested(500)),
        ("import sys\n    sys.setrecursionlimit(70)\n    " + NEST, 500, nested(500)),
        ("return range(n)", 3, [0, 1, 2]),
        ("return map(str, range(n))", 3, ["0", "1", "2"]),
        ("return (i for i in range(n))", 3, [0, 1, 2]),
        ("return {1: 0, 2: 1}.values()", 3, [0, 1]),
        ("return float('nan')", 3, float("nan")),
        ("from decimal import Decimal\n    return Decimal('1.5')", 3, 1.5),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_right_answer_passes(runner, body, argument, expected):
    assert outcome(runner, body, call(expected, argument)) is Outcome.PASS


@pytest.mark.parametrize(
    ("body", "expected", "right"),
    [
        ("import itertools\n    return itertools.count()", [0, 1, 2], Outcome.FAILURE),
        ("r = []\n    r.append(r)\n    return r", [], Outcome.FAILURE),
        ("return (1 // (2 - i) for i in range(n))", [0, 1], Outcome.RUNTIME_ERROR),
        ("return 10**17 / 1", 10**17 + 3, Outcome.FAILURE),
    ],
)
def test_a_wrong_answer_does_not_pass(runner, body, expected, right):
    assert outcome(runner, body, call(expected)) is right


@pytest.mark.parametrize(
    ("body", "test", "right"),
    [
        ("return range(n)", "assert f(3) == range(3)", Outcome.PASS),
        ("return range(n)", "assert f(3) == [0, 1, 2]", Outcome.FAILURE),
        ("return (i for i in range(n))", "assert f(3) == [0, 1, 2]", Outcome.FAILURE),
        ("return (i for i in range(n))", "assert list(f(3)) == [0, 1, 2]", Outcome.PASS),
        ("return {n: 1}.keys()", "assert f(3) == {3}", Outcome.PASS),
        ("return {n: 1}.keys()", "assert f(3) == [3]", Outcome.FAILURE),
        ("return {n: 1}.values()", "assert f(3) == [1]", Outcome.FAILURE),
    ],
)
def test_views_and_iterators_in_an_assert_compare_as_in_python(runner, body, test, right):
    assert outcome(runner, body, {"asserts": [test]}) is right


@pytest.mark.parametrize("source", ["print('1' * 400_000 + 'x')", "print('1.' * 200_000)", "print('1 ' * 200_000)"])
def test_long_printed_text_costs_the_caller_little_time(runner, source):
    began = time.thread_time()
    report = runner.run([Program(source, {"inputs": [""], "outputs": ["1.5"]})])[0]
    assert report.outcome is Outcome.FAILURE
    assert time.thread_time() - began < 5  # a quadratic search for numbers would take minutes


def test_an_answer_above_the_limit_of_output_is_an_error_of_its_test(runner):
    tests = {"fn_name": "f", "inputs": [[1], [20_000_000], [2]], "outputs": ["a", "a", "aa"]}
    report = runner.run([Program("def f(n):\n    return 'a' * n\n", tests)])[0]
    assert [verdict.name for verdict in report.verdicts] == ["PASSED", "ERROR", "PASSED"]
    assert report.error_type == "OutputLimitExceeded"
    assert "returned more" in report.error_message
