"""Take batches apart into samples without padding, and put samples back together into batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import torch
from trl.trainer.utils import pad

from .online_buffer import Sample


# Tensors of a generation batch that have one row a completion and one column a completion token: `(B, T)`.
_PER_TOKEN_KEYS = (
    "completion_ids",
    "completion_mask",
    "advantages",
    "old_per_token_logps",
    "ref_per_token_logps",
    "sampling_per_token_logps",
    "tool_mask",
)


# Integers take the least room that holds them while they wait.
_STORED_AS = {"ids": torch.int32, "mask": torch.int8}


def split_batch(batch: dict[str, Any], pad_token_id: int) -> list[Sample]:
    """
    Take a generation batch apart.

    Args:
        batch (`dict`): Tensors of a generation batch: prompts `(B, P)`, completions and what goes with each of their tokens
            `(B, T)`, reference solutions `(B, R)`.
        pad_token_id (`int`): Id of the padding token.

    Returns:
        `list[Sample]`: One sample a completion, on the CPU.
    """
    # Not the mask alone: a truncated completion may be masked out whole, and keeps its tokens.
    lengths = (batch["completion_ids"] != pad_token_id).sum(1)
    lengths = torch.maximum(lengths, batch["completion_mask"].sum(1))
    samples = []
    for row, length in enumerate(lengths.tolist()):
        sample = {"prompt_ids": batch["prompt_ids"][row][batch["prompt_mask"][row].bool()]}
        for key in _PER_TOKEN_KEYS:
            if key in batch:
                sample[key] = batch[key][row, :length]
        if "importance_sampling_ratio" in batch:
            ratio = batch["importance_sampling_ratio"][row]
            sample["importance_sampling_ratio"] = ratio[:length] if len(ratio) > 1 else ratio
        if "reference_ids" in batch:
            length = max(1, int(batch["reference_mask"][row].sum()))
            sample |= {key: batch[key][row, :length] for key in ("reference_ids", "reference_mask")}
        if "reference_prompt_ids" in batch:
            sample["reference_prompt_ids"] = batch["reference_prompt_ids"][row][
                batch["reference_prompt_mask"][row].bool()
            ]
        samples.append(
            {key: value.cpu().to(_STORED_AS.get(_kind(key), value.dtype), copy=True) for key, value in sample.items()}
        )
    return samples


def loss_mask(batch: dict[str, Any]) -> torch.Tensor:
    """Tokens that the loss counts, `(B, T)`: those of the policy, not those that a tool or an environment has put in."""
    mask: torch.Tensor = batch["completion_mask"]
    return mask * batch["tool_mask"] if "tool_mask" in batch else mask


def num_bytes(samples: Iterable[Sample]) -> int:
    """Bytes that the tensors of these samples take."""
    return sum(value.untyped_storage().nbytes() for sample in samples for value in sample.values())


def _kind(key: str) -> str:
    return key.rpartition("_")[2]


def join_samples(samples: list[Sample], pad_token_id: int, device: torch.device) -> dict[str, Any]:
    """
    Put samples together into a batch for the loss.

    Args:
        samples (`list[Sample]`): Samples from [`split_batch`].
        pad_token_id (`int`): Id of the padding token.
        device (`torch.device`): Where the batch goes.

    Returns:
        `dict`: Padded tensors; prompts on the left, everything else on the right.
    """
    batch: dict[str, Any] = {}
    for key in samples[0]:
        rows = [sample[key] for sample in samples]
        side = "left" if key.endswith("prompt_ids") else "right"
        value = pad_token_id if key.endswith("_ids") else 0
        batch[key] = pad(rows, padding_value=value, padding_side=side).to(device)
        if _kind(key) in _STORED_AS:
            batch[key] = batch[key].long()
        if side == "left":
            masks = [torch.ones_like(row) for row in rows]
            batch[key.replace("_ids", "_mask")] = pad(masks, padding_value=0, padding_side=side).to(device)
    return batch


def marked_texts(completion_ids: torch.Tensor, is_marked: torch.Tensor, tokenizer: Any) -> list[str]:
    """
    Texts of completions, with marked tokens in ⟦double brackets⟧.

    Args:
        completion_ids (`torch.Tensor`): Completion tokens, padded on the right, shape `(B, T)`.
        is_marked (`torch.Tensor`): Which of them are marked, shape `(B, T)`.
        tokenizer (`Any`): Decodes them.
    """
    lengths = (completion_ids != tokenizer.pad_token_id).sum(1).tolist()
    texts = []
    for ids, marks, length in zip(completion_ids.tolist(), is_marked.tolist(), lengths, strict=True):
        runs = itertools.groupby(zip(ids[:length], marks[:length], strict=True), key=lambda pair: bool(pair[1]))
        parts = [(mark, tokenizer.decode([token for token, _ in run])) for mark, run in runs]
        texts.append("".join(f"⟦{text}⟧" if mark else text for mark, text in parts))
    return texts
