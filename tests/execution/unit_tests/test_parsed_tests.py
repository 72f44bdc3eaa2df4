"""Tests are parsed once per content, types of values, and checker."""

import pytest

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.unit_tests.parsed_tests import ParsedTests


PAIR = "def f(x):\n    return [1, 2]"


def pairs_with(output):
    return {"fn_name": "f", "inputs": [[1]], "outputs": [output]}


@pytest.mark.parametrize(
    ("first", "second"),
    [([1, 2], (1, 2)), ([1], [1.0]), ([1], [True]), ([0.0], [-0.0]), ({"1": 2}, {1: 2}), ("1", 1)],
)
def test_tests_that_differ_in_a_type_are_parsed_separately(first, second):
    parsed = ParsedTests()
    one = parsed.parse(pairs_with(first), True, None)
    assert parsed.parse(pairs_with(second), True, None) is not one
    assert parsed.parse(pairs_with(first), True, None) is one


def test_strict_and_tolerant_tests_are_parsed_separately():
    parsed = ParsedTests()
    assert parsed.parse(pairs_with(1), True, None) is not parsed.parse(pairs_with(1), False, None)


def test_a_strict_verdict_does_not_depend_on_earlier_programs():
    with LocalRunner(num_workers=1, isolation="process", strict_comparison=True) as local:
        programs = [Program(PAIR, pairs_with(output)) for output in ((1, 2), [1, 2])]
        assert local.run(programs)[1].outcome is local.run(programs[1:])[0].outcome is Outcome.PASS


class Says:
    """A checker that equals all others of its class, and is false."""

    def __init__(self, answer):
        self.answer = answer

    def __eq__(self, other):
        return isinstance(other, Says)

    __hash__ = None

    def __bool__(self):
        return False

    def __call__(self, *_):
        return self.answer


def test_checkers_are_distinguished_by_identity():
    tests = {"inputs": [""], "outputs": ["x"]}
    with LocalRunner(num_workers=1, isolation="process") as local:
        reports = local.run([Program("print(2)", tests, checker=Says(answer)) for answer in (True, False)])
    assert [report.outcome for report in reports] == [Outcome.PASS, Outcome.FAILURE]


def test_a_checker_that_was_freed_does_not_pass_its_verdicts_to_the_next():
    tests = {"inputs": [""], "outputs": ["x"]}
    with LocalRunner(num_workers=1, isolation="process") as local:
        for answer in (True, False) * 5:  # each may have the address of the last one
            report = local.run([Program("print(2)", tests, checker=Says(answer))])[0]
            assert report.outcome is (Outcome.PASS if answer else Outcome.FAILURE)
