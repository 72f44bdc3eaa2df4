"""The online buffer, by itself and in a training run."""

import copy
import threading
from types import SimpleNamespace

import pytest
import torch
from support import Spy, by_length, history, made_up_rollout, snapshot
from transformers import TrainerState
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import OnlineBuffer, TokenReward


# ---------------------------------------------------------------------- by itself


@pytest.fixture
def make_buffer():
    """Build a buffer at the start of training, on one of some processes."""

    def make(num_processes=1, **arguments):
        buffer = OnlineBuffer(**arguments)
        args = SimpleNamespace(seed=42, process_index=0, world_size=num_processes)
        buffer.on_train_begin(args, TrainerState(), None)
        return buffer

    return make


def samples(first, count):
    return [{"completion_ids": torch.tensor([first + index])} for index in range(count)]


def ids(buffer):
    return [sample["completion_ids"].item() for _, sample in buffer.samples]


def test_the_oldest_samples_are_evicted(make_buffer):
    buffer = make_buffer(capacity=5)
    buffer.add(samples(0, 3), step=0)
    assert ids(buffer) == [0, 1, 2]
    buffer.add(samples(3, 3), step=7)
    assert ids(buffer) == [1, 2, 3, 4, 5]
    assert [step for step, _ in buffer.samples] == [0, 0, 7, 7, 7]
    buffer.add(samples(6, 9), step=9)
    assert ids(buffer) == [10, 11, 12, 13, 14]


def test_each_process_keeps_its_part_of_the_capacity(make_buffer):
    buffer = make_buffer(num_processes=2, capacity=5)
    buffer.add(samples(0, 5), step=0)
    assert ids(buffer) == [3, 4]


def test_samples_are_drawn_without_replacement_and_shuffled_again_when_all_are_drawn(make_buffer):
    buffer = make_buffer(capacity=8)
    buffer.add(samples(0, 8), step=0)
    rounds = [[sample["completion_ids"].item() for _, sample in buffer.draw(8)] for _ in range(3)]
    assert all(sorted(drawn) == list(range(8)) for drawn in rounds)
    assert rounds[0] != rounds[1]
    parts = [sample["completion_ids"].item() for size in (3, 5) for _, sample in buffer.draw(size)]
    assert sorted(parts) == list(range(8))


def test_fresh_samples_are_drawn_at_once(make_buffer):
    buffer = make_buffer(capacity=4)
    buffer.add(samples(0, 4), step=0)
    buffer.draw(3)
    buffer.add(samples(4, 4), step=1)
    assert {sample["completion_ids"].item() for _, sample in buffer.draw(4)} == {4, 5, 6, 7}


@pytest.mark.parametrize(
    ("arguments", "num_processes", "expected"),
    [
        ({"capacity": 100, "update_steps": 5}, 1, 20),  # 4 per step
        ({"capacity": 10, "update_steps": 5}, 1, 10),
        ({"capacity": 10, "update_steps": 5}, 2, 5),
        ({"capacity": 100, "samples_per_refresh": 30}, 1, 30),
        ({"capacity": 100, "samples_per_refresh": 30}, 4, 7),
        ({"capacity": 100, "update_steps": 5, "offline": True}, 2, 50),
    ],
)
def test_a_refresh_has_the_samples_until_the_next_one_unless_told_otherwise(
    make_buffer, arguments, num_processes, expected
):
    assert make_buffer(num_processes, **arguments).refresh_size(samples_per_step=4) == expected


@pytest.mark.parametrize(("offline", "expected"), [(False, [0, 3, 6]), (True, [0])])
def test_a_refresh_is_due_at_the_start_and_every_update_steps(make_buffer, offline, expected):
    buffer, due = make_buffer(capacity=4, update_steps=3, offline=offline), []
    for step in range(8):
        buffer.on_step_begin(None, TrainerState(global_step=step), None)
        if buffer.refresh_is_due:
            due.append(step)
            buffer.add(samples(0, 4), step)
    assert due == expected


def test_the_age_is_counted_in_optimizer_steps(make_buffer):
    buffer = make_buffer(capacity=4)
    assert buffer.mean_age(5) == 0
    buffer.add(samples(0, 3), step=1)
    buffer.add(samples(3, 1), step=5)
    assert buffer.mean_age(5) == 3


def test_a_restored_buffer_draws_the_same_samples(make_buffer):
    buffer = make_buffer(capacity=6, update_steps=4)
    buffer.add(samples(0, 6), step=0)
    buffer.draw(4)
    state, kept = copy.deepcopy(buffer.state()), buffer.samples
    expected = [sample["completion_ids"].item() for _, sample in buffer.draw(20)]
    other = make_buffer(capacity=6, update_steps=4)
    other.restore(state, kept, step=2)
    assert [sample["completion_ids"].item() for _, sample in other.draw(20)] == expected
    assert not other.refresh_is_due
    other.restore(state, kept, step=8)
    assert other.refresh_is_due


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capacity": 0}, "`capacity` of the online buffer is 0"),
        ({"capacity": 4.5}, "`capacity` of the online buffer is 4.5, but must be a whole number"),
        ({"update_steps": 0}, "`update_steps` of the online buffer is 0"),
        ({"samples_per_refresh": 0}, "`samples_per_refresh` of the online buffer is 0"),
        ({"capacity": 4, "samples_per_refresh": 8}, "holds only `capacity=4`"),
    ],
)
def test_sizes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        OnlineBuffer(**arguments)


