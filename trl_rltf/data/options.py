"""Options that a reader of rows may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from ..execution.limits import MEMORY_LIMIT
from ..execution.program import Program, Runner
from ..execution.report import Outcome
from ..execution.runner import LocalRunner


_TIMEOUT = 60.0  # CPU seconds per input: canonical solutions are right, and some are slow
_OUTPUT_LIMIT = 2**28  # bytes per answer


@dataclass(frozen=True)
class Columns:
    """
    Names of the columns of a dataset that is not one of the known benchmarks.

    A column that the dataset lacks counts as empty, except `prompt` and `tests`.

    Args:
        prompt (`str`, *optional*, defaults to `"prompt"`): Text, or chat messages, of which the text of the last one counts.
        tests (`str`, *optional*, defaults to `"tests"`): Unit tests: a mapping, or JSON text, in one of the three formats; a
            list of test cases with `input` and `output` (and `fn_name` for calls); or a list of asserts.
        solutions (`str`, *optional*, defaults to `"solutions"`): Reference solutions: one program, or a list of them, also as
            JSON text.
        problem_id (`str`, *optional*, defaults to `"problem_id"`): Name of the problem. Defaults to the number of the row.
        difficulty (`str`, *optional*, defaults to `"difficulty"`): Level of the problem.
        starter_code (`str`, *optional*, defaults to `"starter_code"`): Code with which the solution has to begin.
        time_limit (`str`, *optional*, defaults to `"time_limit"`): Seconds per test, as a number or as text (`"2 seconds"`).
        memory_limit (`str`, *optional*, defaults to `"memory_limit"`): Bytes, as a number or as text (`"256 MB"`).
    """

    _: KW_ONLY
    prompt: str = "prompt"
    tests: str = "tests"
    solutions: str = "solutions"
    problem_id: str = "problem_id"
    difficulty: str = "difficulty"
    starter_code: str = "starter_code"
    time_limit: str = "time_limit"
    memory_limit: str = "memory_limit"


@dataclass
class Options:
    """
    Options of a call of `load_benchmark` that a reader may use.

    Args:
        columns ([`~data.Columns`]): Names of the columns.
        runner ([`~execution.Runner`], *optional*): Grader that runs canonical solutions. Defaults to a
            [`~execution.LocalRunner`], which starts when it is first needed.
        start_date (`str`, *optional*): First day of the contests to keep, `"2024-08-01"`.
        end_date (`str`, *optional*): Last day of the contests to keep.
    """

    columns: Columns = field(default_factory=Columns)
    runner: Runner | None = None
    start_date: str | None = None
    end_date: str | None = None
    _own_runner: LocalRunner | None = None

    def close(self) -> None:
        """End the grader that was started here."""
        if self._own_runner is not None:
            self._own_runner.close()

    def run_solution(self, source: str, function: str, num_calls: int) -> list[Any]:
        """
        Run a canonical solution in the sandbox and get its answers.

        Args:
            source (`str`): Program that defines the function.
            function (`str`): Function that takes the number of a call, from 0, and returns an answer.
            num_calls (`int`): Number of calls.

        Returns:
            `list[Any]`: The answers, as plain values.

        Raises:
            RuntimeError: If a call raises an exception or exceeds a limit. The message describes it.
            SandboxError: If the sandbox does not work.
        """
        answers: dict[int, Any] = {}

        def keep(arguments: list[Any], answer: Any, expected: Any) -> bool:
            answers[arguments[0]] = answer
            return True

        calls = list(range(num_calls))
        tests: Mapping[str, Any] = {"fn_name": function, "inputs": [[index] for index in calls], "outputs": calls}
        (report,) = self._runner().run([Program(source, tests, checker=keep)])
        if report.outcome is not Outcome.PASS:
            raise RuntimeError(f"{report.error_type or report.outcome.name}: {report.error_message or 'no answer'}")
        if len(answers) < num_calls:
            raise RuntimeError("the runner kept no answers: it has to call `Program.checker`, as `LocalRunner` does")
        return [answers[index] for index in calls]

    def _runner(self) -> Runner:
        if self.runner is not None:
            return self.runner
        if self._own_runner is None:
            self._own_runner = solution_runner()
        return self._own_runner


def solution_runner(allow_code_eval: bool | None = None) -> LocalRunner:
    """
    Make a grader for canonical solutions.

    Args:
        allow_code_eval (`bool`, *optional*): Opt-in to running code. Defaults to the variable `HF_ALLOW_CODE_EVAL`.

    Returns:
        [`~execution.LocalRunner`]: A grader with higher limits than those of programs of a model.
    """
    return LocalRunner(
        1, _TIMEOUT, memory_limit=4 * MEMORY_LIMIT, output_limit=_OUTPUT_LIMIT, allow_code_eval=allow_code_eval
    )
