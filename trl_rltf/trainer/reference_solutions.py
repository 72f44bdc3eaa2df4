"""Reference solutions for the cross-entropy part of the loss: one a row, drawn at random, as tokens."""

# Dimensions: B rows, R tokens of the longest solution.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from trl.data_utils import is_conversational
from trl.trainer.utils import pad


def draw_reference_solutions(
    rows: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    max_length: int,
    is_encoder_decoder: bool,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Draw and tokenize one reference solution for each row.

    Args:
        rows (`Sequence[Mapping]`): Rows with a `prompt` and, perhaps, `solutions`.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        max_length (`int`): Tokens that a solution may have; a longer one is cut off.
        is_encoder_decoder (`bool`): Whether the model has a decoder of its own for them.
        generator (`torch.Generator`): Source of chance.

    Returns:
        `tuple`: Ids and their mask, `(B, R)`; a row without a solution is masked out.
    """
    ids, masks = [], []
    for row in rows:
        solutions = row.get("solutions") or []
        if not solutions:
            ids.append(torch.tensor([tokenizer.pad_token_id]))
            masks.append(torch.tensor([0]))
            continue
        text = solutions[int(torch.randint(len(solutions), (1,), generator=generator))]
        if is_conversational({"prompt": row["prompt"]}):
            text = f"```python\n{text}\n```"
        # A decoder of its own starts as its tokenizer says (CodeT5: with `<s>`); a causal model goes on after the prompt.
        tokens = tokenizer(text, add_special_tokens=is_encoder_decoder)["input_ids"]
        if tokens[-1:] != [tokenizer.eos_token_id]:
            tokens.append(tokenizer.eos_token_id)
        # A solution that is cut off does not end there, and must not teach to stop there.
        ids.append(torch.tensor(tokens[:max_length]))
        masks.append(torch.ones_like(ids[-1]))
    return pad(ids, padding_value=tokenizer.pad_token_id), pad(masks, padding_value=0)
