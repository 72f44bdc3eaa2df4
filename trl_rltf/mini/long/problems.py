"""Make the problems of MiniAPPS-L."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from ...data.problems import make_problem, to_dataset
from ...data.prompts import apps_prompt
from .authors import AUTHORS, LETTERS, Author
from .graph import Graph, draw_graph
from .inputs import answer_text, as_text, describe_input, draw_input, draw_profile
from .program import reading_cost, stage_costs, write_program
from .stage import ValueType
from .stages import STAGES


_SPLIT_SIZES = {"train": 1000, "test": 200}
_TEST_SHARE = 5  # one in five compositions is for testing
NUM_HIDDEN_TESTS = 20
_MIN_STATEMENTS, _MAX_STATEMENTS = 4, 40
_CALL_SHARE = 0.25
_LENGTH_SHARE = 0.5  # share of the problems that give the length of a list before it
# Quantiles of the number of statements: those of APPS, with a shorter tail.
_QUANTILES = ((0.0, 4), (0.1, 7), (0.5, 18), (0.9, 30), (1.0, 36))
# Numbers of tests of a training problem, and their shares: those of APPS.
_TEST_COUNTS = (((1, 2), 0.6), ((5, 10), 0.25), ((15, 20), 0.15))
_SOLUTION_COUNTS = (4, 12)
_LEVELS = ((12, "introductory"), (24, "interview"), (_MAX_STATEMENTS + 1, "competition"))
# Over the example and the tests: different values of a stage, and cases in which it differs from its argument.
_MIN_DIFFERENT, _MIN_CHANGED = 4, 7
_MAX_DRAWS = 100  # graphs that are drawn per problem before the compositions are taken to be exhausted
_UNSEEN_PERIOD = 3  # one in three stages has an author who never writes it in the training set
_INPUT_WORDS = {
    "list": "a list of integers",
    "number": "an integer",
    "word": "a word",
    "grid": "a list of rows of integers",
}


@dataclass(frozen=True, slots=True)
class Outline:
    """
    A problem before its solutions are written.

    Args:
        graph (`Graph`): Its meaning.
        statements (`int`): Number of statements that its programs should have.
        is_call (`bool`): Whether its tests call a function.
        has_length (`bool`): Whether the length of a list is given.
        example (`tuple`): Inputs and answers of the example in the statement.
        tests (`tuple`): Inputs and answers of the tests, `NUM_HIDDEN_TESTS` of them.
        key (`str`): Text from which all that is random about the problem follows.
    """

    graph: Graph
    statements: int
    is_call: bool
    has_length: bool
    example: tuple[list[Any], list[Any]]
    tests: tuple[tuple[list[Any], list[Any]], ...]
    key: str

    @property
    def name(self) -> str:
        """Identifier: the difficulty, and a digest of the graph."""
        return f"{self.difficulty}-{_digest(repr((self.graph, self.is_call)))[:12]}"

    @property
    def difficulty(self) -> str:
        """Level of its number of statements."""
        return next(level for limit, level in _LEVELS if self.statements < limit)


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
    outlines = draw_outlines(split, num_problems, num_statements, num_tests, seed)
    problems = []
    for outline in outlines:
        count = NUM_HIDDEN_TESTS if split == "test" else _draw_num_tests(random.Random(f"{outline.key}-tests"))
        problems.append(
            make_row(outline, write_solutions(outline, split, seed), count if num_tests is None else num_tests)
        )
    return to_dataset(problems)


def draw_outlines(
    split: str, num_problems: int | None, num_statements: int | None, num_tests: int | None, seed: int
) -> Iterator[Outline]:
    """
    Draw problems one after the other, after checking the arguments.

    Args:
        split (`str`): See [`make_mini_apps_long`], as the others.
        num_problems (`int` or `None`): Number of problems.
        num_statements (`int` or `None`): Number of statements.
        num_tests (`int` or `None`): Number of tests; it is only checked.
        seed (`int`): Seed.

    Returns:
        `Iterator[Outline]`: The problems.

    Raises:
        ValueError: If the split is unknown, or a number is out of its range.
    """
    if split not in _SPLIT_SIZES:
        raise ValueError(f"`split` is {split!r}, but must be 'train' or 'test'.")
    if num_problems is not None and num_problems < 1:
        raise ValueError(f"`num_problems` is {num_problems}, but must be at least 1.")
    if num_statements is not None and not _MIN_STATEMENTS <= num_statements <= _MAX_STATEMENTS:
        raise ValueError(
            f"`num_statements` is {num_statements}, but must be from {_MIN_STATEMENTS} to {_MAX_STATEMENTS}, or None for "
            "the lengths of APPS."
        )
    if num_tests is not None and not 1 <= num_tests <= NUM_HIDDEN_TESTS:
        raise ValueError(f"`num_tests` is {num_tests}, but must be from 1 to {NUM_HIDDEN_TESTS}.")
    return _outlines(split, _SPLIT_SIZES[split] if num_problems is None else num_problems, num_statements, seed)


def _outlines(split: str, num_problems: int, num_statements: int | None, seed: int) -> Iterator[Outline]:
    found: set[str] = set()
    for index in itertools.count():
        if len(found) == num_problems:
            return
        if index > _MAX_DRAWS * (len(found) + 10):
            raise ValueError(
                f"Only {len(found)} problems were found, but {num_problems} were requested. Request fewer problems, or more "
                f"statements than {num_statements}."
            )
        outline = _outline(f"{seed}-{split}-{num_statements}-{index}", split, num_statements, seed)
        if outline is not None and outline.name not in found:
            found.add(outline.name)
            yield outline


def _outline(key: str, split: str, num_statements: int | None, seed: int) -> Outline | None:
    """A problem of a split, unless its answers say too little or it has too few authors."""
    rng = random.Random(key)
    statements = _draw_num_statements(rng) if num_statements is None else num_statements
    is_call, has_length = rng.random() < _CALL_SHARE, rng.random() < _LENGTH_SHARE

    def overhead(inputs: tuple[ValueType, ...]) -> float:
        return reading_cost(inputs, is_call) + (0 if is_call or not has_length else inputs.count("list"))

    graph = draw_graph(rng, statements, stage_costs(), overhead)
    if _split_of(graph, seed) != split or (is_call and len(graph.printed) > 1):
        return None
    examples = _draw_examples(graph, rng)
    if examples is None:
        return None
    outline = Outline(graph, statements, is_call, has_length, examples[0], tuple(examples[1:]), key)
    return outline if len(write_solutions(outline, split, seed)) >= _SOLUTION_COUNTS[0] else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _split_of(graph: Graph, seed: int) -> str:
    """The split of a composition; constants are not part of it."""
    composition = [(node.stage, node.arguments) for node in graph.nodes]
    return "test" if int(_digest(f"{seed}-{graph.inputs}-{composition}"), 16) % _TEST_SHARE == 0 else "train"


def _draw_num_statements(rng: random.Random) -> int:
    share = rng.random()
    for (low, start), (high, end) in zip(_QUANTILES, _QUANTILES[1:], strict=False):
        if share <= high:
            return round(start + (share - low) / (high - low) * (end - start))
    return _QUANTILES[-1][1]


def _draw_num_tests(rng: random.Random) -> int:
    low, high = rng.choices([limits for limits, _ in _TEST_COUNTS], [share for _, share in _TEST_COUNTS])[0]
    return rng.randint(low, high)


def _draw_examples(graph: Graph, rng: random.Random) -> list[tuple[list[Any], list[Any]]] | None:
    """The example of the statement and the tests, unless they say too little about the program."""
    found: dict[str, list[Any]] = {}
    for _ in range(4 * NUM_HIDDEN_TESTS):
        profile = draw_profile(rng) if found else "ordinary"
        inputs = [draw_input(value_type, profile, rng) for value_type in graph.inputs]
        values = graph.compute(inputs)
        # An example in which a list is empty shows little, and has an empty line.
        if found or all(answer not in ([], "") for answer in graph.answers(values)):
            found.setdefault(repr(inputs), values)
        if len(found) == NUM_HIDDEN_TESTS + 1:
            break
    rows = list(found.values())
    if len(rows) <= NUM_HIDDEN_TESTS or not _is_informative(graph, rows):
        return None
    return [(values[: len(graph.inputs)], graph.answers(values)) for values in rows]


def _is_informative(graph: Graph, rows: list[list[Any]]) -> bool:
    """Whether no constant is often right, and each stage changes something and depends on the input."""
    answers = [repr(graph.answers(values)) for values in rows]
    if answers[0] == answers[1] or max(map(answers.count, answers)) > len(answers) // 2:
        return False
    for position, node in enumerate(graph.nodes, len(graph.inputs)):
        if len({repr(values[position]) for values in rows}) < _MIN_DIFFERENT:
            return False
        if sum(values[position] != values[node.arguments[0]] for values in rows) < _MIN_CHANGED:
            return False
    return True


def unseen_author(stage: str, seed: int) -> Author | None:
    """
    Find the author who never writes a stage in the training set.

    Args:
        stage (`str`): Name of the stage.
        seed (`int`): Seed of the problems.

    Returns:
        `Author` or `None`: The author, for one in three stages.
    """
    number = int(_digest(f"{seed}-{stage}-author"), 16)
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
    count = rng.randint(*_SOLUTION_COUNTS)
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
