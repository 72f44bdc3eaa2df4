"""
Write the requests for one program, and turn the replies into its report.

The expected outputs stay here: a worker gets the program and the inputs, and its reply is compared in this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..report import ExecutionReport, FirstFailure, Outcome, Span, Verdict
from ..unit_tests.unit_test import UnitTests
from ..wire.frames import STDOUT_SAMPLE, pack_parts
from ..wire.messages import (
    CaseResult,
    LocatedError,
    ProgramLimits,
    ProgramPayload,
    RefereePayload,
    ReplyHead,
    Request,
    ScriptPayload,
)
from ..wire.parsing import parse_json
from .first_failure import answer_text, describe


class Job:
    """
    One distinct program of a batch.

    Args:
        source (`str`): The program.
        tests ([`~execution.unit_tests.unit_test.UnitTests`]): Its tests.
        stop_on_first_failure (`bool`, *optional*, defaults to `False`): Leave out the tests after the first that does not
            pass. Tests are then sent in groups of 1, 2, 4, …
        process_per_test (`bool`, *optional*, defaults to `False`): Compile a script again for each test.
        whole_module (`bool`, *optional*, defaults to `False`): Count an error in trailing code.
        limits ([`~execution.wire.messages.ProgramLimits`], *optional*): Limits of this program in place of those of the workers.

    Attributes:
        report ([`~execution.report.ExecutionReport`] or `None`): The report, once it is complete.
        num_deaths (`int`): Number of workers that died while they graded this program.
    """

    def __init__(
        self,
        source: str,
        tests: UnitTests,
        *,
        stop_on_first_failure: bool = False,
        process_per_test: bool = False,
        whole_module: bool = False,
        limits: ProgramLimits | None = None,
    ):
        self._source = source
        self._limits: ProgramLimits = limits or {}
        self._process_per_test = process_per_test
        self._whole_module = whole_module
        self._tests = tests
        # Such tests are one script: a test may use the variables of earlier tests.
        is_script = tests.mode in ("referee", "inside")
        self._step = 1 if stop_on_first_failure and not is_script else len(tests.cases)
        self._verdicts = [Verdict.NOT_RUN] * len(tests.cases)
        self._next = 0  # first test that has not been sent
        self._batch = range(0)
        self._self_graded: list[int] = []
        self._error: LocatedError | None = None
        self._trailing: LocatedError | None = None
        self._compiled = True
        self._stdout: str | None = None
        self._wrong_answer: str | None = None  # in the first test that did not pass; empty if it gave no answer
        self._cpu = self._wall = 0.0
        self._memory = 0
        self.num_deaths = 0
        self.report: ExecutionReport | None = None

    def request(self) -> Request:
        """Choose the next tests, and write the message that the worker reads."""
        self._batch = range(self._next, min(self._next + self._step, len(self._verdicts)))
        return {
            "mode": self._tests.mode,
            "num_sent": len(self._batch),
            "num_tests": len(self._verdicts),
            "spent": (self._cpu, self._wall),
            "process_per_test": self._process_per_test,
            "limits": self._limits,
        }

    def payloads(self) -> tuple[bytes, bytes]:
        """
        Write the bytes for the processes of the program, for the last request.

        Returns:
            `tuple[bytes, bytes]`: The payload of the program's process, and that of the referee. For scripts the second one
            holds the inputs.
        """
        tests, cases = self._tests, [self._tests.cases[index] for index in self._batch]
        if tests.mode == "stdin":
            inputs = [case.probe["stdin"].encode("utf-8", "surrogateescape") for case in cases]
            script: ScriptPayload = {"source": self._source}
            return json.dumps(script).encode(), pack_parts(inputs)
        program: ProgramPayload = {
            "source": self._source,
            "mode": tests.mode,
            "probes": [case.probe for case in cases],
            "early_setup": tests.early_setup,
            "own_names": tests.own_names,
            "setup": tests.setup,
            "required": tests.required,
            "built_in": tests.built_in,
            "whole_module": self._whole_module,
        }
        if tests.mode != "referee":
            return json.dumps(program).encode(), b"{}"
        referee: RefereePayload = {
            "setup": tests.referee_setup,
            "statements": [case.statements for case in cases],
            "names": [name for group in tests.required for name in group],
        }
        return json.dumps(program).encode(), json.dumps(referee).encode()

    @property
    def num_tests_sent(self) -> int:
        """Number of tests in the last request."""
        return len(self._batch)

    def receive(self, head: ReplyHead, blobs: memoryview) -> None:
        """
        Compare the answers of the program with the expected ones.

        Args:
            head ([`~execution.wire.messages.ReplyHead`]): The worker's reply.
            blobs (`memoryview`): Values and output of each test, as the program's process wrote them.
        """
        for index, test in zip(self._batch, head["tests"], strict=True):
            values, printed = (blobs[start : start + size] for start, size in (test["values"], test["stdout"]))
            self._verdicts[index] = self._verdict(index, test, values, printed)
            if self._stdout is None and (
                self._verdicts[index] is not Verdict.PASSED or index == len(self._verdicts) - 1
            ):
                self._stdout = bytes(printed[: 4 * STDOUT_SAMPLE]).decode("utf-8", "replace")[:STDOUT_SAMPLE]
            if self._wrong_answer is None and self._verdicts[index] is not Verdict.PASSED:
                is_done = test["kind"] == "done"
                self._wrong_answer = answer_text(self._tests.mode, values, printed) if is_done else ""
        self._error = self._error or head["error"]
        self._trailing = self._trailing or head["trailing"]
        self._compiled = head["compiled"]
        self._cpu += head["cpu"]
        self._wall += head["wall"]
        self._memory = max(self._memory, head["memory"])
        passed = all(self._verdicts[index] is Verdict.PASSED for index in self._batch)
        self._next, self._step = self._batch.stop, 2 * self._step
        if not passed or self._next == len(self._verdicts):
            self.report = self._make_report()

    def give_up(self, reason: str) -> None:
        """End the job without a verdict."""
        self.report = ExecutionReport(
            Outcome.NOT_GRADABLE, verdicts=(Verdict.NOT_RUN,) * len(self._verdicts), error_message=reason[:500]
        )

    def _verdict(self, index: int, test: CaseResult, values: memoryview, printed: memoryview) -> Verdict:
        if test["kind"] != "done":
            return {"timeout": Verdict.TIMEOUT, "not_run": Verdict.NOT_RUN}.get(test["kind"], Verdict.ERROR)
        case = self._tests.cases[index]
        if self._tests.mode == "stdin":
            return _compare(case.check, bytes(printed).decode("utf-8", "surrogateescape"))
        answers = parse_json(bytes(values))
        if not isinstance(answers, list) or not answers:
            return Verdict.FAILED
        if self._tests.mode == "inside":
            self._self_graded.append(index)
        return _compare(case.check, answers)

    def _make_report(self) -> ExecutionReport:
        error, trailing, verdicts = self._error, self._trailing, tuple(self._verdicts)
        run = {*verdicts} - {Verdict.NOT_RUN}
        if not self._compiled:
            outcome = Outcome.SYNTAX_ERROR
        elif error or not run <= {Verdict.PASSED, Verdict.FAILED}:
            outcome = Outcome.RUNTIME_ERROR
        else:
            outcome = Outcome.FAILURE if Verdict.FAILED in verdicts else Outcome.PASS
        return ExecutionReport(
            outcome,
            verdicts,
            error_type=str(error["type"])[:200] if error else None,
            error_message=str(error["message"])[:500] if error else "",
            error_detail=str(error["detail"]) if error else "",
            span=_span(error["span"]) if error else None,
            expression_span=_span(error["expression_span"]) if error else None,
            stdout=self._stdout or "",
            first_failure=self._first_failure(),
            self_graded_tests=tuple(self._self_graded),
            trailing_error_type=str(trailing["type"])[:200] if trailing else None,
            trailing_error_message=str(trailing["message"])[:500] if trailing else "",
            trailing_span=_span(trailing["span"]) if trailing else None,
            cpu_seconds=self._cpu,
            wall_seconds=self._wall,
            peak_memory=self._memory,
        )

    def _first_failure(self) -> FirstFailure | None:
        if self._wrong_answer is None:
            return None
        index, verdict = next((i, v) for i, v in enumerate(self._verdicts) if v is not Verdict.PASSED)
        error = f"{self._error['type']}: {self._error['message']}" if self._error else verdict.value
        return describe(self._tests, index, self._wrong_answer or error)


def _compare(check: Callable[[Any], bool], answer: Any) -> Verdict:
    try:
        return Verdict.PASSED if check(answer) else Verdict.FAILED
    except Exception:
        # A value from a hostile process may raise anything when it is compared. That is a wrong answer, and not an error.
        return Verdict.FAILED


def _span(numbers: list[int] | None) -> Span | None:
    if numbers is None:
        return None
    line, column, end_line, end_column = map(int, numbers)
    return Span(line=line, column=column, end_line=end_line, end_column=end_column)
