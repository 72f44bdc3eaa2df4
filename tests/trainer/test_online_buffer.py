"""The online buffer, seen from inside a real training run."""

import copy
import time

import pytest
import torch
from datasets import IterableDataset
from support import by_length, made_up_rollout, snapshot
from transformers import TrainerCallback

from trl_rltf import OnlineBuffer, TokenReward
from trl_rltf.trainer.samples import num_bytes


class Watch(TrainerCallback):
    """Record the buffer at the end of each optimizer step, and which weights generated."""

    def __init__(self, buffer):
        self.buffer = buffer
        self.births, self.sizes = [], []

    def on_step_end(self, args, state, control, **kwargs):
        self.births.append([born for born, _ in self.buffer._samples])
        self.sizes.append(len(self.buffer))


def run(make_trainer, buffer, reward=by_length, **settings):
    watch = Watch(buffer)
    trainer = make_trainer(reward, callbacks=[buffer, watch], **{"max_steps": 7, **settings})
    drawn = []
    original = buffer.draw

    def draw(count):
        samples = original(count)
        drawn.append([id(sample) for _, sample in samples])
        return samples

    buffer.draw = draw
    trainer.train()
    return trainer, watch, drawn


def test_it_is_refreshed_every_update_steps_and_drops_the_oldest(make_trainer):
    # A step draws 4 samples, so a refresh for 2 steps makes 8; the third one pushes the first out.
    _, watch, _ = run(make_trainer, OnlineBuffer(capacity=16, update_steps=2))
    assert watch.sizes == [8, 8, 16, 16, 16, 16, 16]
    assert watch.births[0] == [0] * 8
    assert watch.births[3] == [0] * 8 + [2] * 8
    assert watch.births[4] == [2] * 8 + [4] * 8
    assert watch.births[6] == [4] * 8 + [6] * 8


def test_samples_are_drawn_without_replacement_and_shuffled_again_when_used_up(make_trainer):
    _, _, drawn = run(make_trainer, OnlineBuffer(capacity=8, update_steps=100, samples_per_refresh=8))
    for first in (0, 2, 4):
        assert len(set(drawn[first] + drawn[first + 1])) == 8
    assert drawn[0] + drawn[1] != drawn[2] + drawn[3]


def test_an_offline_buffer_is_filled_once_to_its_capacity(make_trainer):
    _, watch, _ = run(make_trainer, OnlineBuffer(capacity=12, update_steps=2, offline=True))
    assert watch.sizes == [12] * 7
    assert watch.births[-1] == [0] * 12


def test_fresh_samples_come_from_the_current_weights(make_trainer):
    """Each refresh generates with other weights than the one before, and those of its own step."""
    buffer = OnlineBuffer(capacity=16, update_steps=2)
    trainer = make_trainer(by_length, callbacks=[buffer], max_steps=5)
    seen = {}
    generate = trainer._generate_single_turn

    def generate_and_look(*args, **kwargs):
        seen.setdefault(trainer.state.global_step, snapshot(trainer.model)["model.embed_tokens.weight"])
        return generate(*args, **kwargs)

    trainer._generate_single_turn = generate_and_look
    trainer.train()
    assert sorted(seen) == [0, 2, 4]
    assert not torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[2], seen[4])


def test_many_groups_are_buffered_not_one(make_trainer):
    """TRL's own replay buffer once kept a single group: the samples of a refresh must be of different prompts."""
    buffer = OnlineBuffer(capacity=64, update_steps=4)
    make_trainer(by_length, callbacks=[buffer], max_steps=1).train()
    prompts = {tuple(sample["prompt_ids"].tolist()) for _, sample in buffer._samples}
    assert len(buffer) == 16
    assert len(prompts) == 4


def test_a_refresh_does_not_depend_on_gradient_accumulation(make_trainer, model):
    import copy

    births = []
    for size, steps in ((8, 1), (4, 2)):
        buffer = OnlineBuffer(capacity=32, update_steps=2)
        _, watch, _ = run(
            make_trainer,
            buffer,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=steps,
            max_steps=3,
            model_override=copy.deepcopy(model),
        )
        births.append(watch.births)
    assert births[0] == births[1] == [[0] * 16, [0] * 16, [0] * 16 + [2] * 16]


