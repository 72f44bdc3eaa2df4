"""Split batches into samples, and join samples into batches."""

import pytest
import torch

from trl_rltf.trainer.samples import join_samples, loss_mask, marked_texts, num_bytes, split_batch


PAD = 0
CPU = torch.device("cpu")


@pytest.fixture
def batch():
    """Two completions of three and one tokens, after prompts of two and three tokens."""
    return {
        "prompt_ids": torch.tensor([[PAD, 5, 6], [7, 8, 9]]),
        "prompt_mask": torch.tensor([[0, 1, 1], [1, 1, 1]]),
        "completion_ids": torch.tensor([[1, 2, 3], [4, PAD, PAD]]),
        "completion_mask": torch.tensor([[1, 1, 1], [1, 0, 0]]),
        "advantages": torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.0, 0.0]]),
        "old_per_token_logps": torch.tensor([[-1.0, -2.0, -3.0], [-4.0, 0.0, 0.0]]),
        "num_items_in_batch": torch.tensor(4),
    }


def test_a_sample_has_no_padding_and_small_types(batch):
    first, second = split_batch(batch, PAD)
    assert first["prompt_ids"].tolist() == [5, 6]
    assert second["prompt_ids"].tolist() == [7, 8, 9]
    assert {key: value.tolist() for key, value in second.items() if key != "prompt_ids"} == {
        "completion_ids": [4],
        "completion_mask": [1],
        "advantages": [pytest.approx(0.4)],
        "old_per_token_logps": [-4.0],
    }
    dtypes = {key: value.dtype for key, value in first.items()}
    assert dtypes == {
        "prompt_ids": torch.int32,
        "completion_ids": torch.int32,
        "completion_mask": torch.int8,
        "advantages": torch.float32,
        "old_per_token_logps": torch.float32,
    }


def test_samples_take_memory_for_their_tokens_and_not_for_the_padding(batch):
    # Per completion token 4 bytes for the id, 1 for the mask, 4 for the advantage, 4 for the log-prob; 4 per prompt token.
    assert num_bytes(split_batch(batch, PAD)) == 13 * 4 + 4 * 5


def test_a_completion_that_is_masked_out_keeps_its_tokens(batch):
    batch["completion_mask"] = torch.tensor([[0, 0, 0], [1, 0, 0]])
    sample = split_batch(batch, PAD)[0]
    assert sample["completion_ids"].tolist() == [1, 2, 3]
    assert sample["completion_mask"].tolist() == [0, 0, 0]


def test_an_end_token_that_is_also_the_padding_token_is_kept(batch):
    batch["completion_mask"] = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert split_batch(batch, PAD)[1]["completion_ids"].tolist() == [4, PAD]


def test_joined_samples_are_the_batch_that_was_split(batch):
    joined = join_samples(split_batch(batch, PAD), PAD, CPU)
    assert set(joined) == set(batch) - {"num_items_in_batch"}
    for key, value in joined.items():
        assert torch.equal(value, batch[key]), key
    assert joined["completion_ids"].dtype == torch.long


def test_samples_of_other_batches_are_padded_to_the_longest(batch):
    second = split_batch(batch, PAD)[1]
    joined = join_samples([second, second], PAD, CPU)
    assert joined["completion_ids"].tolist() == [[4], [4]]
    assert joined["prompt_ids"].tolist() == [[7, 8, 9]] * 2


def test_reference_solutions_and_their_prompts_go_with_their_sample(batch):
    batch |= {
        "reference_ids": torch.tensor([[1, 2], [3, PAD]]),
        "reference_mask": torch.tensor([[1, 1], [0, 0]]),
        "reference_prompt_ids": torch.tensor([[PAD, 4], [5, 6]]),
        "reference_prompt_mask": torch.tensor([[0, 1], [1, 1]]),
    }
    samples = split_batch(batch, PAD)
    assert [sample["reference_prompt_ids"].tolist() for sample in samples] == [[4], [5, 6]]
    assert samples[1]["reference_ids"].tolist() == [3]  # one token at least, also for a row without a solution
    joined = join_samples(samples, PAD, CPU)
    assert joined["reference_prompt_mask"].tolist() == [[0, 1], [1, 1]]
    assert joined["reference_mask"].tolist() == [[1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("ratio", "lengths"),
    [(torch.ones(2, 3), [3, 1]), (torch.ones(2, 1), [1, 1])],
)
def test_a_ratio_is_kept_per_token_or_per_sequence(batch, ratio, lengths):
    samples = split_batch({**batch, "importance_sampling_ratio": ratio}, PAD)
    assert [len(sample["importance_sampling_ratio"]) for sample in samples] == lengths


def test_tokens_of_a_tool_do_not_count_in_the_loss(batch):
    assert torch.equal(loss_mask(batch), batch["completion_mask"])
    batch["tool_mask"] = torch.tensor([[1, 0, 1], [1, 1, 1]])
    assert loss_mask(batch).tolist() == [[1, 0, 1], [1, 0, 0]]


def test_marked_tokens_are_in_brackets_and_padding_is_left_out(tokenizer):
    ids = [tokenizer(text)["input_ids"] for text in ("a", " = 1", "\nb")]
    row = [token for part in ids for token in part]
    marks = [int(index == 1) for index, part in enumerate(ids) for _ in part]
    padded = torch.tensor([[*row, tokenizer.pad_token_id]])
    assert marked_texts(padded, torch.tensor([[*marks, 1]]), tokenizer) == ["a⟦ = 1⟧\nb"]
