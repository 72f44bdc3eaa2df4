"""Problems with more tests, and why others are left alone."""

import dataclasses
import json

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.data import (
    AugmentationSettings,
    AugmentedProblem,
    MutatedInputs,
    NewInputs,
    augment_problems,
    select_tests,
    with_new_tests,
)
from trl_rltf.data.augmentation.solutions import distinct_programs
from trl_rltf.execution import Outcome, Program


OTHER_SUM = "print(sum(int(part) for part in input().split()[:2]))\n"
MAXIMUM = {"fn_name": "top", "inputs": [[[1, 2]]], "outputs": [2]}
MAXIMA = ["def top(items): return max(items)", "def top(items): return sorted(items)[-1]"]
ANY_ORDER = ["print(*sorted({1, int(input()) % 3}))", "print(*sorted({1, int(input()) % 3}, reverse=True))"]


def row(tests, *solutions, name="problem"):
    return {"problem_id": name, "prompt": "Solve it.", "tests": json.dumps(tests), "solutions": list(solutions)}


MUTATION = (MutatedInputs(),)


def augment(problem, runner, wrong=(), sources=MUTATION, **settings):
    (result,) = augment_problems(
        [problem],
        runner,
        settings=AugmentationSettings(**settings),
        sources=sources,
        wrong_programs={problem["problem_id"]: wrong},
    )
    return result


def outcomes(tests, sources, runner):
    return [report.outcome for report in runner.run([Program(source, tests) for source in sources])]


def test_new_tests_follow_the_old_ones_and_right_programs_pass_them(runner):
    result = augment(row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM), runner, num_tests=5)
    tests = json.loads(result.tests)
    assert tests["inputs"][:2] == SUM_TESTS["inputs"]
    assert result.test_sources == ["original"] * 2 + ["mutation"] * 5
    assert (result.left_alone, result.num_before, result.num_after, result.num_solutions) == ("", 2, 7, 2)
    for given, answer in zip(tests["inputs"], tests["outputs"], strict=True):
        assert sum(map(int, given.split())) == int(answer)
    assert outcomes(result.tests, [SUM_PROGRAM, OTHER_SUM], runner) == [Outcome.PASS] * 2


def test_a_wrong_program_that_passes_the_old_tests_fails_the_new_ones(runner):
    wrong = "def top(items): return items[-1]"
    result = augment(row(MAXIMUM, *MAXIMA), runner, wrong=[wrong, "def top(items): return 5"])
    assert (result.num_wrong, result.wrong_before, result.wrong_after) == (2, 1, 2)
    assert outcomes(MAXIMUM, [wrong], runner) == [Outcome.PASS]
    assert outcomes(result.tests, [wrong], runner) == [Outcome.FAILURE]
    assert result.killed_before <= result.killed_after <= result.num_mutants


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (row(SUM_TESTS), "no_solution"),
        (row(SUM_TESTS, "print(1)", "print(2)"), "no_solution_passes"),
        (row(SUM_TESTS, SUM_PROGRAM), "one_solution"),
        (row(SUM_TESTS, SUM_PROGRAM, f"# a copy\n{SUM_PROGRAM}"), "one_solution"),
        (row(SUM_TESTS, SUM_PROGRAM, "x = = 1"), "one_solution"),
        (row(SUM_TESTS, SUM_PROGRAM, "1 / 0"), "one_solution"),
        (row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM, "print(3)"), "several_answers"),
        (row({"inputs": ["22\n"], "outputs": ["1\n"]}, *ANY_ORDER), "several_answers"),
        (row({"asserts": ["assert f(x) == 1"], "setup": "x = 1"}, "def f(x): return x", "f = int"), "unknown_inputs"),
        (row({"inputs": [""], "outputs": ["1\n"]}, "print(1)", "print('1')"), "no_inputs"),
        (
            row(
                {"fn_name": "f", "inputs": [[True]], "outputs": [1]},
                "def f(x): return 1 // x",
                "def f(x): return 2 // 2 // x",
            ),
            "no_agreement",
        ),
        (row({"inputs": ["1\n"]}, SUM_PROGRAM), "malformed"),
    ],
)
def test_a_problem_that_cannot_be_augmented_is_left_alone_with_a_reason(problem, reason, runner):
    result = augment(problem, runner)
    assert result.left_alone == reason
    assert result.detail
    assert result.tests == problem["tests"]
    assert set(result.test_sources) <= {"original"}


def test_a_single_solution_counts_if_it_is_allowed_to(runner):
    result = augment(row(SUM_TESTS, SUM_PROGRAM), runner, allow_single_solution=True)
    assert (result.left_alone, result.num_solutions) == ("", 1)
    assert result.num_after > result.num_before


