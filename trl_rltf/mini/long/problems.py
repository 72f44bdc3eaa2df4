"""Make the problems of MiniAPPS-L."""

from __future__ import annotations

import random
from typing import Any

from datasets import Dataset

from ...data.problems import make_problem, to_dataset
from ...data.prompts import apps_prompt
from .authors import LETTERS
from .inputs import answer_text, as_text, describe_input
from .outlines import NUM_HIDDEN_TESTS, Outline
from .solutions import draw_solved_outlines


# Numbers of tests of a training problem, and their shares: those of APPS.
_TEST_COUNTS = (((1, 2), 0.6), ((5, 10), 0.25), ((15, 20), 0.15))
_INPUT_WORDS = {
    "list": "a list of integers",
    "number": "an integer",
    "word": "a word",
    "grid": "a list of rows of integers",
}


def make_mini_apps_long(
    split: str = "train",
    *,
    num_problems: int | None = None,
    num_statements: int | None = None,
    num_tests: int | None = None,
    seed: int = 0,
) -> Dataset:
    """
    Make MiniAPPS-L problems, whose programs are as long as those of APPS.

    A problem is a graph of named values. Each solution is written in the style of one of six authors. No composition of stages of
    one split is in the other, and some pairs of a stage and an author are in the test set only. A smaller number of problems is
    the beginning of a larger one.

    Args:
        split (`str`, *optional*, defaults to `"train"`):
            `"train"` or `"test"`.
        num_problems (`int`, *optional*):
            Number of problems. Defaults to 1000 for `"train"` and 200 for `"test"`.
        num_statements (`int`, *optional*):
            Number of statements of a solution, on average over the authors, from 4 to 40. By default it is drawn for each
            problem, so that the quantiles at 10, 50 and 90 % are those of APPS: 7, 18 and 30.
        num_tests (`int`, *optional*):
            Number of tests of a problem, at most 20. Defaults to 20 for `"test"`. For `"train"` it is drawn as in APPS: 60 % of
            the problems have 1 or 2, 25 % have 5 to 10, and 15 % have 15 to 20. More tests include fewer ones.
        seed (`int`, *optional*, defaults to `0`):
            Seed of the problems and of the assignment of compositions to splits.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `tests`, `solutions` (4 to 12 per problem), `problem_id`, `difficulty`
        (`"introductory"` under 12 statements, `"interview"` under 24, `"competition"`) and `starter_code`. No test is the
        example of the prompt.

    Raises:
        ValueError: If the split is unknown, or a number is out of its range.
    """
    problems = []
    for outline, solutions in draw_solved_outlines(split, num_problems, num_statements, num_tests, seed):
        count = NUM_HIDDEN_TESTS if split == "test" else _draw_num_tests(random.Random(f"{outline.key}-tests"))
        problems.append(make_row(outline, solutions, count if num_tests is None else num_tests))
    return to_dataset(problems)


def _draw_num_tests(rng: random.Random) -> int:
    low, high = rng.choices([limits for limits, _ in _TEST_COUNTS], [share for _, share in _TEST_COUNTS])[0]
    return rng.randint(low, high)


def make_row(outline: Outline, solutions: list[str], num_tests: int) -> dict[str, Any]:
    """
    Make the row of a problem.

    Args:
        outline (`Outline`): The problem.
        solutions (`list[str]`): Its solutions.
        num_tests (`int`): Number of tests.

    Returns:
        `dict[str, Any]`: A row with the columns of APPS.
    """
    chosen = outline.tests[:num_tests]
    tests: dict[str, Any]
    if outline.is_call:
        tests = {
            "fn_name": "solve",
            "inputs": [inputs for inputs, _ in chosen],
            "outputs": [answers[0] for _, answers in chosen],
        }
    else:
        tests = {
            "inputs": [_input_text(outline, inputs) for inputs, _ in chosen],
            "outputs": [answer_text(answers) for _, answers in chosen],
        }
    return make_problem(
        prompt=apps_prompt(_statement(outline), call_based=outline.is_call),
        tests=tests,
        problem_id=outline.name,
        where=f"MiniAPPS-L, problem {outline.name}",
        solutions=solutions,
        difficulty=outline.difficulty,
    )


def _input_text(outline: Outline, inputs: list[Any]) -> str:
    pairs = zip(outline.graph.inputs, inputs, strict=True)
    return "".join(as_text(value_type, value, has_length=outline.has_length) for value_type, value in pairs)


def _statement(outline: Outline) -> str:
    graph = outline.graph
    names = LETTERS[: len(graph.inputs)]
    asked = ", ".join(LETTERS[position] for position in graph.printed)
    counted = " Positions count from 1." if any(graph.type_of(i) == "positions" for i in graph.printed) else ""
    inputs, answers = outline.example
    if outline.is_call:
        words = [f"{name} is {_INPUT_WORDS[kind]}" for name, kind in zip(names, graph.inputs, strict=True)]
        call = f"solve({', '.join(map(repr, inputs))})"
        return (
            f"Write solve({', '.join(names)}), where {' and '.join(words)}. {graph.statement()} Return {asked}.{counted}\n"
            f"\nExample: {call} returns {answers[0]!r}."
        )
    words = [
        describe_input(kind, name, has_length=outline.has_length)
        for name, kind in zip(names, graph.inputs, strict=True)
    ]
    return (
        f"Read {', then '.join(words)}. {graph.statement()} Print {asked}{', one per line' if len(graph.printed) > 1 else ''}."
        f"{counted}\n\n-----Example-----\nInput\n{_input_text(outline, inputs)}\nOutput\n{answer_text(answers)}"
    )
