"""Weights of tests by how few programs of the group pass them, with numbers worked out by hand."""

import asyncio

import pytest
from support import SUM_TESTS

from trl_rltf import UnitTestRewardFunction
from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.execution.audit_tests import split_audit_tests
from trl_rltf.presets import paper_reward
from trl_rltf.rewards import AsyncUnitTestRewardFunction
from trl_rltf.rewards.rarity import rarity_shares


THREE_TESTS = {"inputs": ["1\n", "2\n", "3\n"], "outputs": ["1", "2", "3"]}
READ = "n = int(input())\n"


def passes(*numbers):
    """A program that passes the tests with these numbers, and answers the others wrongly."""
    return f"{READ}print(n if n in {list(numbers)} else 0)\n"


def report_of(passed):
    verdicts = tuple(Verdict.PASSED if character == "+" else Verdict.FAILED for character in passed)
    return ExecutionReport(Outcome.PASS if "-" not in passed else Outcome.FAILURE, verdicts)


def shares_of(*passed, groups=None):
    return rarity_shares(groups or ["p"] * len(passed), [report_of(text) for text in passed])


def test_a_test_counts_the_more_the_fewer_programs_pass_it():
    # Four programs pass the first test, two the second, one the third: weights 1/4, 1/2 and 1, in all 7/4.
    expected = [1, (1 / 4 + 1 / 2) / (7 / 4), (1 / 4) / (7 / 4), (1 / 4) / (7 / 4)]
    assert shares_of("+++", "++-", "+--", "+--") == pytest.approx([*expected])
    assert expected == pytest.approx([1, 3 / 7, 1 / 7, 1 / 7])


def test_a_test_that_no_program_passes_has_the_weight_of_one_that_a_single_program_passes():
    # Weights 1/2, 1 and 1.
    assert shares_of("++-", "+--") == pytest.approx([1.5 / 2.5, 0.5 / 2.5])


def test_a_program_alone_has_the_plain_share():
    assert shares_of("+-+") == [pytest.approx(2 / 3)]


def test_programs_that_pass_the_same_number_of_tests_differ():
    # The first test is passed by three, the second by one: weights 1/3 and 1.
    assert shares_of("+-", "+-", "+-", "-+") == pytest.approx([1 / 4, 1 / 4, 1 / 4, 3 / 4])


def test_groups_do_not_count_for_each_other():
    assert shares_of("+-", "+-", "-+", groups=["p", "p", "q"]) == pytest.approx([1 / 3, 1 / 3, 1 / 2])


def test_a_program_that_passes_all_tests_has_exactly_one():
    for length in range(1, 40):
        shares = shares_of("+" * length, *("+" * (length - 1) + "-" for _ in range(3)))
        assert shares[0] == 1.0
        assert all(share < 1 for share in shares[1:])


def test_a_program_that_could_not_be_graded_counts_for_no_test():
    failed = ExecutionReport(Outcome.NOT_GRADABLE, (Verdict.NOT_RUN, Verdict.NOT_RUN))
    assert rarity_shares(["p"] * 3, [report_of("+-"), failed, report_of("++")]) == pytest.approx([1 / 3, 0, 1])
    assert rarity_shares(["p"], [failed]) == [0]


def reward(runner, sources, function=UnitTestRewardFunction, tests=THREE_TESTS, prompts=None, **options):
    metrics = {}
    made = function(runner, test_weights="rarity", **options)
    columns = {"completions": sources, "tests": [tests] * len(sources), "log_metric": metrics.__setitem__}
    return made(prompts=prompts, **columns), metrics


SOURCES = [passes(1, 2, 3), passes(1, 2), passes(1), passes(1)]


def test_the_reward_is_the_weighted_share(runner):
    rewards, metrics = reward(runner, SOURCES)
    assert rewards == pytest.approx([1, 3 / 7, 1 / 7, 1 / 7])
    assert metrics["outcome/weighted_pass_ratio"] == pytest.approx((1 + 5 / 7) / 4)
    assert metrics["outcome/pass_ratio"] == pytest.approx((1 + 2 / 3 + 1 / 3 + 1 / 3) / 4)


