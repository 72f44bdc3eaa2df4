"""Evaluations log pass@k of the evaluation set, which chooses the best model and ends training early."""

import math

import architectures
import pytest
import torch
from datasets import Dataset
from support import by_length, history
from transformers import EarlyStoppingCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, TokenReward, UnitTestRewardFunction
from trl_rltf.execution import Outcome
from trl_rltf.metrics.held_out import HeldOutGroup, held_out_metrics
from trl_rltf.trainer import PassAtKCallback
from trl_rltf.trainer.held_out import choose_eval_ks


RIGHT, WRONG, RAISES, BROKEN = "print({})\n", "print(-1)\n", "print(x)\n", "print(\n"
# Programs of each problem: all right, one right, none right.
PLAN = [[RIGHT] * 4, [RIGHT, WRONG, RAISES, BROKEN], [WRONG] * 4]
LEVELS = ["easy", "hard", "hard"]
# 1 - C(n - c, k) / C(n, k) of n = 4 and c = 4, 1, 0, over three problems.
EXPECTED = {
    "pass@1": (1 + 1 / 4 + 0) / 3,
    "pass@2": (1 + (1 - 3 / 6) + 0) / 3,
    "pass@4": 2 / 3,
    "pass@1/easy": 1.0,
    "pass@2/easy": 1.0,
    "pass@4/easy": 1.0,
    "pass@1/hard": 1 / 8,
    "pass@2/hard": 1 / 4,
    "pass@4/hard": 1 / 2,
    "outcome/pass": 5 / 12,
    "outcome/failure": 5 / 12,
    "outcome/runtime_error": 1 / 12,
    "outcome/syntax_error": 1 / 12,
    "outcome/not_gradable": 0.0,
    "outcome/pass/hard": 1 / 8,
    "outcome/failure/hard": 5 / 8,
}
EVALUATED = {"num_generations_eval": 4, "per_device_eval_batch_size": 8}


def held_out_set(levels=LEVELS):
    """Problem i has the prompt `print i`, and its programs have to print i."""
    rows = {
        "prompt": [f"print {i}" for i in range(len(PLAN))],
        "tests": [f'{{"inputs": [""], "outputs": ["{i}"]}}' for i in range(len(PLAN))],
    }
    return Dataset.from_dict(rows if levels is None else {**rows, "difficulty": levels})


def script(trainer, tokenizer, plan=lambda step: PLAN):
    """Replace what the policy writes in evaluations by a plan, which may depend on the step."""
    original, counts = trainer._generate_single_turn, [0] * len(PLAN)

    def generate(prompt_ids, *rest, **options):
        if trainer.model.training:
            return original(prompt_ids, *rest, **options)
        completions = []
        for ids in prompt_ids:
            number = int(tokenizer.decode(ids, skip_special_tokens=True).split()[-1])
            programs = plan(trainer.state.global_step)[number]
            text = programs[counts[number] % 4].format(number)
            counts[number] += 1
            completions.append(tokenizer(text, add_special_tokens=False)["input_ids"])
        return completions, None

    trainer._generate_single_turn = generate


def close(metrics, expected):
    found = {name: metrics[name] for name in expected}
    return found == pytest.approx(expected)


# ---------------------------------------------------------------------- the numbers


def test_an_evaluation_gives_pass_at_k_and_shares_of_all_problems_and_of_each_difficulty(
    make_trainer, runner, tokenizer
):
    """The last batch has one problem, and the one before has two: a mean over batches would be another number."""
    trainer = make_trainer(UnitTestRewardFunction(runner), eval_dataset=held_out_set(), **EVALUATED)
    script(trainer, tokenizer)
    metrics = trainer.evaluate()
    expected = {f"eval_{name}": value for name, value in EXPECTED.items()}
    assert close(metrics, expected)
    assert close(trainer.state.log_history[-1], expected)
    assert [name for name in metrics if "pass@" in name and name not in expected] == []
    assert "eval_outcome/pass_ratio" in metrics


