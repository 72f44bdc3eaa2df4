"""Advantages, against numbers worked out by hand and a slow reference."""

import math
import random

import pytest
import torch

from trl_rltf.trainer.advantages import (
    group_means,
    local_rows,
    means_over_tokens,
    product_of_token_weights,
    sequence_advantages,
    sum_of_token_rewards,
    weighted_rewards,
)


NAN = float("nan")
TEMPLATE = torch.zeros(2, 3, dtype=torch.long)


def slow_advantages(rewards, group_size, baseline, scale, greedy):
    """The same numbers, one completion at a time."""

    def std(values):
        values = [value for value in values if not math.isnan(value)]
        if len(values) < 2:
            return 0.0
        mean = sum(values) / len(values)
        return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))

    found = []
    for index, reward in enumerate(rewards):
        start = index - index % group_size
        group = rewards[start : start + group_size]
        others = [value for i, value in enumerate(group) if start + i != index and not math.isnan(value)]
        scored = [value for value in group if not math.isnan(value)]
        if math.isnan(reward) or (baseline == "leave_one_out" and not others):
            found.append(0.0)
            continue
        if baseline == "leave_one_out":
            subtracted = sum(others) / len(others)
        elif baseline == "greedy":
            subtracted = sum(scored) / len(scored) if math.isnan(greedy[index]) else greedy[index]
        else:
            subtracted = 0.0
        spread = {"group": std(group), "batch": std(rewards), "none": 0.0}[scale]
        found.append((reward - subtracted) / (spread + 1e-4 if spread > 1e-4 else 1.0))
    return found


def test_rewards_are_summed_with_weights_and_functions_without_a_reward_do_not_count():
    rewards = torch.tensor([[1.0, 2.0], [NAN, 4.0], [NAN, NAN]])
    found = weighted_rewards(rewards, torch.tensor([0.5, 2.0])).tolist()
    assert found[:2] == [4.5, 8.0]
    assert math.isnan(found[2])


@pytest.mark.parametrize(
    ("baseline", "greedy", "expected"),
    [
        ("none", None, [0.0, 1.0, 2.0, 5.0]),
        ("leave_one_out", None, [-8 / 3, -4 / 3, 0.0, 4.0]),
        ("greedy", [3.0] * 4, [-3.0, -2.0, -1.0, 2.0]),
        ("greedy", [NAN] * 4, [-2.0, -1.0, 0.0, 3.0]),
    ],
)
def test_each_baseline_is_subtracted(baseline, greedy, expected):
    greedy = None if greedy is None else torch.tensor(greedy)
    found = sequence_advantages(torch.tensor([0.0, 1.0, 2.0, 5.0]), 4, baseline, "none", greedy)
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [("none", [0.0, 5.0, 6.0, 7.0]), ("leave_one_out", [0.0, -1.5, 0.0, 1.5]), ("greedy", [0.0, 4.0, 5.0, 6.0])],
)
def test_a_completion_without_a_reward_has_no_advantage_and_is_left_out_of_the_baseline(baseline, expected):
    """If it counted as 0, the mean of the other two would be 6 or 3.5 and not 6.5, as for the second completion."""
    greedy = torch.ones(4) if baseline == "greedy" else None
    found = sequence_advantages(torch.tensor([NAN, 5.0, 6.0, 7.0]), 4, baseline, "none", greedy)
    assert found.tolist() == expected


def test_a_completion_that_is_alone_in_its_group_has_no_advantage_over_the_others():
    assert sequence_advantages(torch.tensor([NAN, 3.0]), 2, "leave_one_out", "none").tolist() == [0.0, 0.0]


def test_the_standard_deviation_of_the_group_or_the_batch_divides():
    rewards = torch.tensor([0.0, 2.0, 10.0, 30.0])
    by_group = sequence_advantages(rewards, 2, "none", "group").tolist()
    assert by_group == pytest.approx([0.0, 2 / math.sqrt(2), 10 / math.sqrt(200), 30 / math.sqrt(200)], rel=1e-3)
    by_batch = sequence_advantages(rewards, 2, "none", "batch").tolist()
    std = math.sqrt((10.5**2 + 8.5**2 + 0.5**2 + 19.5**2) / 3)
    assert by_batch == pytest.approx([0.0, 2 / std, 10 / std, 30 / std], rel=1e-3)


def test_a_group_without_variance_is_not_scaled():
    assert sequence_advantages(torch.ones(4), 4, "none", "group").tolist() == [1.0] * 4
    assert sequence_advantages(torch.ones(4), 4, "none", "batch").tolist() == [1.0] * 4


@pytest.mark.parametrize("baseline", ["none", "leave_one_out", "greedy"])
@pytest.mark.parametrize("scale", ["none", "group", "batch"])
def test_advantages_equal_those_of_a_slow_reference(baseline, scale):
    numbers = random.Random(0)
    for group_size in (1, 2, 4):
        for _ in range(20):
            draw = [NAN if numbers.random() < 0.2 else round(numbers.uniform(-1, 1), 1) for _ in range(16)]
            rewards, greedy = draw[:8], draw[8:] if baseline == "greedy" else None
            found = sequence_advantages(
                torch.tensor(rewards), group_size, baseline, scale, None if greedy is None else torch.tensor(greedy)
            )
            expected = slow_advantages(rewards, group_size, baseline, scale, greedy)
            assert found.tolist() == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_token_rewards_are_summed_with_the_weights_of_their_functions():
    rewards = {0: [[1.0, 2.0, 3.0], None], 2: [[10.0], [0.5, 0.5]]}
    found = sum_of_token_rewards(rewards, torch.tensor([1.0, 7.0, 0.1]), TEMPLATE)
    torch.testing.assert_close(found, torch.tensor([[2.0, 2.0, 3.0], [0.05, 0.05, 0.0]]))
    assert sum_of_token_rewards({0: [None, None]}, torch.ones(1), TEMPLATE) is None
    assert sum_of_token_rewards({}, torch.ones(1), TEMPLATE) is None


def test_token_weights_of_several_functions_multiply():
    weights = {0: [[0.5, 2.0], None], 1: [[0.5], [3.0]]}
    found = product_of_token_weights(weights, torch.ones(2), TEMPLATE)
    assert found.tolist() == [[0.25, 2.0, 1.0], [3.0, 1.0, 1.0]]


def test_token_weights_of_a_function_with_the_weight_0_are_left_out():
    weights = {0: [[0.5], [0.5]], 1: [[9.0], [9.0]]}
    assert product_of_token_weights(weights, torch.tensor([1.0, 0.0]), TEMPLATE)[:, 0].tolist() == [0.5, 0.5]
    assert product_of_token_weights(weights, torch.zeros(2), TEMPLATE) is None


def test_masked_tokens_do_not_count_in_a_mean():
    values = torch.tensor([[1.0, 3.0, 100.0], [5.0, 5.0, 5.0]])
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    assert means_over_tokens(values, mask).tolist() == [2.0, 0.0]


def test_each_completion_gets_the_mean_of_its_group():
    assert group_means(torch.tensor([1.0, 3.0, 10.0, 20.0]), 2).tolist() == [2.0, 2.0, 15.0, 15.0]


def test_each_process_gets_its_rows():
    rows = torch.arange(6)
    assert [local_rows(rows, 2, index).tolist() for index in range(3)] == [[0, 1], [2, 3], [4, 5]]
