"""Divide a batch into tasks, each of which is one request to a grader."""

from __future__ import annotations

from collections.abc import Sequence

from ..host.job import Job
from ..host.pool import Batch
from ..program import Program
from ..report import ExecutionReport
from ..unit_tests.unit_test import UnitTests
from .grader import GradingRequest, Problem


class RemoteJob(Job):
    """
    One distinct program of a batch that is sent to a grader.

    Args:
        program ([`~execution.Program`]): The program, with its tests as the caller wrote them.
        tests ([`~execution.unit_tests.unit_test.UnitTests`]): Its parsed tests.
        checker (`bytes` or `None`): Its checker, pickled.
    """

    def __init__(self, program: Program, tests: UnitTests, checker: bytes | None):
        super().__init__(program.source, tests)
        self.program = program
        self.tests = tests
        self.checker = checker


class Task:
    """
    Jobs of a batch that are sent together.

    Args:
        jobs (`Sequence[RemoteJob]`): The jobs.
        batch ([`~execution.host.pool.Batch`]): The batch that they are part of.

    Attributes:
        num_losses (`int`): Number of graders that were lost while they had this task.
        is_open (`bool`): Whether the jobs have no reports yet.
        key (`str`): Name of the last request.
    """

    def __init__(self, jobs: Sequence[RemoteJob], batch: Batch):
        self.jobs = jobs
        self.batch = batch
        self.num_losses = 0
        self.is_open = True
        self.key = ""

    def request(self) -> GradingRequest:
        """Write the message to the grader."""
        request = GradingRequest()
        problems: dict[tuple[int, float | None, int | None], int] = {}
        for job in self.jobs:
            program = job.program
            key = id(job.tests), program.timeout, program.memory_limit
            index = problems.setdefault(key, len(problems))
            if index == len(request.problems):
                request.problems.append(Problem(program.tests, job.checker, program.timeout, program.memory_limit))
            request.sources.append(program.source)
            request.problem_of.append(index)
        self.key = request.key
        return request

    def finish(self, reports: Sequence[ExecutionReport]) -> None:
        """Hand over the reports, unless the caller has given up."""
        if self.is_open:
            self.is_open = False
            for job, report in zip(self.jobs, reports, strict=True):
                job.report = report
                self.batch.mark_done(job)

    def give_up(self, reason: str) -> None:
        """End the jobs without a verdict."""
        if self.is_open:
            self.is_open = False
            for job in self.jobs:
                job.give_up(reason)
                self.batch.mark_done(job)