def test_the_limits_of_a_problem_hold_in_an_evaluation(make_trainer, runner, tokenizer):
    dataset = held_out_set().add_column("time_limit", [None, 0.03, 0.9])
    trainer = make_trainer(UnitTestRewardFunction(runner), eval_dataset=dataset, **EVALUATED)
    script(
        trainer, tokenizer, lambda step: [[f"import time\nwhile time.process_time() < 0.08: pass\n{RIGHT}"] * 4] * 3
    )
    assert trainer.evaluate()["eval_pass@1"] == pytest.approx(2 / 3)


def test_evaluations_of_a_run_are_logged_at_their_steps(make_trainer, runner, tokenizer):
    trainer = make_trainer(
        UnitTestRewardFunction(runner), eval_dataset=held_out_set(), eval_strategy="steps", eval_steps=1, **EVALUATED
    )
    script(trainer, tokenizer, lambda step: PLAN if step == 1 else [PLAN[0]] * 3)
    trainer.train()
    assert history(trainer, "eval_pass@1") == pytest.approx([EXPECTED["pass@1"], 1.0])
    assert history(trainer, "pass@1") == []


def test_without_a_column_of_difficulties_there_are_no_metrics_per_difficulty(make_trainer, runner, tokenizer):
    trainer = make_trainer(UnitTestRewardFunction(runner), eval_dataset=held_out_set(None), **EVALUATED)
    script(trainer, tokenizer)
    metrics = trainer.evaluate()
    assert {name for name in metrics if "pass@" in name} == {"eval_pass@1", "eval_pass@2", "eval_pass@4"}


def test_several_evaluation_sets_have_metrics_of_their_own(make_trainer, runner, tokenizer):
    sets = {"first": held_out_set(), "easy": held_out_set().select([0])}
    trainer = make_trainer(UnitTestRewardFunction(runner), eval_dataset=sets, **EVALUATED)
    script(trainer, tokenizer)
    metrics = trainer.evaluate()
    assert metrics["eval_first_pass@1"] == pytest.approx(EXPECTED["pass@1"])
    assert metrics["eval_easy_pass@1"] == 1.0
    assert metrics["eval_first_outcome/pass"] == pytest.approx(5 / 12)


def test_a_stream_gives_the_same_numbers(make_trainer, runner, tokenizer):
    dataset = held_out_set().to_iterable_dataset()
    trainer = make_trainer(UnitTestRewardFunction(runner), eval_dataset=dataset, **EVALUATED)
    script(trainer, tokenizer)
    assert close(trainer.evaluate(), {f"eval_{name}": value for name, value in EXPECTED.items()})


def test_an_encoder_decoder_is_evaluated_too(make_trainer, runner):
    model, tokenizer = architectures.make("codet5")
    trainer = make_trainer(
        UnitTestRewardFunction(runner),
        eval_dataset=held_out_set(),
        model_override=model,
        tokenizer_override=tokenizer,
        **EVALUATED,
    )
    script(trainer, tokenizer)
    assert close(trainer.evaluate(), {f"eval_{name}": value for name, value in EXPECTED.items()})


def one_of_four_passes(completion_ids, **columns):
    failed, passed, *left_out = map(len, completion_ids)
    return [
        TokenReward(1.0, [1.0] * failed, None, Outcome.FAILURE),
        TokenReward(0.0, [0.0] * passed, None, Outcome.PASS),
        *[None for _ in left_out],
    ]


def test_the_outcome_counts_and_not_the_reward(make_trainer):
    """
    The best reward is that of a failure.

    The first function that gives outcomes decides, and a completion without a reward did not pass.
    """
    settings = {**EVALUATED, "per_device_eval_batch_size": 4}
    trainer = make_trainer([by_length, one_of_four_passes], eval_dataset=held_out_set(), **settings)
    metrics = trainer.evaluate()
    assert metrics["eval_outcome/failure"] == metrics["eval_outcome/pass"] == metrics["eval_pass@1"] == 0.25
    assert metrics["eval_outcome/not_gradable"] == 0.5


