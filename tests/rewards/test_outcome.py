"""Rewards of whole programs, with numbers worked out by hand."""

import pytest

from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.rewards import OutcomeReward


PAPER = {Outcome.PASS: 1.0, Outcome.FAILURE: -0.3, Outcome.RUNTIME_ERROR: -0.6, Outcome.SYNTAX_ERROR: -1.0}


def report(outcome, num_passed=0, num_tests=4):
    verdicts = (Verdict.PASSED,) * num_passed + (Verdict.FAILED,) * (num_tests - num_passed)
    return ExecutionReport(outcome, verdicts)


@pytest.mark.parametrize(
    ("outcome", "num_passed", "reward"),
    [
        (Outcome.PASS, 4, 1.0),
        (Outcome.FAILURE, 0, 0.0),
        (Outcome.FAILURE, 3, 0.75),
        (Outcome.RUNTIME_ERROR, 1, 0.25),
        (Outcome.SYNTAX_ERROR, 0, 0.0),
    ],
)
def test_the_default_is_the_share_of_tests_passed(outcome, num_passed, reward):
    assert OutcomeReward()(report(outcome, num_passed)) == reward


@pytest.mark.parametrize(
    ("outcome", "num_passed", "reward"),
    [
        (Outcome.PASS, 4, 1.0),
        (Outcome.FAILURE, 0, -0.3),
        (Outcome.FAILURE, 1, -0.3 + 1.3 / 4),
        (Outcome.RUNTIME_ERROR, 3, -0.6),
        (Outcome.SYNTAX_ERROR, 0, -1.0),
    ],
)
def test_with_the_rewards_of_the_paper_a_failure_lies_between_its_class_and_pass(outcome, num_passed, reward):
    function = OutcomeReward(coarse_rewards=PAPER, adaptive_runtime_errors=False)
    assert function(report(outcome, num_passed)) == pytest.approx(reward)


@pytest.mark.parametrize(
    ("weights", "reward"),
    [
        ({"coarse_weight": 0.5}, 0.5 * -0.3 + 1.3 / 2),
        ({"adaptive_weight": 0.5}, -0.3 + 0.5 * 1.3 / 2),
        ({"coarse_weight": 0}, 1.3 / 2),
        ({"adaptive_weight": 0}, -0.3),
    ],
)
def test_each_weight_is_a_factor_of_its_reward(weights, reward):
    function = OutcomeReward(coarse_rewards=PAPER, **weights)
    assert function(report(Outcome.FAILURE, 2)) == pytest.approx(reward)


def test_a_program_without_tests_gets_the_reward_of_its_class():
    assert OutcomeReward(coarse_rewards=PAPER)(report(Outcome.FAILURE, 0, 0)) == -0.3