def test_a_trainer_that_does_not_draw_from_the_buffer_is_refused(model, tokenizer, problems, tmp_path):
    trainer = GRPOTrainer(
        model,
        by_length,
        GRPOConfig(
            tmp_path,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=4,
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        problems,
        processing_class=tokenizer,
        callbacks=[OnlineBuffer()],
    )
    with pytest.raises(ValueError, match="only `RLTFTrainer` does"):
        trainer.train()


def test_drawing_from_an_empty_buffer_is_an_error():
    with pytest.raises(ValueError, match="nothing has been generated"):
        OnlineBuffer().draw(1)


# ---------------------------------------------------------------------- in a training run


async def async_by_length(completions, **columns):
    return by_length(completions)


def test_each_refresh_generates_with_the_weights_of_its_step(make_trainer):
    """A step draws 4 samples, so a refresh for 2 steps makes 8 of two prompts; the third one evicts the first."""
    buffer = OnlineBuffer(capacity=16, update_steps=2)
    trainer = make_trainer(by_length, callbacks=[buffer], max_steps=5)
    seen, generate = {}, trainer._generate_single_turn

    def generate_and_look(*args, **kwargs):
        seen.setdefault(trainer.state.global_step, snapshot(trainer.model)["model.embed_tokens.weight"])
        return generate(*args, **kwargs)

    trainer._generate_single_turn = generate_and_look
    trainer.train()
    assert sorted(seen) == [0, 2, 4]
    assert not torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[2], seen[4])
    assert [step for step, _ in buffer.samples] == [2] * 8 + [4] * 8
    assert len({tuple(sample["prompt_ids"].tolist()) for _, sample in buffer.samples}) == 4
    assert history(trainer, "buffer/size") == [8, 8, 16, 16, 16]
    assert history(trainer, "buffer/age") == [0, 1, 1, 2, 1]
    assert history(trainer, "buffer/refreshes")[-1] == 3
    ratios = history(trainer, "buffer/ratio")
    assert ratios[0] == pytest.approx(1.0, abs=1e-4)
    assert abs(ratios[1] - 1.0) > 1e-6


def test_a_fresh_buffer_trains_as_on_policy_does(make_trainer, model):
    """One step, one batch: the buffer holds exactly the batch that TRL would use, so the loss is the same."""
    losses = []
    for callbacks in (None, [OnlineBuffer(capacity=4, update_steps=1)]):
        trainer = make_trainer(by_length, callbacks=callbacks, max_steps=1, model_override=copy.deepcopy(model))
        trainer.train()
        losses.append(trainer.state.log_history[0]["loss"])
        losses.append(trainer.state.log_history[0]["grad_norm"])
    assert losses[0] == pytest.approx(losses[2], abs=1e-6)
    assert losses[1] == pytest.approx(losses[3], rel=1e-4)


def test_importance_sampling_clips_stale_samples_and_its_absence_does_not(make_trainer, model):
    clipped = {}
    for corrected in (False, True):
        buffer = OnlineBuffer(capacity=8, update_steps=50, samples_per_refresh=8, importance_sampling=corrected)
        trainer = make_trainer(
            by_length, callbacks=[buffer], max_steps=5, learning_rate=1e-2, model_override=copy.deepcopy(model)
        )
        trainer.train()
        clipped[corrected] = sum(history(trainer, "clip_ratio/region_mean"))
    assert clipped[False] == 0
    assert clipped[True] > 0


@pytest.mark.parametrize("settings", [{"ce_loss_weight": 0.5}, {"beta": 0.1}, {"mask_truncated_completions": True}])
def test_it_works_together_with_other_features(make_trainer, model, tmp_path, settings):
    if "beta" in settings:  # TRL loads the reference model by its name
        model.save_pretrained(tmp_path / "start")
        model = type(model).from_pretrained(tmp_path / "start")

    def reward(completion_ids, **columns):
        return [
            TokenReward(0.1 * i, [0.1 * i - 0.1 * t for t in range(len(ids))]) for i, ids in enumerate(completion_ids)
        ]

    buffer = OnlineBuffer(capacity=16, update_steps=1)
    trainer = make_trainer(reward, callbacks=[buffer], model_override=model, max_steps=2, **settings)
    spy = Spy(trainer)
    trainer.train()
    extra = {"ce_loss_weight": "reference_ids", "beta": "ref_per_token_logps"}.get(*settings, "advantages")
    assert all(extra in batch for batch in spy.batches)
    assert all(torch.isfinite(value).all() for value in snapshot(trainer.model).values())