def test_rewards_without_outcomes_have_no_pass_at_k(make_trainer):
    trainer = make_trainer(by_length, eval_dataset=held_out_set(), **EVALUATED)
    assert not [name for name in trainer.evaluate() if "pass@" in name]


def test_a_predict_has_them_too(make_trainer, runner, tokenizer):
    trainer = make_trainer(UnitTestRewardFunction(runner), **EVALUATED)
    script(trainer, tokenizer)
    assert trainer.predict(held_out_set()).metrics["test_pass@1"] == pytest.approx(EXPECTED["pass@1"])


# ---------------------------------------------------------------------- the best model


SOLVED = [1, 4, 2, 2, 1]  # right programs of each problem at the evaluations after steps 1 to 5


def solved(step):
    return [[RIGHT] * SOLVED[step - 1] + [WRONG] * (4 - SOLVED[step - 1])] * 3


CHOSEN = {
    "eval_strategy": "steps",
    "eval_steps": 1,
    "save_strategy": "steps",
    "save_steps": 1,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_pass@1",
    "max_steps": 5,
    **EVALUATED,
}


def graded(prompts, completions, completion_ids, **columns):
    """The outcome is right, and the reward is another number, which moves the weights."""
    rewards = zip(prompts, completions, by_length(completions), completion_ids, strict=True)
    return [
        TokenReward(reward, [reward] * len(ids), None, Outcome(2 + (text.strip() == f"print({prompt.split()[-1]})")))
        for prompt, text, reward, ids in rewards
    ]