def test_without_it_the_reward_is_the_plain_share(runner):
    plain = UnitTestRewardFunction(runner)(completions=SOURCES, tests=[THREE_TESTS] * 4)
    uniform = UnitTestRewardFunction(runner, test_weights="uniform")
    assert uniform(completions=SOURCES, tests=[THREE_TESTS] * 4) == plain == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3])


def test_completions_of_different_prompts_are_not_compared(runner):
    rewards, _ = reward(runner, [passes(1), passes(1), passes(2)], prompts=["p", "p", "q"])
    assert rewards == pytest.approx([0.5 / 2.5, 0.5 / 2.5, 1 / 3])


def test_rows_with_equal_prompts_and_different_tests_are_not_compared(runner):
    function = UnitTestRewardFunction(runner, test_weights="rarity")
    tests = [THREE_TESTS, SUM_TESTS, THREE_TESTS]
    sources = [passes(1), "print(3)\n", passes(1, 2)]
    # One in two tests of the sum; in the other group the weights are 1/2, 1 and 1.
    expected = pytest.approx([0.5 / 2.5, 1 / 2, 1.5 / 2.5])
    assert function(prompts=["p"] * 3, completions=sources, tests=tests) == expected


def test_the_paper_with_weights_rewards_failures_by_the_weighted_share(runner):
    rewards, _ = reward(runner, SOURCES, paper_reward)
    assert rewards == pytest.approx([1, *(-0.3 + 1.3 * share for share in (3 / 7, 1 / 7, 1 / 7))])


def test_tokens_have_the_weighted_share_plus_their_feedback(runner, tokenizer):
    function = UnitTestRewardFunction(
        runner, test_weights="rarity", token_feedback="statement_penalty", token_weight=0.5
    )
    sources = [*SOURCES[:3], f"{READ}assert n == 1\nprint(n)\n"]
    ids = [tokenizer(source)["input_ids"] for source in sources]
    rewards = function(completions=sources, completion_ids=ids, tests=[THREE_TESTS] * 4, processing_class=tokenizer)
    assert rewards == pytest.approx([1, 3 / 7, 1 / 7, 1 / 7])
    assert rewards[1].tokens == pytest.approx([3 / 7] * len(ids[1]))
    assert {round(value, 6) for value in rewards[3].tokens} == {round(1 / 7, 6), round(1 / 7 - 0.5, 6)}


def test_only_rewarded_tests_have_weights(runner):
    numbers = list(range(10))
    tests = {"inputs": [f"{n}\n" for n in numbers], "outputs": [f"{n}\n" for n in numbers]}
    rewarded, audit = ([int(text) for text in part["inputs"]] for part in split_audit_tests(tests, 0.3))
    # All three pass one rewarded test, one passes a second one, and the audit tests do not count.
    sources = [passes(rewarded[0]), passes(rewarded[0], rewarded[1], *audit), passes(rewarded[0])]
    rewards, _ = reward(
        runner, [source.replace("else 0", "else -1") for source in sources], tests=tests, audit_tests=0.3
    )
    total = 1 / 3 + 6
    assert rewards == pytest.approx([(1 / 3) / total, (4 / 3) / total, (1 / 3) / total])


def test_the_function_that_is_awaited_gives_the_same_rewards(runner):
    function = AsyncUnitTestRewardFunction(UnitTestRewardFunction(runner, test_weights="rarity"))
    rewards = asyncio.run(function(completions=SOURCES, tests=[THREE_TESTS] * 4))
    assert rewards == pytest.approx([1, 3 / 7, 1 / 7, 1 / 7])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_weights": "rare"}, "`test_weights` is 'rare', but must be 'uniform' or 'rarity'"),
        ({"test_weights": None}, "`test_weights` is None, but must be"),
        ({"test_weights": ["rarity"]}, r"`test_weights` is \['rarity'\], but must be"),
        ({"test_weights": "rarity", "adaptive_weight": 0}, "weights the tests of the adaptive reward, but"),
    ],
)
def test_bad_values_are_refused_at_construction(runner, options, message):
    with pytest.raises(ValueError, match=message):
        UnitTestRewardFunction(runner, **options)
