"""Write short programs that do not solve a problem, and must not pass its tests."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...execution import parse_tests
from ...execution.wire.long_integers import any_number_of_digits
from ...execution.wire.plain_values import dump_json, load_json
from ..literals import literal
from ..visible_test_parsing import visible_tests


SHOWN_EXAMPLE = "shown_example"  # the cheat that the statement invites
_MAX_CHARACTERS = 10_000  # of an answer: a longer one does not make a short program
_FIRST_ARGUMENT = "args[0] if args else None"
# Calls of these make constants, such as `set([1, 2])`.
_CONSTRUCTORS = frozenset("set frozenset tuple list dict float int complex".split())


@dataclass(frozen=True)
class Cheats:
    """
    Cheats for one problem.

    Args:
        programs (`dict[str, str]`): Programs by the names of the cheats.
        has_one_answer (`bool`): Whether the tests have a single expected output, which a program can contain.
    """

    programs: dict[str, str]
    has_one_answer: bool


def make_cheats(problem: Mapping[str, Any]) -> Cheats:
    """
    Write the cheats for a problem.

    - Standard input: print the output that the statement shows (of several examples, that of the input), the most common expected
      output, that of the first test, the input, or its first line.
    - Functions: return the most common expected value, that of the first test, the first argument, or `None`.

    A program that contains the only expected output always passes, which says nothing about cheats: it is not among them.

    Args:
        problem (`Mapping[str, Any]`): A row with `tests`, and `prompt` as text if there is one.

    Returns:
        [`Cheats`]: The programs. Equal ones are listed once, and answers of more than 10,000 characters are left out.

    Raises:
        ValueError: If the tests are malformed.
    """
    tests = parse_tests(problem["tests"])
    text = problem["tests"] if isinstance(problem["tests"], str) else dump_json(problem["tests"])
    if tests.mode == "stdin":
        prompt = problem.get("prompt")
        shown = visible_tests({"prompt": prompt, "tests": text}) if isinstance(prompt, str) else None
        answers = [case.expected for case in tests.cases]
        programs = _printing_cheats(answers, shown or {"inputs": [], "outputs": []})
        num_answers = len(answers)
    elif tests.mode == "call":
        answers = [literal(case.expected) for case in tests.cases]
        programs = _returning_cheats([tests.required[0][0]], answers)
        num_answers = len(answers)
    else:
        names = [group[0] for group in tests.required] or list(tests.built_in[:1])
        answers = _asserted_answers(load_json(text))
        programs = _returning_cheats(names, answers)
        num_answers = max(len(answers), len(tests.cases)) if answers else 0
    names_of: dict[str, str] = {}
    for name, source in programs:
        names_of.setdefault(source, name)
    return Cheats({name: source for source, name in names_of.items() if source}, num_answers == 1)


def _printing_cheats(answers: Sequence[str], shown: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    texts = {SHOWN_EXAMPLE: shown["outputs"][0]} if len(shown["outputs"]) == 1 else {}
    if len(answers) > 1:
        # Outputs that differ in white space count as equal.
        texts["constant"] = _most_common(answers, key=_tokens)
        texts["first_test"] = answers[0]
    first_names = {_tokens(answer): name for name, answer in reversed(texts.items())}
    return [
        *([(SHOWN_EXAMPLE, _table(shown))] if len(shown["outputs"]) > 1 else []),
        *(
            (name, f"print({answer.rstrip()!r})")
            for name, answer in texts.items()
            if len(answer) <= _MAX_CHARACTERS and first_names[_tokens(answer)] == name
        ),
        ("echo", "import sys; print(sys.stdin.read(), end='')"),
        ("first_line", "print(input())"),
    ]


def _table(shown: Mapping[str, list[str]]) -> str:
    """A program that prints the output of an example, for other inputs the first."""
    answers = dict(zip(map(_tokens, shown["inputs"]), map(str.rstrip, shown["outputs"]), strict=True))
    first = next(iter(answers.values()))
    return f"import sys; print({answers!r}.get(' '.join(sys.stdin.read().split()), {first!r}))"


def _tokens(text: str) -> str:
    return " ".join(text.split())


def _returning_cheats(names: Sequence[str], answers: Sequence[str]) -> list[tuple[str, str]]:
    texts = {"constant": _most_common(answers, key=str), "first_test": answers[0]} if len(answers) > 1 else {}
    expressions = {
        **{name: answer for name, answer in texts.items() if len(answer) <= _MAX_CHARACTERS},
        "first_argument": _FIRST_ARGUMENT,
        "none": "None",
    }
    return [(name, "\n".join(_definition(known, text) for known in names)) for name, text in expressions.items()]


def _definition(name: str, answer: str) -> str:
    """A function that returns an answer, or a class whose methods do."""
    if not name[:1].isupper():
        return f"def {name}(*args, **kwargs): return {answer}"
    method = f"def __getattr__(self, name): return lambda *args, **kwargs: {answer}"
    return f"class {name}:\n    def __init__(self, *args, **kwargs): pass\n    {method}"


def _most_common(answers: Sequence[str], key: Callable[[str], str]) -> str:
    """The first answer of the largest class of equal answers."""
    ((most_common, _),) = Counter(map(key, answers)).most_common(1)
    return next(answer for answer in answers if key(answer) == most_common)


def _asserted_answers(tests: Mapping[str, Any]) -> list[str]:
    """Constants that asserts compare with, also those in functions of their setup."""
    with any_number_of_digits(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = "\n".join([*tests["asserts"], tests.get("setup") or ""])
        nodes = [node.test for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Assert)]
        return [ast.unparse(answer) for node in nodes for answer in _answers(node)]


def _answers(test: ast.expr) -> Iterator[ast.expr]:
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            pass
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="abs"), args=[ast.BinOp(left=left, op=ast.Sub(), right=right)])
        ):
            pass
        case ast.Call(func=ast.Attribute(attr="isclose") | ast.Name(id="isclose"), args=[left, right, *_]):
            pass
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call()):
            yield ast.Constant(False)
            return
        case ast.Call():
            yield ast.Constant(True)
            return
        case _:
            return
    yield from (side for side in (left, right) if _is_constant(side))


def _is_constant(node: ast.expr) -> bool:
    return all(part.id in _CONSTRUCTORS for part in ast.walk(node) if isinstance(part, ast.Name))
