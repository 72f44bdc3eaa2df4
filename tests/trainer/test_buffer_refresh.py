"""Refreshes of an online buffer and the batches drawn from it, with made-up completions."""

from types import SimpleNamespace

import pytest
import torch

from trl_rltf import OnlineBuffer, RLTFConfig
from trl_rltf.trainer.buffer_refresh import BufferRefresh


PAD = 0


class MadeUp:
    """A trainer that makes up one completion per row, with the token and the advantage of its prompt."""

    current_gradient_accumulation_steps = 1

    def __init__(self, prompts=range(1, 1000), repeats=1):
        self.state = SimpleNamespace(global_step=0)
        self.loader = [[{"prompt": prompt}] * 2 for prompt in prompts for _ in range(repeats)]
        self.advantage_of = lambda prompt: 1.0
        self.scored, self.prefetched, self.metrics = [], [], {}

    def get_train_dataloader(self):
        return self.loader

    def prefetch(self, rows):
        self.prefetched.append(rows[0]["prompt"])

    def discard_prefetched(self):
        self.prefetched.append("discarded")

    def score(self, rows):
        prompts = torch.tensor([row["prompt"] for row in rows])
        self.scored.append(prompts[0].item())
        self.informative_groups = [self.advantage_of(prompts[0].item()) != 0]
        return {
            "prompt_ids": prompts[:, None],
            "prompt_mask": torch.ones(2, 1, dtype=torch.long),
            "completion_ids": torch.tensor([[9, 9], [9, PAD]]),
            "completion_mask": torch.tensor([[1, 1], [1, 0]]),
            "advantages": torch.tensor([self.advantage_of(prompt) for prompt in prompts.tolist()]),
        }

    def add_references(self, rows, batch):
        return batch

    def logps_of(self, batch):
        return torch.full(batch["completion_ids"].shape, -float(self.state.global_step))

    def add_metric(self, name, value):
        self.metrics.setdefault(name, []).append(value)


@pytest.fixture
def make_refresh(tmp_path):
    """Build a refresh with batches of two completions of one prompt."""

    def make(rollouts, gradient_accumulation_steps=1, steps_per_generation=None, **buffer_arguments):
        buffer = OnlineBuffer(**buffer_arguments)
        args = RLTFConfig(
            str(tmp_path),
            per_device_train_batch_size=2,
            num_generations=2,
            gradient_accumulation_steps=gradient_accumulation_steps,
            steps_per_generation=steps_per_generation,
        )
        rollouts.current_gradient_accumulation_steps = gradient_accumulation_steps
        accelerator = SimpleNamespace(
            device=torch.device("cpu"),
            gather=lambda tensor: tensor[None],
            reduce=lambda tensor, how: tensor,
            is_main_process=True,
        )
        buffer.on_train_begin(args, rollouts.state, None)
        return BufferRefresh(rollouts, buffer, args, accelerator, PAD)

    return make


def train(refresh, rollouts, num_steps):
    """Draw the batches of some optimizer steps, and return the steps of birth in the buffer after each."""
    births = []
    for step in range(rollouts.state.global_step, rollouts.state.global_step + num_steps):
        rollouts.state.global_step = step
        refresh.buffer.on_step_begin(None, rollouts.state, None)
        for _ in range(rollouts.current_gradient_accumulation_steps):
            refresh.next_batch()
        births.append([born for born, _ in refresh.buffer.samples])
    return births


def test_it_is_refreshed_every_update_steps_and_the_oldest_samples_are_evicted(make_refresh):
    """A step draws 2 samples, so a refresh for 2 steps makes 4; the third one evicts the first."""
    rollouts = MadeUp()
    refresh = make_refresh(rollouts, capacity=8, update_steps=2)
    assert train(refresh, rollouts, 5) == [[0] * 4, [0] * 4, [0] * 4 + [2] * 4, [0] * 4 + [2] * 4, [2] * 4 + [4] * 4]
    assert rollouts.metrics["buffer/size"] == [4, 4, 8, 8, 8]
    assert rollouts.metrics["buffer/age"] == [0, 1, 1, 2, 1]
    assert rollouts.metrics["buffer/refreshes"] == [1, 1, 2, 2, 3]
    assert rollouts.metrics["buffer/skipped"] == [0, 0, 0]


def test_prompts_are_taken_in_their_order_and_each_batch_once(make_refresh):
    rollouts = MadeUp([1, 2, 3], repeats=2)  # TRL's sampler repeats each batch for `steps_per_generation`
    train(make_refresh(rollouts, gradient_accumulation_steps=2, capacity=8, update_steps=1), rollouts, 4)
    assert rollouts.scored == [1, 2, 3, 1]  # a generation batch is one row of the loader here


def test_the_next_prompts_are_prefetched_before_a_batch_is_scored(make_refresh):
    rollouts = MadeUp()
    train(make_refresh(rollouts, capacity=8, update_steps=3), rollouts, 1)
    assert rollouts.scored == [1, 2, 3]
    assert rollouts.prefetched == [2, 3, "discarded"]


def test_prefetched_completions_are_discarded_after_an_error(make_refresh):
    rollouts = MadeUp()
    refresh = make_refresh(rollouts, capacity=8, update_steps=3)
    rollouts.score = lambda rows: 1 / 0
    with pytest.raises(ZeroDivisionError):
        refresh.next_batch()
    assert rollouts.prefetched == [2, "discarded"]


