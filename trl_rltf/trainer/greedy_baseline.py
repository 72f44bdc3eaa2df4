"""The greedy completions of a batch, whose rewards are the baseline `"greedy"`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


# Greedy completions of a batch: as texts or messages, and as token ids.
GreedyCompletions = tuple[list[Any], list[list[int]]]


def greedy_completions(
    prompts: list[Any], decode: Callable[[list[Any]], list[tuple[Any, list[int]]]]
) -> GreedyCompletions:
    """
    Decode each prompt greedily; equal prompts are decoded once.

    Args:
        prompts (`list`): Prompts, as text or as chat messages.
        decode (`Callable`): Returns the greedy completion of each of a list of prompts, as text or message and as ids.

    Returns:
        `tuple`: The completions as texts or messages, and their token ids, in the order of the prompts.
    """
    keys = [json.dumps(prompt) for prompt in prompts]
    unique = dict(zip(keys, prompts, strict=True))
    completion_of = dict(zip(unique, decode(list(unique.values())), strict=True))
    return [completion_of[key][0] for key in keys], [list(completion_of[key][1]) for key in keys]
