"""Replace the end of the program in a completion, as token ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..completions.program import ExtractedProgram
from ..completions.tokens import token_ranges
from ..corrections import Correction


_FENCE = re.compile(r"\s*(```+|~~~+)")


def corrected_tokens(
    program: ExtractedProgram, text: str, ids: Sequence[int], correction: Correction, tokenizer: Any
) -> tuple[list[int], int]:
    """
    Return the ids of a completion with its program corrected.

    Args:
        program ([`ExtractedProgram`]): The failing program.
        text (`str`): Text of the completion.
        ids (`Sequence[int]`): Its token ids.
        correction ([`~corrections.Correction`]): The correction.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decoded the text.

    Returns:
        `tuple[list[int], int]`: Ids of the corrected completion, with an end token, and how many of them are those of the
        completion up to the continuation.
    """
    cut = program.start + len(correction.beginning)
    rest = correction.continuation + _closing_fence(program, text)
    whole = text[:cut] + rest
    ranges = token_ranges(ids, text, tokenizer)
    num_kept = next((index for index, (_, end) in enumerate(ranges) if end > cut), len(ranges))
    kept = list(ids[:num_kept])
    kept_length = ranges[num_kept][0] if num_kept < len(ranges) else cut
    # The token at the cut may hold the line break before it and the indent after it: it is encoded with the rest.
    target = kept + tokenizer(text[kept_length:cut] + rest, add_special_tokens=False)["input_ids"]
    if tokenizer.decode(target, skip_special_tokens=True) != whole:
        # Some tokenizers put a blank before any text that they encode.
        target = tokenizer(whole, add_special_tokens=False)["input_ids"]
        num_kept = next((i for i, (a, b) in enumerate(zip(target, kept, strict=False)) if a != b), num_kept)
    return [*target, tokenizer.eos_token_id], min(num_kept, len(target))


def _closing_fence(program: ExtractedProgram, text: str) -> str:
    """The fence that closes the block of a program, also if it was cut off."""
    after = _FENCE.match(text, program.start + len(program.source))
    opened = _FENCE.match(text[: program.start].rstrip("\n").rpartition("\n")[2])
    fence = after or opened
    return fence.group(1) if fence else ""
