"""Greedy completions of a batch."""

from trl_rltf.trainer.greedy_baseline import greedy_completions


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
