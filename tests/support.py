"""Programs, rewards and helpers that many tests use."""

from __future__ import annotations

from typing import Any


SUM_TESTS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
SUM_PROGRAM = "a, b = map(int, input().split())\nprint(a + b)\n"


def by_length(completions: list[str], **columns: Any) -> list[float]:
    """A cheap reward that differs between completions."""
    return [len(set(text)) / 10 for text in completions]


def snapshot(model: Any) -> dict[str, Any]:
    """A copy of all weights."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}
