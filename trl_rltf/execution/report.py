"""Report the outcome of running one program against its tests."""

from __future__ import annotations

import enum
from dataclasses import KW_ONLY, dataclass


_SYNTAX_ERRORS = frozenset(["SyntaxError", "IndentationError", "TabError"])


class Outcome(enum.IntEnum):
    """
    Outcome of a program: the worst over its tests. Worse outcomes are smaller.

    `NOT_GRADABLE` says nothing about the program: the sandbox failed twice while it graded the program.
    """

    NOT_GRADABLE = -1
    SYNTAX_ERROR = 0
    RUNTIME_ERROR = 1
    FAILURE = 2
    PASS = 3


class Verdict(enum.StrEnum):
    """Result of one unit test."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """
    A range of the unmodified source text.

    Args:
        line (`int`): First line, counted from 1.
        column (`int`): First character in that line, counted from 0 in characters (not bytes).
        end_line (`int`): Last line, counted from 1.
        end_column (`int`): Character after the last one, counted from 0.
    """

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class FirstFailure:
    """
    The first test that a program did not pass.

    Each text is of one line and at most 200 characters.

    Args:
        test (`int`): Index of the test.
        input (`str`, *optional*, defaults to `""`): Input, list of the arguments, or the expression that an assert evaluates.
        expected (`str`, *optional*, defaults to `""`): Expected output or value, or the assert.
        got (`str`, *optional*, defaults to `""`): Output or value of the program, or its error.
    """

    test: int
    _: KW_ONLY
    input: str = ""
    expected: str = ""
    got: str = ""

    def __str__(self) -> str:
        parts = {"input": self.input, "expected": self.expected, "got": self.got}
        return "\n".join(f"{name}: {text}" for name, text in parts.items() if text)


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """
    Report on one program.

    Args:
        outcome ([`Outcome`]): Worst outcome over all tests.
        verdicts (`tuple[Verdict, ...]`, *optional*): Verdict of each test, in the order of the tests.
        error_type (`str`, *optional*): Name of the exception class, `"TimeoutError"` for a test that ran out of time,
            the name of a signal (`"SIGKILL"`) for a killed process, or `None` when nothing was raised.
        error_message (`str`, *optional*, defaults to `""`): Message of that error, at most 500 characters.
        error_detail (`str`, *optional*, defaults to `""`): Kind of error that its position and the structure of the
            program show: `"truncated"`, `"inconsistent_indentation"`, `"unterminated_triple_quote"`,
            `"duplicate_argument"`, `"import_star"`, `"raised_by_interpreter"` or `""`.
        span ([`Span`], *optional*): The failing statement, or `None` when the error has no place in the program.
        expression_span ([`Span`], *optional*): The failing sub-expression that Python's position table names.
        stdout (`str`, *optional*, defaults to `""`): Output of the program in the first test that did not pass, else
            in the last test; its first 2000 characters.
        first_failure ([`FirstFailure`], *optional*): The first test that the program did not pass, with its expected output,
            or `None` if it passed all of them.
        self_graded_tests (`tuple[int, ...]`, *optional*): Indices of the assert tests that ran in the process of the
            program, because they cannot be split or run apart from it. The program took part in their verdicts.
        trailing_error_type (`str`, *optional*): Name of the exception class of an error in trailing code: code after
            the definitions that the tests use, such as an example, an assert that the model wrote, or a line that was
            cut off. The tests ran on the names that were defined before the error. `None` when there was no such
            error.
        trailing_error_message (`str`, *optional*, defaults to `""`): Message of the error in trailing code, at most
            500 characters.
        trailing_span ([`Span`], *optional*): The statement that failed in trailing code, or `None` when it has no
            place.
        cpu_seconds (`float`, *optional*, defaults to `0.0`): CPU seconds of all processes that graded the program.
        wall_seconds (`float`, *optional*, defaults to `0.0`): Elapsed seconds in which the program was graded.
        peak_memory (`int`, *optional*, defaults to `0`): Bytes of resident memory of its largest process at its peak, with that of
            the interpreter.
    """

    outcome: Outcome
    verdicts: tuple[Verdict, ...] = ()
    _: KW_ONLY
    error_type: str | None = None
    error_message: str = ""
    error_detail: str = ""
    span: Span | None = None
    expression_span: Span | None = None
    stdout: str = ""
    first_failure: FirstFailure | None = None
    self_graded_tests: tuple[int, ...] = ()
    trailing_error_type: str | None = None
    trailing_error_message: str = ""
    trailing_span: Span | None = None
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory: int = 0

    @property
    def whole_module_outcome(self) -> Outcome:
        """
        Outcome if the whole module counts, as in LiveCodeBench.

        An error in trailing code is then an error of the program, and an assert that fails there is a wrong answer.
        """
        if self.trailing_error_type is None:
            return self.outcome
        if self.trailing_error_type in _SYNTAX_ERRORS:
            return min(self.outcome, Outcome.SYNTAX_ERROR)
        is_own_assert = self.trailing_error_type == "AssertionError"
        return min(self.outcome, Outcome.FAILURE if is_own_assert else Outcome.RUNTIME_ERROR)

    @property
    def num_tests(self) -> int:
        """Number of tests the program has."""
        return len(self.verdicts)

    @property
    def num_passed(self) -> int:
        """Number of tests the program passed."""
        return sum(verdict is Verdict.PASSED for verdict in self.verdicts)

    @property
    def pass_ratio(self) -> float:
        """Share of the tests that the program passed; 0 without tests."""
        return self.num_passed / max(1, self.num_tests)

    @property
    def num_run(self) -> int:
        """Number of tests that were run to a verdict."""
        return sum(verdict is not Verdict.NOT_RUN for verdict in self.verdicts)
