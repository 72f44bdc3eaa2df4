"""Examples for a warm start whose programs have persistent gaps."""

from __future__ import annotations

import random

from datasets import Dataset

from ...data.problems import to_dataset
from .outlines import NUM_HIDDEN_TESTS, hash_number
from .problems import make_row
from .short_stages import SHORT_STAGES
from .solutions import draw_solved_outlines, write_solutions
from .stages import STAGES, STATEFUL


def make_gapped_examples(
    *,
    num_problems: int | None = None,
    num_statements: int | None = None,
    seed: int = 0,
    wrong_share: float = 0.3,
    wrong_rate: float = 0.85,
    rare_share: float = 0.2,
    rare_rate: float = 0.1,
) -> Dataset:
    """
    Make examples for a warm start that leaves persistent gaps.

    Some kinds of stages are nearly always written with the same mistake, in the style of every author: a tie that is decided the
    wrong way, a result off by one, an edge case that is missing. Other kinds are rare. A model that learns from these examples
    gives wrong answers and makes few errors.

    Args:
        num_problems (`int`, *optional*): Number of problems before those with rare stages are left out. Defaults to 1000.
        num_statements (`int`, *optional*): Number of statements, as in [`make_mini_apps_long`].
        seed (`int`, *optional*, defaults to `0`): Seed of the problems, as in [`make_mini_apps_long`], and of the choice of the
            stages with gaps.
        wrong_share (`float`, *optional*, defaults to `0.3`): Share of the kinds of stages that have a mistake. 0 is a warm start
            on right programs. The longer the programs, the more of them have a mistake at the same share.
        wrong_rate (`float`, *optional*, defaults to `0.85`): Share of the programs in which such a stage has its mistake. At 1,
            the model never sees the right one.
        rare_share (`float`, *optional*, defaults to `0.2`): Share of the kinds of stages that are rare.
        rare_rate (`float`, *optional*, defaults to `0.1`): Share of the problems with a rare stage that are kept.

    Returns:
        [`~datasets.Dataset`]: Training problems of [`make_mini_apps_long`] with all tests, and with programs that may be wrong in
        the column `solutions`.

    Raises:
        ValueError: If a share is not in [0, 1], or the shares of the kinds add up to more than 1.
    """
    shares = {"wrong_share": wrong_share, "wrong_rate": wrong_rate, "rare_share": rare_share, "rare_rate": rare_rate}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"`{name}` is {share}, but must be in [0, 1].")
    if wrong_share + rare_share > 1:
        raise ValueError(
            f"`wrong_share` is {wrong_share} and `rare_share` is {rare_share}, but a stage is either wrong or rare. Choose shares "
            "with a sum of at most 1."
        )
    wrong, rare = stages_with_gaps(seed, wrong_share=wrong_share, rare_share=rare_share)
    rows = []
    for outline, _ in draw_solved_outlines("train", num_problems, num_statements, None, seed):
        stages = {node.stage for node in outline.graph.nodes}
        if rare & stages and random.Random(f"{outline.key}-rare").random() >= rare_rate:
            continue
        solutions = write_solutions(outline, "train", seed, wrong=wrong, wrong_rate=wrong_rate)
        rows.append(make_row(outline, solutions, NUM_HIDDEN_TESTS))
    return to_dataset(rows)


def stages_with_gaps(seed: int, *, wrong_share: float, rare_share: float) -> tuple[set[str], set[str]]:
    """
    Choose the kinds of stages that have a mistake, and those that are rare.

    A larger share includes a smaller one.

    Args:
        seed (`int`): Seed of the choice.
        wrong_share (`float`): Share of the kinds with a mistake, among those whose templates have one.
        rare_share (`float`): Share of the rare kinds.

    Returns:
        `tuple[set[str], set[str]]`: Names of the wrong and of the rare stages.
    """
    wrong: set[str] = set()
    rare: set[str] = set()
    # Of short and long stages the same shares, so that a share means about the same at all lengths.
    for kinds in (STATEFUL, SHORT_STAGES):
        names = sorted((stage.name for stage in kinds), key=lambda name: hash_number(f"{seed}-{name}-gap"))
        mistaken = [name for name in names if STAGES[name].has_mistake]
        wrong |= set(mistaken[: round(wrong_share * len(mistaken))])
        # From the other end, so that one share hardly changes the other choice.
        rare |= set(names[len(names) - round(rare_share * len(names)) :])
    return wrong - rare, rare