def test_a_solution_that_answers_at_random_makes_no_tests(runner):
    problem = row(
        {"inputs": ["1\n"], "outputs": ["1\n"]},
        "import os\nn = int(input())\nprint(n if n == 1 else os.urandom(8).hex())",
    )
    result = augment(problem, runner, allow_single_solution=True)
    assert all(int(given) == 1 for given in json.loads(result.tests)["inputs"])
    assert result.dropped["flaky"] > 0


def test_a_source_that_makes_nonsense_ends_no_run(runner):
    class Nonsense:
        name = "nonsense"

        def make_inputs(self, seen, num_inputs):
            return NewInputs(["", "x" * 10, "\0", 5, "\udc80"], ["it makes nonsense"])

    result = augment(row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM), runner, sources=[Nonsense()])
    notes = ["nonsense: it makes nonsense", "nonsense: 2 inputs cannot be written as tests"]
    assert (result.left_alone, result.notes) == ("no_agreement", notes)
    assert result.dropped == {"error": 3}


def test_integers_of_any_length_are_inputs_and_answers(runner):
    zeros = "0" * 4999
    tests = {"asserts": [f"assert f(1{zeros}0) == 1{zeros}1", "assert f(3) == 4"]}
    result = augment(row(tests, "def f(n): return n + 1"), runner, allow_single_solution=True, num_tests=5)
    assert (result.left_alone, result.num_after) == ("", 7)


def test_a_source_that_fails_on_unusual_values_is_noted(runner):
    class Failing:
        name = "failing"

        def make_inputs(self, seen, num_inputs):
            raise OverflowError("too large")

    result = augment(row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM), runner, sources=[Failing(), *MUTATION], num_tests=2)
    assert (result.num_after, result.notes) == (4, ["failing: OverflowError: too large"])


def test_each_test_has_the_name_of_its_source(runner):
    class Fixed:
        name = "fixed"

        def make_inputs(self, seen, num_inputs):
            return NewInputs(["70 80\n", "1 2\n"])

    result = augment(row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM), runner, sources=[Fixed(), MutatedInputs()], num_tests=40)
    inputs = json.loads(result.tests)["inputs"]
    assert [name for given, name in zip(inputs, result.test_sources, strict=True) if given == "70 80\n"] == ["fixed"]
    assert result.inputs["fixed"] == 1


def test_problems_come_in_order_with_any_number_of_workers_and_with_equal_tests(runner):
    problems = [row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM, name=f"p{i}") for i in range(5)]
    one, three = (list(augment_problems(problems, runner, num_workers=number)) for number in (1, 3))
    assert [result.problem_id for result in three] == [f"p{i}" for i in range(5)]
    assert [dataclasses.replace(result, seconds=0) for result in one] == [
        dataclasses.replace(result, seconds=0) for result in three
    ]
    assert len({result.tests for result in one}) > 1


def test_a_caller_may_stop_early(runner):
    problems = (row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM, name=f"p{i}") for i in range(1000))
    results = augment_problems(problems, runner, num_workers=2)
    assert next(results).problem_id == "p0"
    results.close()
    assert int(next(problems)["problem_id"][1:]) < 10


def test_a_result_is_made_again_from_its_fields(runner):
    result = augment(row(MAXIMUM, *MAXIMA), runner)
    assert AugmentedProblem.from_dict(json.loads(json.dumps(dataclasses.asdict(result)))) == result


def test_tests_can_be_chosen_by_their_source(runner):
    problem = row(SUM_TESTS, SUM_PROGRAM, OTHER_SUM)
    new = with_new_tests(problem, augment(problem, runner, num_tests=3))
    assert json.loads(select_tests(new, "original")["tests"]) == SUM_TESTS
    assert len(json.loads(select_tests(new, "new")["tests"])["inputs"]) == 3
    assert select_tests(new, "both") == new


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_tests": 0}, "`num_tests` is 0, but must be at least 1"),
        ({"num_solutions": 1}, "two solutions have to agree"),
        ({"max_disagreement": 2}, "`max_disagreement` is 2"),
        ({"max_seconds": 0}, "`max_seconds` is 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        AugmentationSettings(**changes)


def test_a_number_of_workers_below_one_is_refused(runner):
    with pytest.raises(ValueError, match="`num_workers` is 0"):
        augment_problems([], runner, num_workers=0)


def test_copies_of_a_program_count_once():
    assert distinct_programs(["x = 1", "x=1  # one", "x = = 1", "x = 2"]) == ["x = 1", "x = 2"]
