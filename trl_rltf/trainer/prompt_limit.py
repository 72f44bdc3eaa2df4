"""Limit the number of tokens of prompts: shorten prompts, or drop their rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal

from accelerate import PartialState
from datasets import Dataset, IterableDataset

from ..generation.prompt_shortening import shorten_prompt


logger = logging.getLogger(__name__)

PromptOverflow = Literal["truncate", "drop"]

_MAX_CACHED_PROMPTS = 100_000
_PROMPTS_PER_CALL = 1000  # of the tokenizer


class PromptLimit:
    """
    Limit on the number of tokens of a prompt.

    Args:
        max_length (`int`): Number of tokens, template and special tokens included.
        tokenize (`Callable`): Returns the token ids of each of a list of prompts, as generation gets them. Its second
            argument is the name of their environment, or `None`.
    """

    def __init__(self, max_length: int, tokenize: Callable[[list[Any], Any], Sequence[Sequence[int]]]):
        self.max_length = max_length
        self._tokenize = tokenize
        self._cache: dict[str, Any] = {}  # `None` for a prompt that is not too long

    def shorten(self, prompt: Any, environment: str | None = None) -> Any:
        """
        Shorten a prompt that is too long; see [`shorten_prompt`].

        Args:
            prompt (`str` or `list`): The prompt.
            environment (`str`, *optional*): Name of its environment, whose tools count as tokens.

        Returns:
            `str` or `list`: The shortened prompt, or the same object if it is not too long.

        Raises:
            ValueError: If it cannot be shortened that far.
        """
        try:
            key = json.dumps([environment, prompt])
        except TypeError:  # images
            return self._shortened(prompt, environment)
        if key not in self._cache:
            if len(self._cache) >= _MAX_CACHED_PROMPTS:
                self._cache.clear()
            shortened = self._shortened(prompt, environment)
            self._cache[key] = None if shortened is prompt else shortened
        cached = self._cache[key]
        return prompt if cached is None else cached

    def _shortened(self, prompt: Any, environment: str | None) -> Any:
        try:
            return shorten_prompt(prompt, self.max_length, lambda text: len(self._tokenize([text], environment)[0]))
        except ValueError as error:
            raise ValueError(
                f"A prompt cannot be shortened. {error} `prompt_overflow='drop'` drops the rows of such prompts. The prompt "
                f"begins with {str(prompt)[:80]!r}."
            ) from error

    def apply(self, dataset: Any, overflow: PromptOverflow, name: str) -> Any:
        """
        Check the prompts of a dataset, and drop the rows of those that are too long.

        A warning gives the number of prompts that are too long.

        Args:
            dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`] or `dict`): A dataset, or several by name. The
                prompts of a stream are not counted.
            overflow (`str`): `"truncate"` keeps the rows, whose prompts are shortened later; `"drop"` drops them.
            name (`str`): Name of the dataset in messages.

        Returns:
            [`~datasets.Dataset`] or [`~datasets.IterableDataset`] or `dict`: The dataset, without the dropped rows.

        Raises:
            ValueError: If a prompt cannot be shortened that far, or no row is left.
        """
        if isinstance(dataset, dict):
            return {key: self.apply(part, overflow, f"{name}[{key!r}]") for key, part in dataset.items()}
        if isinstance(dataset, IterableDataset) and overflow == "drop":
            return dataset.filter(lambda row: len(self._tokenize([row["prompt"]], None)[0]) <= self.max_length)
        if not isinstance(dataset, Dataset):
            return dataset
        lengths = self._lengths(dataset["prompt"])
        too_long = [row for row, length in enumerate(lengths) if length > self.max_length]
        if not too_long:
            return dataset
        if PartialState().is_main_process:
            logger.warning(
                "%d of the %d prompts of `%s` have more than `max_prompt_length=%d` tokens, the longest %d: %s",
                len(too_long),
                len(lengths),
                name,
                self.max_length,
                max(lengths),
                "their rows are dropped."
                if overflow == "drop"
                else "the beginning of their content is cut. `prompt_overflow='drop'` drops their rows.",
            )
        if overflow == "drop":
            fitting = sorted(set(range(len(lengths))) - set(too_long))
            if not fitting:
                raise ValueError(
                    f"`prompt_overflow='drop'` drops every row of `{name}`: all {len(lengths)} prompts have more than "
                    f"`max_prompt_length={self.max_length}` tokens. Raise the limit."
                )
            return dataset.select(fitting)
        for row in too_long:
            try:
                self.shorten(dataset[row]["prompt"])
            except ValueError as error:
                raise ValueError(f"Row {row} of `{name}`: {error}") from error
        return dataset

    def _lengths(self, prompts: Sequence[Any]) -> list[int]:
        lengths: list[int] = []
        for start in range(0, len(prompts), _PROMPTS_PER_CALL):
            part = list(prompts[start : start + _PROMPTS_PER_CALL])
            lengths += [len(ids) for ids in self._tokenize(part, None)]
        return lengths