def test_an_offline_buffer_is_filled_once_to_its_capacity(make_refresh):
    rollouts = MadeUp()
    births = train(make_refresh(rollouts, capacity=6, update_steps=2, offline=True), rollouts, 4)
    assert births == [[0] * 6] * 4


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_a_refresh_for_one_step_depends_on_its_samples_and_not_on_its_batches(make_refresh, accumulation):
    rollouts = MadeUp()
    refresh = make_refresh(
        rollouts, gradient_accumulation_steps=accumulation, steps_per_generation=1, capacity=64, update_steps=2
    )
    train(refresh, rollouts, 1)
    assert len(refresh.buffer) == 2 * 2 * accumulation


def test_a_large_refresh_scores_one_generation_batch_at_a_time(make_refresh):
    rollouts = MadeUp()
    refresh = make_refresh(rollouts, capacity=160, update_steps=80)
    refresh.next_batch()
    assert len(rollouts.scored) == 80
    assert len(refresh.buffer) == 160


def test_a_restart_skips_the_prompts_that_were_taken(make_refresh):
    rollouts = MadeUp()
    refresh = make_refresh(rollouts, capacity=8, update_steps=1)
    train(refresh, rollouts, 2)
    assert refresh.num_generation_batches == 2
    refresh.restart(5)
    train(refresh, rollouts, 1)
    assert rollouts.scored == [1, 2, 6]


def test_taking_prompts_draws_no_random_numbers_from_training(make_refresh):
    rollouts = MadeUp()
    refresh = make_refresh(rollouts, capacity=8, update_steps=1)
    rollouts.get_train_dataloader = lambda: (torch.rand(1), rollouts.loader)[1]
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    refresh.next_batch()
    assert torch.equal(torch.rand(1), expected)


def test_groups_without_an_advantage_can_be_left_out(make_refresh):
    rollouts = MadeUp()
    rollouts.advantage_of = lambda prompt: float(prompt % 2)
    refresh = make_refresh(rollouts, capacity=16, update_steps=4, skip_zero_variance=True)
    train(refresh, rollouts, 1)
    assert [sample["prompt_ids"].item() for _, sample in refresh.buffer.samples] == [1, 1, 3, 3]
    assert rollouts.metrics["buffer/skipped"] == [0.5]


def test_groups_without_an_advantage_are_kept_by_default(make_refresh):
    rollouts = MadeUp()
    rollouts.advantage_of = lambda prompt: float(prompt % 2)
    refresh = make_refresh(rollouts, capacity=16, update_steps=4)
    train(refresh, rollouts, 1)
    assert len(refresh.buffer) == 8


def test_if_no_group_has_an_advantage_an_empty_buffer_takes_all(make_refresh):
    rollouts = MadeUp()
    rollouts.advantage_of = lambda prompt: 0.0
    refresh = make_refresh(rollouts, capacity=16, update_steps=2, skip_zero_variance=True)
    assert train(refresh, rollouts, 3) == [[0] * 4] * 3  # the second refresh adds nothing
    assert rollouts.metrics["buffer/skipped"] == [1, 1]


def test_advantages_of_sequences_become_those_of_tokens(make_refresh):
    rollouts = MadeUp()
    refresh = make_refresh(rollouts, capacity=2, update_steps=1)
    batch = refresh.next_batch()
    rows = {(tuple(mask), tuple(row)) for mask, row in zip(
        batch["completion_mask"].tolist(), batch["advantages"].tolist(), strict=True
    )}  # fmt: skip
    assert rows == {((1, 1), (1.0, 1.0)), ((1, 0), (1.0, 0.0))}


@pytest.mark.parametrize("importance_sampling", [False, True])
def test_old_log_probs_are_in_the_loss_only_with_importance_sampling(make_refresh, importance_sampling):
    rollouts = MadeUp()
    rollouts.state.global_step = 3
    refresh = make_refresh(rollouts, capacity=2, update_steps=1, importance_sampling=importance_sampling)
    batch = refresh.next_batch()
    assert batch["buffered_logps"][batch["completion_mask"].bool()].tolist() == [-3.0] * 3
    assert ("old_per_token_logps" in batch) == importance_sampling


def test_counts_of_tokens_are_of_an_optimizer_step_in_the_unit_of_trl(make_refresh):
    """TRL divides by the count of a generation batch times steps / steps_per_generation: here, 6 tokens times 4 / 2."""
    rollouts = MadeUp()
    refresh = make_refresh(
        rollouts, gradient_accumulation_steps=2, steps_per_generation=4, capacity=4, samples_per_refresh=4, update_steps=1
    )  # fmt: skip
    rollouts.loader = [[{"prompt": prompt}] * 2 for prompt in range(1, 50)]
    batches = [refresh.next_batch() for _ in range(2)]
    num_tokens = sum(int(batch["completion_mask"].sum()) for batch in batches)
    assert [batch["num_items_in_batch"].item() for batch in batches] == [num_tokens * 2] * 2


def test_a_stream_that_can_be_read_once_ends_with_a_message(make_refresh):
    rollouts = MadeUp()
    rollouts.loader = iter(rollouts.loader[:3])
    refresh = make_refresh(rollouts, capacity=40, update_steps=20)
    with pytest.raises(ValueError, match="has ended and gives no more prompts"):
        refresh.next_batch()
