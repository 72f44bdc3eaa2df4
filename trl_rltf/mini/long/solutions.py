"""Write the solutions of a problem, each in the style of an author."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator

from .authors import AUTHORS, Author
from .outlines import MAX_STATEMENTS, MIN_STATEMENTS, NUM_HIDDEN_TESTS, Outline, draw_outline, hash_number
from .program import write_program


_SPLIT_SIZES = {"train": 1000, "test": 200}
_MIN_SOLUTIONS, _MAX_SOLUTIONS = 4, 12
_MAX_DRAWS = 100  # graphs that are drawn per problem before the compositions are taken to be exhausted
_UNSEEN_PERIOD = 3  # one in three stages has an author who never writes it in the training set


def draw_solved_outlines(
    split: str, num_problems: int | None, num_statements: int | None, num_tests: int | None, seed: int
) -> Iterator[tuple[Outline, list[str]]]:
    """
    Check the arguments, and draw problems with their solutions.

    Args:
        split (`str`): See [`make_mini_apps_long`], as the others.
        num_problems (`int` or `None`): Number of problems.
        num_statements (`int` or `None`): Number of statements.
        num_tests (`int` or `None`): Number of tests; it is only checked.
        seed (`int`): Seed.

    Returns:
        `Iterator[tuple[Outline, list[str]]]`: The problems and their solutions.

    Raises:
        ValueError: If the split is unknown, or a number is out of its range.
    """
    if split not in _SPLIT_SIZES:
        raise ValueError(f"`split` is {split!r}, but must be 'train' or 'test'.")
    if num_problems is not None and num_problems < 1:
        raise ValueError(f"`num_problems` is {num_problems}, but must be at least 1.")
    if num_statements is not None and not MIN_STATEMENTS <= num_statements <= MAX_STATEMENTS:
        raise ValueError(
            f"`num_statements` is {num_statements}, but must be from {MIN_STATEMENTS} to {MAX_STATEMENTS}, or None for "
            "the lengths of APPS."
        )
    if num_tests is not None and not 1 <= num_tests <= NUM_HIDDEN_TESTS:
        raise ValueError(f"`num_tests` is {num_tests}, but must be from 1 to {NUM_HIDDEN_TESTS}.")
    return _draw(split, _SPLIT_SIZES[split] if num_problems is None else num_problems, num_statements, seed)


def _draw(split: str, num_problems: int, num_statements: int | None, seed: int) -> Iterator[tuple[Outline, list[str]]]:
    found: set[str] = set()
    for index in itertools.count():
        if len(found) == num_problems:
            return
        if index > _MAX_DRAWS * (len(found) + 10):
            raise ValueError(
                f"Only {len(found)} problems were found, but {num_problems} were requested. Request fewer problems, or more "
                f"statements than {num_statements}."
            )
        outline = draw_outline(f"{seed}-{split}-{num_statements}-{index}", split, num_statements, seed)
        if outline is None or outline.name in found:
            continue
        solutions = write_solutions(outline, split, seed)
        if len(solutions) >= _MIN_SOLUTIONS:
            found.add(outline.name)
            yield outline, solutions


def unseen_author(stage: str, seed: int) -> Author | None:
    """
    Find the author who never writes a stage in the training set.

    Args:
        stage (`str`): Name of the stage.
        seed (`int`): Seed of the problems.

    Returns:
        `Author` or `None`: The author, for one in three stages.
    """
    number = hash_number(f"{seed}-{stage}-author")
    return AUTHORS[number // _UNSEEN_PERIOD % len(AUTHORS)] if number % _UNSEEN_PERIOD == 0 else None


def write_solutions(
    outline: Outline, split: str, seed: int, *, wrong: Collection[str] = (), wrong_rate: float = 1.0
) -> list[str]:
    """
    Write the solutions of a problem, all different.

    Args:
        outline (`Outline`): The problem.
        split (`str`): Its split; in `"train"`, some authors do not write some stages.
        seed (`int`): Seed of the problems.
        wrong (`Collection[str]`, *optional*): Stages that have their mistake.
        wrong_rate (`float`, *optional*, defaults to `1.0`): Share of the programs in which such a stage has it.

    Returns:
        `list[str]`: The programs.
    """
    rng, mistakes = random.Random(f"{outline.key}-solutions"), random.Random(f"{outline.key}-mistakes")
    count = rng.randint(_MIN_SOLUTIONS, _MAX_SOLUTIONS)
    stages = {node.stage for node in outline.graph.nodes}
    absent = {unseen_author(stage, seed) for stage in stages} if split == "train" else set()
    authors = [author for author in rng.sample(AUTHORS, len(AUTHORS)) if author not in absent]
    programs: dict[str, None] = {}
    for attempt in range(3 * count):
        if not authors or len(programs) == count:
            break
        author = authors[attempt % len(authors)].deviate(rng)
        here = {stage for stage in sorted(stages.intersection(wrong)) if mistakes.random() < wrong_rate}
        program = write_program(
            outline.graph, author, rng=rng, is_call=outline.is_call, has_length=outline.has_length, wrong=here
        )
        programs.setdefault(program)
    return list(programs)
