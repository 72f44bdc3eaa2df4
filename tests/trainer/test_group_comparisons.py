"""Tests with weights in a trainer: whole groups in each call, with every way to make batches."""

import pytest
import torch
from support import history, snapshot
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import CriticRewardFunction, OnlineBuffer, RLTFConfig, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.critic import Critic
from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.rewards import AsyncUnitTestRewardFunction
from trl_rltf.trainer.checks import check_settings


def report_of(passed):
    verdicts = tuple(Verdict.PASSED if character == "+" else Verdict.FAILED for character in passed)
    return ExecutionReport(Outcome.PASS if "-" not in passed else Outcome.FAILURE, verdicts)


class Fixed:
    """Grade programs by their number: the first passes both tests, the others one, in turn."""

    def run(self, programs):
        reports = [report_of("++"), report_of("+-"), report_of("-+"), report_of("+-")]
        return [reports[index % 4] for index in range(len(programs))]

    def submit(self, programs):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("trainer_class", "config_class", "settings"),
    [
        (RLTFTrainer, RLTFConfig, {}),
        (RLTFTrainer, RLTFConfig, {"max_generation_batches": 2}),
        (RLTFTrainer, RLTFConfig, {"callbacks": [OnlineBuffer(capacity=8, update_steps=1)]}),
        (RLTFTrainer, RLTFConfig, {"baseline": "leave_one_out"}),
        (GRPOTrainer, GRPOConfig, {}),
    ],
    ids=["RLTF", "dynamic sampling", "buffer", "leave one out", "GRPO"],
)
def test_it_trains(make_trainer, trainer_class, config_class, settings):
    function = UnitTestRewardFunction(Fixed(), test_weights="rarity")
    trainer = make_trainer(function, trainer_class=trainer_class, config_class=config_class, **settings)
    before = snapshot(trainer.model)
    trainer.train()
    # Three programs pass the first test and two the second: weights 1/3 and 1/2.
    expected = (1 + (1 / 3 + 1 / 2 + 1 / 3) / (5 / 6)) / 4
    assert history(trainer, "reward") == pytest.approx([expected] * 2)
    assert history(trainer, "outcome/weighted_pass_ratio") == pytest.approx([expected] * 2)
    assert all(not torch.equal(before[name], value) for name, value in trainer.model.named_parameters())


def settings_for(tmp_path, **settings):
    return RLTFConfig(str(tmp_path), **{"per_device_train_batch_size": 4, "num_generations": 4, **settings})


def test_groups_that_are_divided_among_processes_are_refused(tmp_path):
    args = settings_for(tmp_path, gradient_accumulation_steps=2, num_generations=8)
    args.steps_per_generation = 1  # TRL accepts it with two processes, whose batches are whole groups together
    rarity, plain = (UnitTestRewardFunction(Fixed(), test_weights=weights) for weights in ("rarity", "uniform"))
    check_settings(args, None, reward_funcs=[plain])
    for functions in (rarity, [plain, rarity], [AsyncUnitTestRewardFunction(rarity)]):
        with pytest.raises(
            ValueError, match=r"generates 4 completions at a time .* not a multiple of `num_generations=8`"
        ):
            check_settings(args, None, reward_funcs=functions)


def test_a_function_that_wraps_another_needs_whole_groups_if_that_one_does():
    for weights, expected in (("rarity", True), ("uniform", False)):
        function = UnitTestRewardFunction(Fixed(), test_weights=weights)
        assert AsyncUnitTestRewardFunction(function).needs_whole_groups is expected
        assert CriticRewardFunction(function, critic=Critic.__new__(Critic)).needs_whole_groups is expected


def test_groups_that_are_divided_in_an_evaluation_are_refused(tmp_path):
    args = settings_for(tmp_path, per_device_eval_batch_size=6)
    function = UnitTestRewardFunction(Fixed(), test_weights="rarity")
    check_settings(args, None, reward_funcs=function)
    args.eval_strategy = "steps"
    with pytest.raises(
        ValueError, match="`per_device_eval_batch_size` is 6, which is not a multiple of the 4 completions"
    ):
        check_settings(args, None, reward_funcs=function)


def test_the_greedy_baseline_is_refused(make_trainer):
    function = UnitTestRewardFunction(Fixed(), test_weights="rarity")
    with pytest.raises(ValueError, match="`baseline='greedy'` grades the greedy completions without the group"):
        make_trainer(function, baseline="greedy")
