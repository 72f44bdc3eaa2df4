"""Read the tests of a problem, and write tests with more inputs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...execution import parse_tests
from ...execution.unit_tests.comparison import compare_stdout, compare_value
from ...execution.wire.long_integers import any_number_of_digits
from ...execution.wire.plain_values import dump_json, load_json
from ..literals import call, literal


Kind = Literal["stdin", "call", "assert"]
_ANSWER = "augmentation_answer"  # name of the function that calls the program of an assert
_TOLERANCE = 1e-6  # as in the comparison of returned values


class CannotAugment(ValueError):
    """Tests that no input can be added to. The message says why."""


@dataclass(frozen=True)
class SeenTests:
    """
    The tests of a problem, in any of the three formats.

    Args:
        kind (`str`): `"stdin"`, `"call"` or `"assert"`.
        content (`Mapping[str, Any]`): The tests as the dataset has them.
        inputs (`Sequence[Any]`): Text of standard input, or list of the arguments of the function, of each test that has one.
        outputs (`Sequence[Any]`): Expected output of each of these inputs.
        function (`str`, *optional*, defaults to `""`): Name of the function, except for standard input.
    """

    kind: Kind
    content: Mapping[str, Any]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    function: str = ""

    @property
    def num_tests(self) -> int:
        """Number of tests, also of those that no input can be read from."""
        return len(self.content["asserts"] if self.kind == "assert" else self.content["inputs"])

    def probe(self, source: str, inputs: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """
        Make the program and the tests that show the answers to inputs.

        The expected output of each test is the number of its input, for a checker that keeps the answers.

        Args:
            source (`str`): Program whose answers are asked for.
            inputs (`Sequence[Any]`): The inputs.

        Returns:
            `tuple[str, dict[str, Any]]`: The program to run, and its tests.
        """
        numbers = list(range(len(inputs)))
        if self.kind == "stdin":
            return source, {"inputs": list(inputs), "outputs": list(map(str, numbers))}
        if self.kind == "call":
            return source, {"fn_name": self.function, "inputs": list(inputs), "outputs": numbers}
        # The arguments of an assert may be values that JSON cannot write, such as sets.
        known = ", ".join(f"lambda: {call(self.function, arguments)}" for arguments in inputs)
        program = "\n".join(
            [self.content.get("setup") or "", source, f"def {_ANSWER}(number): return [{known}][number]()"]
        )
        return program, {"fn_name": _ANSWER, "inputs": [[number] for number in numbers], "outputs": numbers}

    def input_of(self, made: Any) -> Any:
        """
        Check an input that a source made, and give it the form that the tests hold.

        Args:
            made (`Any`): Text of standard input, or arguments.

        Returns:
            `Any`: The input; tuples are lists in the arguments of a call.

        Raises:
            CannotAugment: If the format cannot express it.
        """
        try:
            if self.kind == "stdin" and isinstance(made, str):
                made.encode()
                return made
            if self.kind != "stdin" and isinstance(made, list):
                arguments = [_as_json(item) for item in made] if self.kind == "call" else made
                literal(arguments)
                return arguments
        except (TypeError, ValueError, RecursionError) as error:
            raise CannotAugment(str(error)) from error
        raise CannotAugment(f"an input of type {type(made).__name__} is not one of the format")

    def expected(self, answer: Any) -> Any:
        """
        Make the expected output of a test from the answer of a program.

        Args:
            answer (`Any`): Printed text, or the returned value.

        Returns:
            `Any`: The output as the tests hold it.

        Raises:
            CannotAugment: If the format cannot express it.
        """
        try:
            if self.kind == "stdin":
                answer.encode()  # a program may print bytes that are not UTF-8
                output, is_expressed = answer, bool(answer.strip())
            elif self.kind == "call":
                output, is_expressed = load_json(dump_json(_as_json(answer, keys=(str,)))), True
            else:
                output, is_expressed = answer, _is_read_back(answer)
        except (ValueError, RecursionError) as error:
            raise CannotAugment(f"the answer cannot be written: {error}") from error
        if not is_expressed:
            raise CannotAugment(f"an answer of type {type(answer).__name__} cannot be written as a test")
        return output

    def is_right(self, answer: Any, expected: Any, strict: bool = False) -> bool:
        """
        Whether an answer is the expected one, by the comparison of the format.

        Args:
            answer (`Any`): Printed text, or the returned value.
            expected (`Any`): Result of `expected`.
            strict (`bool`, *optional*, defaults to `False`): Compare without the tolerance of APPS.
        """
        if self.kind == "stdin":
            return compare_stdout(answer, expected, strict)
        if self.kind == "call":
            return compare_value(answer, expected, strict)
        if isinstance(expected, float) and isinstance(answer, (int, float)):
            return abs(answer - expected) <= _TOLERANCE * max(1.0, abs(expected))
        try:
            return bool(answer == expected)
        except (TypeError, ValueError, RecursionError):
            return False

    def subset(self, chosen: Sequence[int]) -> dict[str, Any]:
        """
        Some of the tests.

        Args:
            chosen (`Sequence[int]`): Their indices.
        """
        names = ("asserts",) if self.kind == "assert" else ("inputs", "outputs")
        return {**self.content, **{name: [self.content[name][index] for index in chosen] for name in names}}

    def only(self, pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
        """
        Tests of other inputs, in the format of these.

        Args:
            pairs (`Sequence[tuple[Any, Any]]`): Inputs and their expected outputs.
        """
        if self.kind == "assert":
            return {**self.content, "asserts": [self._assert(arguments, output) for arguments, output in pairs]}
        return {**self.content, "inputs": [pair[0] for pair in pairs], "outputs": [pair[1] for pair in pairs]}

    def extended(self, pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
        """
        These tests, followed by others.

        Args:
            pairs (`Sequence[tuple[Any, Any]]`): Inputs and their expected outputs.
        """
        more = self.only(pairs)
        names = ("asserts",) if self.kind == "assert" else ("inputs", "outputs")
        return {**self.content, **{name: [*self.content[name], *more[name]] for name in names}}

    def _assert(self, arguments: Sequence[Any], output: Any) -> str:
        answer = call(self.function, list(arguments))
        if isinstance(output, float):
            tolerance = _TOLERANCE * max(1.0, abs(output))
            return f"assert abs({answer} - {literal(output)}) <= {tolerance!r}"
        return f"assert {answer} == {literal(output)}"


def read_seen_tests(tests: Mapping[str, Any] | str) -> SeenTests:
    """
    Read the tests of a problem.

    Args:
        tests (`Mapping` or `str`): Tests in one of the three formats.

    Returns:
        [`SeenTests`]: The tests.

    Raises:
        CannotAugment: If no input can be read from them.
        ValueError: If they are malformed.
    """
    parsed = parse_tests(tests)
    content = load_json(tests) if isinstance(tests, str) else tests
    content = {name: value for name, value in content.items() if value is not None}
    if "asserts" in content:
        function, inputs, outputs = _read_asserts(content["asserts"])
        return SeenTests("assert", content, inputs, outputs, function)
    inputs, outputs = [case.input for case in parsed.cases], [case.expected for case in parsed.cases]
    if parsed.mode == "stdin":
        return SeenTests("stdin", content, inputs, outputs)
    return SeenTests("call", content, inputs, outputs, content["fn_name"])


def _read_asserts(asserts: Sequence[str]) -> tuple[str, list[list[Any]], list[Any]]:
    """Read `assert f(1, 2) == 3`: the function, the arguments and the answer."""
    found: dict[str, list[tuple[list[Any], Any]]] = {}
    for text in asserts:
        with any_number_of_digits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = ast.parse(text).body
        match statements:
            case [
                ast.Assert(
                    test=ast.Compare(
                        left=ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]),
                        ops=[ast.Eq()],
                        comparators=[right],
                    )
                )
            ]:
                try:
                    pair = [_value(argument) for argument in arguments], _value(right)
                except (ValueError, TypeError, MemoryError, RecursionError):
                    continue
                found.setdefault(name, []).append(pair)
    if not found:
        raise CannotAugment(
            "no assert compares the call of a function, with constants as its arguments, with a constant"
        )
    if len(found) > 1:
        raise CannotAugment(f"the asserts call several functions: {', '.join(found)}")
    ((name, pairs),) = found.items()
    if not any(arguments for arguments, _ in pairs):
        raise CannotAugment("the asserts call a function without arguments")
    return name, [arguments for arguments, _ in pairs], [output for _, output in pairs]


def _value(node: ast.expr) -> Any:
    """Value of a constant expression, also of `set([1, 2])`."""
    match node:
        case ast.Call(func=ast.Name(id="set"), args=[items], keywords=[]):
            return set(_value(items))
        case ast.Call(func=ast.Name(id="tuple"), args=[items], keywords=[]):
            return tuple(_value(items))
    return ast.literal_eval(node)


def _as_json(value: Any, keys: tuple[type, ...] = (str, int)) -> Any:
    """A value as the tests of calls hold it; tuples are lists there."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if value != value or abs(value) == float("inf"):
            raise ValueError("it holds a number that is not finite")
        return value
    if isinstance(value, (list, tuple)):
        return [_as_json(item, keys) for item in value]
    # Integers as keys are restored when tests are read, if all keys are some.
    if isinstance(value, dict) and any(all(type(key) is kind for key in value) for kind in keys):
        return {key: _as_json(item, keys) for key, item in value.items()}
    raise ValueError(f"it holds a {type(value).__name__}")


def _is_read_back(value: Any) -> bool:
    """Whether the source of a value has the same value."""
    try:
        text = literal(value)
        with any_number_of_digits():
            return bool(_value(ast.parse(text, mode="eval").body) == value)
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        return False
