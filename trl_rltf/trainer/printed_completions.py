"""Print some completions of a step as a table that fits the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..completions.conversation import final_program
from ..completions.program import prompt_text
from ._trl import grpo_trainer


_NUM_ROWS = 5


@contextlib.contextmanager
def printed_shortly() -> Iterator[None]:
    """
    Let TRL print its completions with `print_completions`.

    Its Parquet file keeps all columns and rows.
    """
    original = grpo_trainer.print_prompt_completions_sample
    grpo_trainer.print_prompt_completions_sample = print_completions
    try:
        yield
    finally:
        grpo_trainer.print_prompt_completions_sample = original


def print_completions(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    rewards: Mapping[str, Sequence[float]],
    advantages: Sequence[float] | None,
    step: int,
    num_samples: int | None = None,
    extra: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """
    Print some completions, with one line for each.

    Args:
        prompts (`Sequence`): Prompts, as text or as chat messages.
        completions (`Sequence`): Completions, as text or as chat messages.
        rewards (`Mapping[str, Sequence[float]]`): Rewards by the name of their function.
        advantages (`Sequence[float]`, *optional*): Not printed.
        step (`int`): Optimizer step.
        num_samples (`int`, *optional*): Number of completions to print, spread over all of them. Defaults to 5.
        extra (`Mapping[str, Sequence]`, *optional*): Other columns, of which the outcome is printed.
    """
    from rich.console import Console
    from rich.table import Column, Table

    number = min(len(completions), _NUM_ROWS if num_samples is None else num_samples)
    if number == 0:
        return
    outcomes = list((extra or {}).get("outcome", ()))
    has_outcomes = len(outcomes) == len(completions)
    headers = [Column("prompt, its end", ratio=2), Column("completion, its beginning", ratio=3)]
    headers += [Column("outcome")] if has_outcomes else []
    table = Table(
        *headers, Column("reward", justify="right"), title=f"Step {step}: {number} of {len(completions)} completions"
    )
    table.expand = True
    for column in table.columns:
        column.no_wrap = True
    console = Console()
    width = console.width
    for index in (place * len(completions) // number for place in range(number)):
        total = sum(values[index] for values in rewards.values() if values[index] is not None)
        cells = [
            _line(prompt_text(prompts[index]))[-width // 4 :],
            _line(final_program(completions[index])[1])[:width],
        ]
        table.add_row(*cells, *([str(outcomes[index])] if has_outcomes else []), f"{total:.2f}")
    console.print(table, markup=False)


def _line(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))