def test_a_fresh_buffer_trains_as_on_policy_does(make_trainer, model):
    """One step, one batch: the buffer holds exactly the batch that TRL would use, so the loss is the same."""
    import copy

    losses = []
    for callbacks in (None, [OnlineBuffer(capacity=4, update_steps=1)]):
        trainer = make_trainer(by_length, callbacks=callbacks, max_steps=1, model_override=copy.deepcopy(model))
        trainer.train()
        losses.append(trainer.state.log_history[0]["loss"])
        losses.append(trainer.state.log_history[0]["grad_norm"])
    assert losses[0] == pytest.approx(losses[2], abs=1e-6)
    assert losses[1] == pytest.approx(losses[3], rel=1e-4)


def test_samples_are_kept_without_padding(make_trainer, tokenizer):
    buffer = OnlineBuffer(capacity=16, update_steps=4)
    make_trainer(by_length, callbacks=[buffer], max_steps=1, max_completion_length=96).train()
    lengths = set()
    for _, sample in buffer._samples:
        lengths.add(len(sample["completion_ids"]))
        assert len(sample["completion_ids"]) == len(sample["advantages"]) == len(sample["old_per_token_logps"])
        assert (sample["prompt_ids"] != tokenizer.pad_token_id).all()
    assert len(lengths) > 1


def test_staleness_is_logged(make_trainer):
    trainer, _, _ = run(make_trainer, OnlineBuffer(capacity=16, update_steps=2))
    rows = [row for row in trainer.state.log_history if "buffer/size" in row]
    assert [row["buffer/size"] for row in rows] == [8, 8, 16, 16, 16, 16, 16]
    assert [row["buffer/age"] for row in rows] == [0, 1, 1, 2, 1, 2, 1]
    assert rows[0]["buffer/ratio"] == pytest.approx(1.0, abs=1e-4)
    assert abs(rows[1]["buffer/ratio"] - 1.0) > 1e-6
    assert rows[-1]["buffer/refreshes"] == 4


def test_importance_sampling_clips_stale_samples_and_its_absence_does_not(make_trainer, model):
    import copy

    clipped = {}
    for corrected in (False, True):
        buffer = OnlineBuffer(capacity=8, update_steps=50, samples_per_refresh=8, importance_sampling=corrected)
        trainer = make_trainer(
            by_length, callbacks=[buffer], max_steps=6, learning_rate=1e-2, model_override=copy.deepcopy(model)
        )
        trainer.train()
        clipped[corrected] = sum(row.get("clip_ratio/region_mean", 0) for row in trainer.state.log_history)
    assert clipped[False] == 0
    assert clipped[True] > 0


