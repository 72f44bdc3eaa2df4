"""Hold prompts to a number of tokens: shorten them, or leave their rows out, and count both."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from accelerate import PartialState
from datasets import Dataset, IterableDataset

from ..generation.prompts import shorten_prompt


logger = logging.getLogger(__name__)

_MOST_REMEMBERED = 100_000  # prompts
_TOKENIZED_AT_A_TIME = 1000


class PromptLimit:
    """
    The number of tokens that a prompt may have.

    Args:
        max_length (`int`): Number of tokens, template and special tokens included.
        tokenize (`Callable`): Gives the token ids of each of a list of prompts, as generation gets them; its second argument
            is the name of their environment, if they have one.
    """

    def __init__(self, max_length: int, tokenize: Callable[[list[Any], Any], Sequence[Sequence[int]]]):
        self.max_length = max_length
        self._tokenize = tokenize
        self._known: dict[str, Any] = {}

    def shorten(self, prompt: Any, environment: str | None = None) -> Any:
        """
        Shorten a prompt that is too long, see [`shorten_prompt`].

        Args:
            prompt (`str` or `list`): The prompt.
            environment (`str`, *optional*): Name of its environment, whose tools count.

        Returns:
            `str` or `list`: The same object if it is not too long.

        Raises:
            ValueError: If it cannot be shortened that far.
        """
        try:
            key = json.dumps([environment, prompt])
        except TypeError:  # images
            return self._shortened(prompt, environment)
        if key not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            shortened = self._shortened(prompt, environment)
            self._known[key] = None if shortened is prompt else shortened
        known = self._known[key]
        return prompt if known is None else known

    def _shortened(self, prompt: Any, environment: str | None) -> Any:
        try:
            return shorten_prompt(prompt, self.max_length, lambda text: len(self._tokenize([text], environment)[0]))
        except ValueError as error:
            raise ValueError(
                f"A prompt cannot be shortened. {error} Raise the limit, or leave such rows out with "
                f"`prompt_overflow='drop'`. The prompt begins with {str(prompt)[:80]!r}."
            ) from error

    def apply(self, dataset: Any, overflow: str, name: str) -> Any:
        """
        Count the prompts of a data set that are too long and say how many there are, or leave their rows out.

        Args:
            dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`] or `dict`): A data set, or several by name. A
                stream is not counted.
            overflow (`str`): `"truncate"` or `"drop"`.
            name (`str`): What the data set is called in messages.

        Returns:
            The data set, without the rows that are left out.

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
                "their rows are left out."
                if overflow == "drop"
                else "the beginning of their content is cut. `prompt_overflow='drop'` leaves their rows out.",
            )
        if overflow == "drop":
            fitting = sorted(set(range(len(lengths))) - set(too_long))
            if not fitting:
                raise ValueError(
                    f"`prompt_overflow='drop'` leaves no row of `{name}`: all {len(lengths)} prompts have more than "
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
        for start in range(0, len(prompts), _TOKENIZED_AT_A_TIME):
            part = list(prompts[start : start + _TOKENIZED_AT_A_TIME])
            lengths += [len(ids) for ids in self._tokenize(part, None)]
        return lengths