def test_a_buffer_that_comes_late_is_refused(make_trainer):
    with pytest.raises(ValueError, match="when you construct the trainer"):
        make_trainer(by_length).add_callback(OnlineBuffer())


@pytest.mark.parametrize("baseline", ["group_mean", "greedy"])
def test_rewards_are_computed_while_the_next_completions_are_generated(make_trainer, baseline):
    """Of four batches, three are generated while the one before is graded: each side waits for the other."""
    is_rewarding, is_generating = threading.Event(), threading.Event()
    num_generated, passes = [], []

    def reward(completions, **columns):
        passes.append("greedy" if baseline == "greedy" and passes[-1:] == ["sampled"] else "sampled")
        if passes[-1] == "sampled":
            is_rewarding.set()
            if passes.count("sampled") < 4:
                assert is_generating.wait(20)
                is_generating.clear()
        return by_length(completions)

    trainer = make_trainer(
        [reward, async_by_length],
        callbacks=[OnlineBuffer(capacity=16, update_steps=4)],
        max_steps=1,
        baseline=baseline,
    )
    generate = trainer._rollouts

    def generate_and_tell(prompts):
        if num_generated:
            assert is_rewarding.wait(20)
            is_rewarding.clear()
            is_generating.set()
        num_generated.append(len(prompts))
        return generate(prompts)

    trainer._rollouts = generate_and_tell
    trainer.train()
    assert num_generated == [4] * 4


@pytest.mark.parametrize("settings", [{}, {"baseline": "greedy"}, {"ce_loss_weight": 0.2}])
def test_overlap_changes_when_things_happen_and_nothing_else(make_trainer, model, settings):
    weights = []
    for overlap in (True, False):
        trainer = make_trainer(
            [by_length, async_by_length],
            callbacks=[OnlineBuffer(capacity=16, update_steps=2)],
            model_override=copy.deepcopy(model),
            max_steps=3,
            overlap_rewards=overlap,
            **settings,
        )
        trainer.train()
        weights.append(snapshot(trainer.model))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_an_error_in_the_middle_of_a_refresh_leaves_nothing_for_the_next_batch(make_trainer, problems):
    prompts_of_rewards = []

    def fails_once(prompts, completions, **columns):
        prompts_of_rewards.append(prompts[0])
        if len(prompts_of_rewards) == 2:
            raise LookupError("the grader is away")
        return by_length(completions)

    trainer = make_trainer(
        fails_once,
        callbacks=[OnlineBuffer(capacity=16, update_steps=4)],
        eval_dataset=problems.select(range(2)),
        per_device_eval_batch_size=4,
    )
    with pytest.raises(LookupError, match="the grader is away"):
        trainer.train()
    generated, generate = [], trainer._rollouts
    trainer._rollouts = lambda prompts: generated.append(prompts[0]) or generate(prompts)
    trainer.evaluate()
    assert len(generated) == 2
    assert generated == prompts_of_rewards[-2:]
    trainer.train()
    assert trainer.state.global_step == 2


def test_prefetched_completions_are_used_for_their_own_prompts_only(make_trainer):
    trainer = make_trainer(by_length, callbacks=[OnlineBuffer(capacity=16, update_steps=4)], max_steps=1)
    generate, asked = trainer._rollouts, []
    trainer._rollouts = lambda prompts: asked.append(list(prompts)) or generate(prompts)
    score = trainer.score
    # As an environment does, which makes the prompt when its batch is scored.
    trainer.score = lambda rows: score([{**row, "prompt": row["prompt"] + " now"} for row in rows])
    trainer.train()
    assert sum(prompts[0].endswith(" now") for prompts in asked) == 4


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
@pytest.mark.parametrize("loss_type", ["dapo", "cispo", "grpo"])
def test_tokens_of_an_environment_do_not_count(make_trainer, model, loss_type):
    """A buffer of one fresh batch gives the gradient of on-policy training, also where the policy wrote some tokens only."""
    norms = []
    for buffer in (None, OnlineBuffer(capacity=4, update_steps=1)):
        trainer = make_trainer(
            lambda completions, **columns: [float(i) for i in range(len(completions))],
            callbacks=None if buffer is None else [buffer],
            model_override=copy.deepcopy(model),
            max_steps=1,
            loss_type=loss_type,
            rollout_func=made_up_rollout,
        )
        trainer.train()
        norms.append(trainer.state.log_history[0]["grad_norm"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_a_run_may_be_repeated_with_the_same_trainer(make_trainer):
    trainer = make_trainer(by_length, [OnlineBuffer(capacity=8, update_steps=2)])
    trainer.train()
    trainer.train()
    assert trainer.online_buffer.num_refreshes == 1