@pytest.mark.parametrize("settings", [{"ce_loss_weight": 0.5}, {"beta": 0.1}, {"mask_truncated_completions": True}])
def test_it_goes_together_with_other_features(make_trainer, model, tmp_path, settings):
    if "beta" in settings:  # TRL loads the reference model by its name
        model.save_pretrained(tmp_path / "start")
        model = type(model).from_pretrained(tmp_path / "start")

    def reward(completion_ids, **columns):
        return [
            TokenReward(0.1 * i, [0.1 * i - 0.1 * t for t in range(len(ids))]) for i, ids in enumerate(completion_ids)
        ]

    trainer, watch, _ = run(
        make_trainer, OnlineBuffer(capacity=16, update_steps=2), reward, model_override=model, **settings
    )
    assert watch.sizes[-1] == 16
    assert all(torch.isfinite(value).all() for value in snapshot(trainer.model).values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capacity": 0}, "`capacity` of the online buffer is 0"),
        ({"update_steps": 0}, "`update_steps` of the online buffer is 0"),
        ({"capacity": 4, "samples_per_refresh": 8}, "holds only `capacity=4`"),
    ],
)
def test_sizes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        OnlineBuffer(**arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_iterations": 2}, "`num_iterations` is 2"),
        ({"per_device_train_batch_size": 16}, "an optimizer step draws 16 samples"),
    ],
)
def test_what_does_not_go_with_a_buffer_is_refused_at_construction(make_trainer, settings, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(by_length, callbacks=[OnlineBuffer(capacity=8)], **settings)


def test_two_buffers_are_refused(make_trainer):
    with pytest.raises(ValueError, match="has 2 online buffers"):
        make_trainer(by_length, callbacks=[OnlineBuffer(), OnlineBuffer()])


def test_a_training_set_smaller_than_a_generation_batch_is_refused(make_trainer, problems):
    with pytest.raises(ValueError, match="2 rows, but a generation batch needs 4 prompts"):
        make_trainer(
            by_length,
            callbacks=[OnlineBuffer(capacity=64)],
            dataset=problems.select(range(2)),
            per_device_train_batch_size=16,
        )


def test_drawing_from_an_empty_buffer_is_an_error():
    with pytest.raises(ValueError, match="nothing has been generated"):
        OnlineBuffer().draw(1)


def test_a_buffer_that_comes_late_is_refused(make_trainer):
    with pytest.raises(ValueError, match="when you construct the trainer"):
        make_trainer(by_length).add_callback(OnlineBuffer())


def test_the_class_instead_of_a_buffer_is_refused(make_trainer):
    with pytest.raises(ValueError, match="pass an instance"):
        make_trainer(by_length, callbacks=[OnlineBuffer])


def constant_in_some_groups(prompts, completions, **columns):
    """No variance in the groups of every second prompt."""
    return [len(set(text)) / 10 if len(prompt) % 2 else 1.0 for prompt, text in zip(prompts, completions, strict=True)]


def test_groups_without_variance_can_be_left_out(make_trainer):
    settings = {"per_device_train_batch_size": 16, "max_steps": 3}
    counts = {}
    for skip in (False, True):
        buffer = OnlineBuffer(capacity=64, update_steps=2, skip_zero_variance=skip)
        trainer, _, _ = run(make_trainer, buffer, constant_in_some_groups, **settings)
        groups = [buffer.samples[i : i + 4] for i in range(0, len(buffer), 4)]
        counts[skip] = [any(sample["advantages"].any() for _, sample in group) for group in groups]
        skipped = [row["buffer/skipped"] for row in trainer.state.log_history if "buffer/skipped" in row]
        assert any(share > 0 for share in skipped) == skip
    assert not all(counts[False])
    assert all(counts[True])


def test_if_no_group_has_variance_training_goes_on_with_what_there_is(make_trainer):
    buffer = OnlineBuffer(capacity=16, update_steps=2, skip_zero_variance=True)
    _, watch, _ = run(make_trainer, buffer, lambda completions, **columns: [1.0] * len(completions))
    assert watch.sizes == [8] * 7


def test_memory_is_proportional_to_the_tokens_held_and_not_to_their_padding(make_trainer, tokenizer):
    buffer = OnlineBuffer(capacity=64, update_steps=8)
    run(make_trainer, buffer, per_device_train_batch_size=8, max_steps=2, max_completion_length=40)
    samples = [sample for _, sample in buffer.samples]
    num_tokens = sum(len(sample["completion_ids"]) + len(sample["prompt_ids"]) for sample in samples)
    assert len(samples) == 64
    # Ids 4 bytes, mask 1, advantage 4, log-prob 4; 4 for a token of the prompt.
    assert num_bytes(samples) <= 13 * num_tokens


def test_a_refresh_never_generates_more_at_once_than_a_generation_batch(make_trainer):
    buffer = OnlineBuffer(capacity=160, update_steps=40)
    trainer = make_trainer(by_length, callbacks=[buffer], max_steps=1)
    sizes = []
    generate = trainer._generate_single_turn

    def generate_and_count(prompt_ids, *args, **kwargs):
        sizes.append(len(prompt_ids))
        return generate(prompt_ids, *args, **kwargs)

    trainer._generate_single_turn = generate_and_count
    trainer.train()
    assert sizes == [4] * 40
    assert len(buffer) == 160


async def _async_by_length(completions, **columns):
    return by_length(completions)


@pytest.mark.parametrize("baseline", ["group_mean", "greedy"])
def test_rewards_are_computed_while_the_next_completions_are_generated(make_trainer, baseline):
    events = []

    def reward(completions, **columns):
        events.append("reward begins")
        time.sleep(0.3)
        events.append("reward ends")
        return by_length(completions)

    buffer = OnlineBuffer(capacity=16, update_steps=4)
    trainer = make_trainer([reward, _async_by_length], callbacks=[buffer], max_steps=1, baseline=baseline)
    generate = trainer.generate

    def generate_and_tell(prompts):
        time.sleep(0.1)  # the thread may take a moment to begin
        events.append("generates")
        return generate(prompts)

    trainer.generate = generate_and_tell
    trainer.train()
    text = " ".join(events)
    # Of four batches, three are generated while the one before is graded; the fourth has nothing to wait with.
    assert text.count("reward begins generates") == 3
    assert text.count("generates") == 4


@pytest.mark.parametrize("settings", [{}, {"baseline": "greedy"}, {"ce_loss_weight": 0.2}])
def test_overlap_changes_when_things_happen_and_nothing_else(make_trainer, model, settings):
    weights = []
    for overlap in (True, False):
        trainer = make_trainer(
            [by_length, _async_by_length],
            callbacks=[OnlineBuffer(capacity=32, update_steps=4)],
            model_override=copy.deepcopy(model),
            max_steps=6,
            overlap_rewards=overlap,
            **settings,
        )
        trainer.train()
        weights.append(snapshot(trainer.model))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_an_error_of_a_reward_function_in_the_background_ends_the_run_with_its_own_message(make_trainer):
    def broken(completions, **columns):
        raise LookupError("no such grader")

    with pytest.raises(LookupError, match="no such grader"):
        make_trainer(broken, callbacks=[OnlineBuffer(capacity=16, update_steps=4)]).train()


def test_an_error_in_the_middle_of_a_refresh_leaves_nothing_for_what_comes_next(make_trainer, problems):
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
    generated = []
    generate = trainer.generate
    trainer.generate = lambda prompts: generated.append(prompts[0]) or generate(prompts)
    trainer.evaluate()
    assert len(generated) == 2
    assert generated == prompts_of_rewards[-2:]
    trainer.train()
    assert trainer.state.global_step == 2


def test_what_was_generated_ahead_is_used_for_its_own_prompts_only(make_trainer):
    trainer = make_trainer(by_length, callbacks=[OnlineBuffer(capacity=16, update_steps=4)], max_steps=1)
    generate, asked = trainer.generate, []
    trainer.generate = lambda prompts: asked.append(prompts) or generate(prompts)
    score = trainer.score
    # As an environment does, which makes the prompt when its batch is scored.
    trainer.score = lambda rows: score([{**row, "prompt": row["prompt"] + " now"} for row in rows])
    trainer.train()
    assert sum(prompts[0].endswith(" now") for prompts in asked) == 4


def test_groups_without_variance_are_left_out_of_the_first_refresh_too(make_trainer):
    calls = []

    def first_batches_constant(completions, **columns):
        calls.append(1)
        return by_length(completions) if len(calls) > 2 else [1.0] * len(completions)

    buffer = OnlineBuffer(capacity=16, update_steps=4, skip_zero_variance=True)
    trainer = make_trainer(first_batches_constant, callbacks=[buffer], max_steps=1)
    trainer.train()
    assert len(buffer) == 8
    assert trainer.state.log_history[0]["buffer/skipped"] == 0.5


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
@pytest.mark.parametrize("loss_type", ["dapo", "cispo", "grpo"])
def test_tokens_of_an_environment_do_not_count(make_trainer, model, loss_type):
    """A buffer of one fresh batch gives the gradient of on-policy training, also where some tokens are not the policy's."""

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


def test_a_stream_that_can_be_read_once_ends_with_a_message(make_trainer, problems):
    once = iter(problems.to_list())
    dataset = IterableDataset.from_generator(lambda: once)
    trainer = make_trainer(by_length, callbacks=[OnlineBuffer(200, 50)], dataset=dataset, max_steps=60)
    with pytest.raises(ValueError, match="has ended and gives no more prompts"):
        trainer.train()
