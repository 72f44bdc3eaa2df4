"""Split batches into samples without padding, and join samples into batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ._trl import GenerationBatch, pad
from .advantages import means_over_tokens


# One scored completion without padding: `prompt_ids` `(P,)`, `completion_ids`, `completion_mask`, `advantages` and
# `old_per_token_logps` `(T,)`, and the other keys of a [`Batch`] that have one row per completion.
Sample = dict[str, torch.Tensor]


class Batch(GenerationBatch, total=False):
    """
    The keys that RLTF adds to the batches of `GRPOTrainer`.

    Dimensions: B completions, T completion tokens, P prompt tokens, R tokens of a reference solution.
    """

    buffered_logps: torch.Tensor  # (B, T), of the weights that sampled, with an online buffer
    reference_ids: torch.Tensor  # (B, R), reference solutions, padded on the right
    reference_mask: torch.Tensor  # (B, R)
    reference_loss_mask: torch.Tensor  # (B, R), tokens that are in the loss, if these are not all; with corrections
    reference_prompt_ids: torch.Tensor  # (B, P), their prompts, if these are not those of the batch
    reference_prompt_mask: torch.Tensor  # (B, P)
    num_reference_tokens: torch.Tensor  # (), tokens of solutions in the loss of a generation batch, over all processes


# Tensors of a generation batch with one row per completion and one column per completion token: `(B, T)`.
_PER_TOKEN_KEYS = (
    "completion_ids",
    "completion_mask",
    "advantages",
    "old_per_token_logps",
    "ref_per_token_logps",
    "sampling_per_token_logps",
    "tool_mask",
)


# Integers are stored in the smallest type that holds them.
_STORED_AS = {"ids": torch.int32, "mask": torch.int8}


def split_batch(batch: dict[str, Any], pad_token_id: int) -> list[Sample]:
    """
    Split a generation batch into samples.

    Args:
        batch (`dict`): Tensors of a generation batch: prompts `(B, P)`, completions and the numbers of their tokens
            `(B, T)`, reference solutions `(B, R)`.
        pad_token_id (`int`): Id of the padding token.

    Returns:
        `list[Sample]`: One sample per completion, on the CPU.
    """
    # Not from the mask alone: a truncated completion may be masked out completely, and keeps its tokens.
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
            keys = ("reference_ids", "reference_mask", "reference_loss_mask")
            sample |= {key: batch[key][row, :length] for key in keys if key in batch}
        if "reference_prompt_ids" in batch:
            is_token = batch["reference_prompt_mask"][row].bool()
            sample["reference_prompt_ids"] = batch["reference_prompt_ids"][row][is_token]
        samples.append({key: value.cpu().to(_stored_as(key, value.dtype), copy=True) for key, value in sample.items()})
    return samples


def _stored_as(key: str, dtype: torch.dtype) -> torch.dtype:
    return _STORED_AS.get(_suffix(key), dtype)


def _suffix(key: str) -> str:
    return key.rpartition("_")[2]


def loss_mask(batch: dict[str, Any]) -> torch.Tensor:
    """
    Return the mask of the tokens that count in the loss, `(B, T)`.

    Tokens written by a tool or an environment do not count.
    """
    mask: torch.Tensor = batch["completion_mask"]
    return mask * batch["tool_mask"] if "tool_mask" in batch else mask


def reference_loss_mask(batch: dict[str, Any]) -> torch.Tensor:
    """
    Return the mask of the reference tokens that are in the loss, `(B, R)`.

    The tokens before the continuation of a correction are not.
    """
    mask: torch.Tensor = batch.get("reference_loss_mask", batch["reference_mask"])
    return mask


def num_bytes(samples: Iterable[Sample]) -> int:
    """Return the number of bytes that the tensors of these samples take."""
    return sum(value.untyped_storage().nbytes() for sample in samples for value in sample.values())


def join_samples(samples: list[Sample], pad_token_id: int, device: torch.device) -> dict[str, Any]:
    """
    Join samples into a batch for the loss.

    Args:
        samples (`list[Sample]`): Samples from [`split_batch`].
        pad_token_id (`int`): Id of the padding token.
        device (`torch.device`): Device of the batch.

    Returns:
        `dict`: Padded tensors; prompts on the left, everything else on the right.
    """
    batch: dict[str, Any] = {}
    for key in samples[0]:
        rows = [sample[key] for sample in samples]
        side = "left" if key.endswith("prompt_ids") else "right"
        value = pad_token_id if key.endswith("_ids") else 0
        batch[key] = pad(rows, padding_value=value, padding_side=side).to(device)
        if _suffix(key) in _STORED_AS:
            batch[key] = batch[key].long()
        if side == "left":
            masks = [torch.ones_like(row) for row in rows]
            batch[key.replace("_ids", "_mask")] = pad(masks, padding_value=0, padding_side=side).to(device)
    return batch


def add_columns(
    add_column: Callable[[str, list[Any]], None],
    batch: dict[str, Any],
    token_deltas: torch.Tensor | None,
    tokenizer: Any,
    *,
    marks_tokens: bool,
) -> None:
    """
    Add the columns with advantages and token rewards to TRL's completions table.

    TRL's column `advantage` has neither the baselines nor the token rewards of RLTF.

    Args:
        add_column (`Callable`): Takes the name of a column and its values.
        batch (`dict`): Generation batch.
        token_deltas (`torch.Tensor` or `None`): Token rewards minus those of their completions, shape `(B, T)`.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decodes completions.
        marks_tokens (`bool`): Whether to decode the completions, with penalized tokens marked.
    """
    advantages, mask = batch["advantages"], batch["completion_mask"]
    if advantages.dim() == 2:
        advantages = means_over_tokens(advantages, mask)
    add_column("rltf_advantage", advantages.tolist())
    if marks_tokens:
        is_marked = torch.zeros_like(mask) if token_deltas is None else (token_deltas < 0) * mask
        add_column("marked_completion", marked_texts(batch["completion_ids"], is_marked, tokenizer))


def marked_texts(completion_ids: torch.Tensor, is_marked: torch.Tensor, tokenizer: Any) -> list[str]:
    """
    Decode completions, with marked tokens in ⟦double brackets⟧.

    Args:
        completion_ids (`torch.Tensor`): Completion tokens, padded on the right, shape `(B, T)`.
        is_marked (`torch.Tensor`): Which of them are marked, shape `(B, T)`.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decodes them.

    Returns:
        `list[str]`: One text per completion.
    """
    lengths = (completion_ids != tokenizer.pad_token_id).sum(1).tolist()
    texts = []
    for ids, marks, length in zip(completion_ids.tolist(), is_marked.tolist(), lengths, strict=True):
        runs = itertools.groupby(zip(ids[:length], marks[:length], strict=True), key=lambda pair: bool(pair[1]))
        parts = [(mark, tokenizer.decode([token for token, _ in run])) for mark, run in runs]
        texts.append("".join(f"⟦{text}⟧" if mark else text for mark, text in parts))
    return texts
