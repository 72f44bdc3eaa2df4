"""Baselines by hand, and the greedy completions of a batch."""

import torch

from trl_rltf.trainer.baselines import greedy_baseline, greedy_completions, leave_one_out_baseline


NAN = float("nan")


def test_the_baseline_of_a_completion_is_the_mean_of_the_others_in_its_group():
    rewards = torch.tensor([1.0, 2.0, 6.0, 0.0, 4.0, NAN])
    assert leave_one_out_baseline(rewards, 3)[:5].tolist() == [4.0, 3.5, 1.5, 4.0, 0.0]


def test_a_completion_that_alone_has_a_reward_has_no_leave_one_out_baseline():
    baseline = leave_one_out_baseline(torch.tensor([5.0, NAN, 1.0, 3.0]), 2)
    assert baseline[0].isnan()
    assert baseline[2:].tolist() == [3.0, 1.0]


def test_the_greedy_baseline_is_the_reward_of_the_greedy_completion_or_the_mean_of_the_group():
    rewards = torch.tensor([1.0, 3.0, 0.0, NAN])
    assert greedy_baseline(rewards, 2, torch.tensor([5.0, 5.0, NAN, NAN])).tolist() == [5.0, 5.0, 0.0, 0.0]


def test_equal_prompts_are_decoded_once_and_results_are_in_their_order():
    calls = []

    def decode(prompts):
        calls.append(prompts)
        return [(prompt.upper(), [len(prompt)]) for prompt in prompts]

    assert greedy_completions(["b", "aa", "b"], decode) == (["B", "AA", "B"], [[1], [2], [1]])
    assert calls == [["b", "aa"]]


def test_chat_prompts_are_compared_by_their_content():
    chat = [{"role": "user", "content": "x"}]
    same = [{"role": "user", "content": "x"}]
    completions, _ = greedy_completions([chat, same], lambda prompts: [(f"of {len(prompts)}", [1])] * len(prompts))
    assert completions == ["of 1", "of 1"]


def test_completions_of_equal_prompts_share_no_list_of_ids():
    _, ids = greedy_completions(["x", "x"], lambda prompts: [("y", [1])])
    ids[0].append(2)
    assert ids[1] == [1]