class Weights(TrainerCallback):
    """Remember the weights after each step."""

    def __init__(self):
        self.after = {}

    def on_step_end(self, args, state, control, model, **kwargs):
        self.after[state.global_step] = [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("buffer", [None, (8, 2)], ids=["on-policy", "online buffer"])
def test_the_best_model_is_that_of_the_highest_pass_at_1(make_trainer, tokenizer, buffer):
    weights = Weights()
    callbacks = [weights] if buffer is None else [weights, OnlineBuffer(*buffer)]
    trainer = make_trainer(graded, callbacks, eval_dataset=held_out_set(), **CHOSEN)
    script(trainer, tokenizer, solved)
    trainer.train()
    assert history(trainer, "eval_pass@1") == [count / 4 for count in SOLVED]
    assert (trainer.state.best_metric, trainer.state.best_global_step) == (1.0, 2)
    assert all(map(torch.equal, trainer.model.parameters(), weights.after[2]))
    assert not all(map(torch.equal, weights.after[2], weights.after[5]))


@pytest.mark.parametrize("buffer", [None, (8, 2)], ids=["on-policy", "online buffer"])
def test_training_stops_early_also_after_it_resumes(make_trainer, tokenizer, tmp_path, buffer):
    """The best step is 2; the two after it are worse."""

    def trained(resume=None, **settings):
        callbacks = [EarlyStoppingCallback(early_stopping_patience=2)]
        callbacks += [] if buffer is None else [OnlineBuffer(*buffer)]
        trainer = make_trainer(graded, callbacks, eval_dataset=held_out_set(), **{**CHOSEN, **settings})
        script(trainer, tokenizer, solved)
        trainer.train(resume_from_checkpoint=resume)
        return trainer

    trainer = trained()
    assert trainer.state.global_step == 4
    assert trainer.state.best_global_step == 2
    resumed = trained(str(tmp_path / "out" / "checkpoint-3"), restore_callback_states_from_checkpoint=True)
    assert resumed.state.global_step == 4
    assert (resumed.state.best_metric, resumed.state.best_global_step) == (1.0, 2)
    assert all(map(torch.equal, resumed.model.parameters(), trainer.model.parameters()))


def test_only_better_models_are_saved_with_the_strategy_best(make_trainer, tokenizer, tmp_path):
    trainer = make_trainer(graded, eval_dataset=held_out_set(), **{**CHOSEN, "save_strategy": "best"})
    script(trainer, tokenizer, solved)
    trainer.train()
    assert sorted(path.name for path in (tmp_path / "out").glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-2"]


# ---------------------------------------------------------------------- TRL's own trainers


def test_the_callback_gives_the_same_in_the_trainer_of_trl(make_trainer, runner, tokenizer, tmp_path):
    """Also to TensorBoard, whose callback comes before those of the user."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {**CHOSEN, "report_to": "tensorboard"}
    callbacks = [EarlyStoppingCallback(early_stopping_patience=2)]
    trainer = make_trainer(
        UnitTestRewardFunction(runner),
        callbacks,
        trainer_class=GRPOTrainer,
        config_class=GRPOConfig,
        eval_dataset=held_out_set(),
        **settings,
    )
    trainer.add_callback(PassAtKCallback(trainer))
    script(trainer, tokenizer, lambda step: PLAN if step == 1 else solved(step))
    trainer.train()
    expected = [EXPECTED["pass@1"], 1.0, 0.5, 0.5]
    assert history(trainer, "eval_pass@1") == pytest.approx(expected)
    first = next(row for row in trainer.state.log_history if "eval_pass@1" in row)
    assert close(first, {f"eval_{name}": value for name, value in EXPECTED.items()})
    assert (trainer.state.best_metric, trainer.state.best_global_step) == (1.0, 2)
    (folder,) = {path.parent for path in tmp_path.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(folder)).Reload()
    assert [event.value for event in events.Scalars("eval/pass@1")] == pytest.approx(expected)


def test_the_callback_works_in_the_rloo_trainer_of_trl(make_trainer):
    trainer = make_trainer(
        one_of_four_passes,
        trainer_class=RLOOTrainer,
        config_class=RLOOConfig,
        eval_dataset=held_out_set(),
        beta=0.0,
        **{**EVALUATED, "per_device_eval_batch_size": 4},
    )
    trainer.add_callback(PassAtKCallback(trainer))
    metrics = trainer.evaluate()
    assert (metrics["eval_pass@1"], metrics["eval_pass@2"], metrics["eval_pass@4"]) == (0.25, 0.5, 1.0)


def test_the_callback_reads_the_outcomes_of_an_asynchronous_function(make_trainer, runner, tokenizer):
    reward = UnitTestRewardFunction(runner)

    async def graded(completions, tests, **columns):
        return reward(completions=completions, tests=tests)

    trainer = make_trainer(
        graded, trainer_class=GRPOTrainer, config_class=GRPOConfig, eval_dataset=held_out_set(), **EVALUATED
    )
    trainer.add_callback(PassAtKCallback(trainer, ks=[2]))
    script(trainer, tokenizer)
    trainer.predict(held_out_set().select([0]))
    for _ in range(2):
        metrics = trainer.evaluate()
        assert metrics["eval_pass@2"] == pytest.approx(EXPECTED["pass@2"])
        assert "eval_pass@1" not in metrics


def test_the_callback_is_refused_where_the_trainer_needs_none(make_trainer):
    with pytest.raises(ValueError, match="logs pass@k by itself"):
        PassAtKCallback(make_trainer(by_length))


def test_the_callback_refuses_a_k_above_the_size_of_a_group(make_trainer):
    trainer = make_trainer(by_length, trainer_class=GRPOTrainer, config_class=GRPOConfig)
    with pytest.raises(ValueError, match="from 1 to 4"):
        PassAtKCallback(trainer, ks=[8])


@pytest.mark.parametrize("trainer_class", [GRPOTrainer, RLTFTrainer], ids=["GRPO", "RLTF"])
def test_an_evaluation_that_was_interrupted_leaves_nothing_behind(make_trainer, trainer_class):
    """The second batch of the first evaluation raises; the problem of its first batch would count twice."""
    calls = []

    def rewards(completion_ids, **columns):
        calls.append(completion_ids)
        if len(calls) == 2:
            raise RuntimeError("interrupted")
        return one_of_four_passes(completion_ids) if len(calls) > 2 else [None] * 4

    config_class = GRPOConfig if trainer_class is GRPOTrainer else RLTFConfig
    settings = {**EVALUATED, "per_device_eval_batch_size": 4}
    trainer = make_trainer(
        rewards, trainer_class=trainer_class, config_class=config_class, eval_dataset=held_out_set(), **settings
    )
    if trainer_class is GRPOTrainer:
        trainer.add_callback(PassAtKCallback(trainer))
    with pytest.raises(RuntimeError, match="interrupted"):
        trainer.evaluate()
    assert trainer.evaluate()["eval_pass@1"] == 0.25


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("group_size", "ks"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])]
)
def test_the_k_are_powers_of_two_and_the_size_of_a_group(group_size, ks):
    assert choose_eval_ks(None, group_size) == ks


def test_the_k_can_be_chosen(make_trainer, runner, tokenizer):
    trainer = make_trainer(
        UnitTestRewardFunction(runner), eval_dataset=held_out_set(None), eval_pass_at_k=[3, 1, 3], **EVALUATED
    )
    script(trainer, tokenizer)
    metrics = trainer.evaluate()
    # 1 - C(n - c, 3) / C(n, 3) of n = 4 and c = 1 is 1 - 1 / 4.
    assert {name: value for name, value in metrics.items() if "pass@" in name} == pytest.approx(
        {"eval_pass@1": EXPECTED["pass@1"], "eval_pass@3": (1 + 3 / 4 + 0) / 3}
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eval_pass_at_k": [8]}, "`eval_pass_at_k` has 8, but each k must be a whole number from 1 to 4"),
        ({"eval_pass_at_k": [0]}, "`eval_pass_at_k` has 0"),
        ({"eval_pass_at_k": [1.5]}, "`eval_pass_at_k` has 1.5"),
        ({"eval_pass_at_k": [True]}, "`eval_pass_at_k` has True"),
        ({"eval_pass_at_k": []}, "`eval_pass_at_k` is empty"),
        ({"metric_for_best_model": "eval_pass@8"}, "evaluations log eval_pass@1, eval_pass@2, eval_pass@4"),
        ({"metric_for_best_model": "pass@10"}, "`metric_for_best_model` is 'pass@10'"),
        ({"metric_for_best_model": "eval_pass@3/easy"}, "evaluations log eval_pass@1"),
        ({"metric_for_best_model": "eval_pass@1", "eval_pass_at_k": [4]}, "evaluations log eval_pass@4"),
    ],
)
def test_a_k_that_is_not_logged_is_refused_before_training(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        RLTFConfig(str(tmp_path), num_generations_eval=4, **settings)


@pytest.mark.parametrize(
    "name", ["pass@4", "eval_pass@1", "eval_apps_pass@2", "eval_pass@1/easy", "eval_reward", None]
)
def test_a_metric_that_is_logged_can_choose_the_best_model(tmp_path, name):
    RLTFConfig(str(tmp_path), num_generations_eval=4, metric_for_best_model=name)


def test_estimates_are_means_over_all_draws_of_k_completions():
    """Against a slow reference that draws all subsets."""
    import itertools

    groups = [HeldOutGroup([Outcome.PASS] * passed + [Outcome.FAILURE] * (6 - passed)) for passed in (0, 1, 2, 5, 6)]
    found = held_out_metrics(groups, range(1, 7))
    for k in range(1, 7):
        draws = [[Outcome.PASS in draw for draw in itertools.combinations(group.outcomes, k)] for group in groups]
        assert math.isclose(found[f"pass@{k}"], sum(sum(draw) / len(draw) for draw in draws) / len(draws))


def test_more_than_32_difficulties_are_not_levels():
    groups = [HeldOutGroup([Outcome.PASS], str(number)) for number in range(33)]
    assert "pass@1/0" not in held_out_metrics(groups, [1])
    assert held_out_metrics(groups[:32], [1])["pass@1/0"] == 1.0
