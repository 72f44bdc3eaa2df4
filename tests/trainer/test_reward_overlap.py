"""What reward functions may return, and what they are told if it is something else."""

import numpy as np
import pytest
import torch
from support import history


class Sparse:
    """A result that is no list."""


@pytest.mark.parametrize(
    ("make_reward", "message"),
    [
        (lambda ids: [0.5] * len(ids), r"returned a list for completion 1.*return `TokenReward\(reward, tokens="),
        (lambda ids: (0.5,), r"returned a tuple for completion 1.*`TokenReward"),
        (lambda ids: np.zeros(len(ids)), r"returned a ndarray for completion 1.*`TokenReward"),
        (lambda ids: torch.zeros(len(ids)), r"returned a Tensor for completion 1.*`TokenReward"),
        (lambda ids: "0.5", "returned a str for completion 1, which is not a number. Return a number, or `None`"),
        (lambda ids: {"reward": 1.0}, "returned a dict for completion 1"),
        (lambda ids: Sparse(), "returned a Sparse for completion 1"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_reward_that_is_no_number_is_refused_with_the_name_of_the_function_and_the_row(
    make_trainer, make_reward, message, is_async
):
    def my_reward(completion_ids, **columns):
        return [0.0, *(make_reward(ids) for ids in completion_ids[1:])]

    async def my_reward_later(completion_ids, **columns):
        return my_reward(completion_ids)

    function = my_reward_later if is_async else my_reward
    with pytest.raises(ValueError, match=f"The reward function '{function.__name__}' {message}"):
        make_trainer(function).train()


@pytest.mark.parametrize(
    ("result", "kind"),
    [(None, "NoneType"), (0.5, "float"), ("good", "str"), ({"a": 1}, "dict"), (torch.tensor(1), "Tensor")],
)
def test_a_result_that_is_no_list_is_refused(make_trainer, result, kind):
    def my_reward(completions, **columns):
        return result

    with pytest.raises(ValueError, match=f"'my_reward' returned a {kind}, but must return a list with one number"):
        make_trainer(my_reward).train()


def test_a_result_with_too_few_rewards_is_refused(make_trainer):
    with pytest.raises(ValueError, match="returned 3 rewards, but 4 were expected"):
        make_trainer(lambda completions, **columns: [0.0] * 3).train()


@pytest.mark.parametrize(
    "result",
    [torch.ones(4), np.ones(4, dtype=np.float32), [np.float32(1), torch.tensor(1.0), True, 1], iter([1.0] * 4)],
)
def test_numbers_of_any_kind_are_rewards(make_trainer, result):
    trainer = make_trainer(lambda completions, **columns: result, max_steps=1)
    trainer.train()
    assert history(trainer, "reward") == [1.0]


def test_rows_of_a_table_of_rewards_are_no_numbers(make_trainer):
    with pytest.raises(ValueError, match="returned a Tensor for completion 0"):
        make_trainer(lambda completions, **columns: torch.ones(4, 3)).train()
