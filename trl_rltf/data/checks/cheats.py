"""Write short programs that do not solve a problem, and that its tests must not accept."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...execution import UnitTest, parse_tests
from ...execution.wire.long_integers import any_number_of_digits
from ...execution.wire.plain_values import dump_json, load_json
from ..literals import literal
from ..visible_test_parsing import visible_tests


_MAX_CHARACTERS = 10_000  # of an answer: a longer one is no short program
_FIRST_ARGUMENT = "args[0] if args else None"
# Calls of these make constants, such as `set([1, 2])`.
_CONSTRUCTORS = frozenset("set frozenset tuple list dict float int complex".split())


def make_cheats(problem: Mapping[str, Any]) -> dict[str, str]:
    """
    Write the cheats for a problem.

    - Standard input: print the most common expected output, the output of the first example, the input, or its first line.
    - Functions: return the most common expected value, that of the first test, the first argument, or `None`.

    The first example is that of the statement; if it shows none, the first test.

    Args:
        problem (`Mapping[str, Any]`): A row with `tests`, and `prompt` as text if there is one.

    Returns:
        `dict[str, str]`: Programs by the names of the cheats. Equal programs are listed once, and answers of more than 10,000
        characters are left out.

    Raises:
        ValueError: If the tests are malformed.
    """
    tests = parse_tests(problem["tests"])
    text = problem["tests"] if isinstance(problem["tests"], str) else dump_json(problem["tests"])
    if tests.mode == "stdin":
        prompt = problem.get("prompt")
        shown = visible_tests({"prompt": prompt, "tests": text}) if isinstance(prompt, str) else None
        programs = _printing_cheats(tests.cases, shown)
    elif tests.mode == "call":
        answers = [_short(literal(case.expected)) for case in tests.cases]
        programs = _returning_cheats([tests.required[0][0]], answers)
    else:
        names = [group[0] for group in tests.required] or list(tests.built_in[:1])
        programs = _returning_cheats(names, [_short(answer) for answer in _asserted_answers(load_json(text))])
    names_of: dict[str, str] = {}
    for name, source in programs:
        names_of.setdefault(source, name)
    return {name: source for source, name in names_of.items() if source}


def _printing_cheats(cases: Sequence[UnitTest], shown: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    answers = [case.expected if len(case.expected) <= _MAX_CHARACTERS else None for case in cases]
    # Outputs that differ in white space count as equal.
    constant = _most_common(answers, key=lambda answer: " ".join(answer.split()))
    first = shown["outputs"][0] if shown else answers[0]
    texts = (("constant", constant), ("first_example", first))
    return [
        *((name, f"print({text.rstrip()!r})") for name, text in texts if text is not None),
        ("echo", "import sys; print(sys.stdin.read(), end='')"),
        ("first_line", "print(input())"),
    ]


def _returning_cheats(names: Sequence[str], answers: Sequence[str | None]) -> list[tuple[str, str]]:
    first = answers[0] if answers else None
    texts = (("constant", _most_common(answers, key=str)), ("first_example", first))
    expressions = [
        *((name, text) for name, text in texts if text is not None),
        ("first_argument", _FIRST_ARGUMENT),
        ("none", "None"),
    ]
    return [(name, "\n".join(_definition(known, text) for known in names)) for name, text in expressions]


def _definition(name: str, answer: str) -> str:
    """A function that returns an answer, or a class whose methods do."""
    if not name[:1].isupper():
        return f"def {name}(*args, **kwargs): return {answer}"
    method = f"def __getattr__(self, name): return lambda *args, **kwargs: {answer}"
    return f"class {name}:\n    def __init__(self, *args, **kwargs): pass\n    {method}"


def _short(answer: str) -> str | None:
    return answer if len(answer) <= _MAX_CHARACTERS else None


def _most_common(answers: Iterable[str | None], key: Any) -> str | None:
    """The first answer of the largest class of equal answers."""
    known = [answer for answer in answers if answer is not None]
    if not known:
        return None
    ((most_common, _),) = Counter(map(key, known)).most_common(1)
    return next(answer for answer in known if key(answer) == most_common)


def _asserted_answers(tests: Mapping[str, Any]) -> list[str]:
    """Expressions of the constants that asserts, and functions of their setup, compare with."""
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
