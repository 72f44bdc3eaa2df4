"""
Read the column `solutions` of a training set.

Each row has a list of programs, one program as text, or such a list as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc
import torch
from datasets import Dataset

from ._trl import is_conversational


_TEXT = ("string", "large_string", "null")  # a column without values has the type `null`


def holds_programs(feature: Any) -> bool:
    """Return whether a column of this type holds texts or lists of texts."""
    return _is_list(feature) or getattr(feature, "dtype", None) in _TEXT


def _is_list(feature: Any) -> bool:
    item = getattr(feature, "feature", None)  # the type of a list has changed its name between versions of datasets
    return getattr(item, "dtype", None) in _TEXT


def rows_with_solutions(dataset: Dataset) -> torch.Tensor:
    """
    Return the indices of the rows of a dataset that have a reference solution.

    Args:
        dataset ([`~datasets.Dataset`]): Training set.

    Returns:
        `torch.Tensor`: Indices; empty if the column is missing or does not hold programs.

    Raises:
        ValueError: If a row holds JSON text that is not a list of programs. The message names the row.
    """
    feature = dataset.features.get("solutions")
    if not holds_programs(feature):
        return torch.empty(0, dtype=torch.long)
    column = dataset.select_columns(["solutions"]).with_format("arrow")[:]["solutions"]
    if _is_list(feature):
        return torch.tensor(pc.fill_null(pc.list_value_length(column), 0).to_numpy()).nonzero().flatten()
    found = []
    for index, text in enumerate(column.to_pylist()):
        try:
            if solutions_of({"solutions": text}):
                found.append(index)
        except ValueError as error:
            raise ValueError(f"Row {index} of the training set: {error}") from error
    return torch.tensor(found, dtype=torch.long)


def solutions_of(row: Mapping[str, Any]) -> list[str]:
    """
    Return the reference solutions of a row, without empty programs.

    Args:
        row (`Mapping`): Row of a dataset.

    Returns:
        `list[str]`: Programs; empty if there are none.

    Raises:
        ValueError: If the column holds JSON text that is not a list of programs.
    """
    column = row.get("solutions")
    if isinstance(column, str):
        column = _programs(column)
    return [] if column is None else [solution for solution in column if solution]


def target_tokens(text: str, prompt: Any, tokenizer: Any, *, is_encoder_decoder: bool) -> list[int]:
    """
    Return the token ids of a program as the completion of a prompt.

    Args:
        text (`str`): The program.
        prompt (`str` or `list[dict]`): The prompt. After chat messages, the program is in a fenced block.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        is_encoder_decoder (`bool`): Whether the program gets the special tokens of a target.

    Returns:
        `list[int]`: Token ids, with an end token.
    """
    if is_conversational({"prompt": prompt}):
        text = f"```python\n{text}\n```"
    # The tokenizer sets the start of a decoder (CodeT5: `<s>`); a causal model continues the prompt.
    tokens: list[int] = tokenizer(text, add_special_tokens=is_encoder_decoder)["input_ids"]
    return tokens if tokens[-1:] == [tokenizer.eos_token_id] else [*tokens, tokenizer.eos_token_id]


def _programs(text: str) -> list[str]:
    text = text.strip()
    if text[:1] not in ("[", "{", '"'):  # JSON text starts like this, and a program hardly ever does
        return [text]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise ValueError(
        "Column `solutions` holds JSON text that is not a list of programs as text. Give a list of programs, or one program."
    )
