"""Grade programs on one node: the class of the actor, which does not import torch."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
import time
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ... import __version__
from ..errors import SandboxError
from ..program import Program
from ..report import ExecutionReport
from ..runner import LocalRunner
from ..sandbox.isolation import Isolation
from ..unit_tests.formats import Checker


# A shared grader outlives the process that started it. It ends when it has not heard of its clients for this long.
LEASE_SECONDS = 300.0
_MAX_CHECKERS = 256


class Problem(NamedTuple):
    """
    What programs are graded with.

    Args:
        tests (`Mapping` or `str`): Tests as the caller wrote them.
        checker (`bytes`, *optional*): The pickled checker.
        timeout (`float`, *optional*): CPU seconds per test.
        memory_limit (`int`, *optional*): Bytes of address space per process.
    """

    tests: Mapping[str, Any] | str
    checker: bytes | None = None
    timeout: float | None = None
    memory_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """
    What a grader tells a client that starts to use it.

    Args:
        num_workers (`int`): Number of programs that run at the same time.
        sandbox ([`~execution.Isolation`], *optional*): The isolation in force on the node.
        problem (`str`, *optional*): Why the client cannot use this grader; empty if it can.
    """

    num_workers: int
    sandbox: Isolation | None = None
    problem: str = ""


@dataclass(slots=True)
class GradingRequest:
    """
    Programs that are sent together.

    Programs with equal tests and limits name the same problem.

    Args:
        sources (`list[str]`): Source of each program.
        problems (`list[Problem]`): The distinct tests, with their limits.
        problem_of (`list[int]`): Index of the tests of each program.
        key (`str`, *optional*): Name of the request, made up.
    """

    sources: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_of: list[int] = field(default_factory=list)
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


class Grader:
    """
    A [`~execution.LocalRunner`] for other processes.

    Its methods are called from several threads.

    Args:
        arguments (`Mapping[str, Any]`): Arguments of the runner, without `num_workers` and `checker`.
        num_workers (`int`): Number of programs that run at the same time.
        is_shared (`bool`): Whether this process ends by itself when no client uses it any more.
    """

    def __init__(self, arguments: Mapping[str, Any], num_workers: int, is_shared: bool):
        self._arguments = dict(arguments)
        self._checkers: OrderedDict[str, Checker] = OrderedDict()
        self._lock = threading.Lock()
        # Time of the last sign of life of each client. Who starts a grader has time to become the first client.
        self._clients = {"": time.monotonic()}
        self._num_running = 0
        self._open: set[str] = set()  # keys of the requests that are wanted
        self._runner: LocalRunner | None = None
        self._problem = ""
        try:
            with warnings.catch_warnings(action="ignore"):  # the caller warns
                self._runner = LocalRunner(num_workers, **self._arguments, allow_code_eval=True)
        except SandboxError as error:
            self._problem = str(error)
        self._num_workers = num_workers
        if is_shared:
            threading.Thread(target=self._end_without_clients, name="trl-rltf leases", daemon=True).start()

    def attach(self, client: str, arguments: Mapping[str, Any], version: str) -> Welcome:
        """
        Start, or continue, to use this grader.

        Args:
            client (`str`): Name of the client.
            arguments (`Mapping[str, Any]`): Arguments of the runner that the client wants.
            version (`str`): Version of this package that the client has.

        Returns:
            [`Welcome`]: The isolation, or why the client cannot use this grader.
        """
        if version != __version__:
            return Welcome(self._num_workers, problem=f"it has trl-rltf {__version__}, but the caller has {version}")
        different = [name for name, value in arguments.items() if self._arguments.get(name) != value]
        if different:
            found = ", ".join(f"`{name}={self._arguments.get(name)!r}`" for name in different)
            return Welcome(
                self._num_workers,
                problem=f"its grader of this name has {found}. Use equal arguments, or another `name`",
            )
        if self._runner is None:
            return Welcome(self._num_workers, problem=self._problem)
        with self._lock:
            self._clients.pop("", None)
            self._clients[client] = time.monotonic()
        return Welcome(self._num_workers, self._runner.sandbox)

    def detach(self, client: str) -> None:
        """Stop to use this grader. A shared grader without clients ends."""
        with self._lock:
            self._clients.pop(client, None)

    def grade(self, request: GradingRequest) -> list[ExecutionReport]:
        """
        Grade programs.

        Args:
            request ([`GradingRequest`]): The programs.

        Returns:
            `list[ExecutionReport]`: One report per program; fewer if the client has given up.

        Raises:
            SandboxError: If no worker of the sandbox starts.
            ValueError: If a checker cannot be loaded on this node.
        """
        assert self._runner is not None, "a client that got a problem sends no programs"
        with self._lock:
            self._num_running += 1
            self._open.add(request.key)
        try:
            problems = [(problem, self._checker(problem.checker)) for problem in request.problems]
            programs = [
                Program(source, found.tests, checker, timeout=found.timeout, memory_limit=found.memory_limit)
                for source, index in zip(request.sources, request.problem_of, strict=True)
                for found, checker in [problems[index]]
            ]
            reports = []
            for report in self._runner.stream(programs):
                reports.append(report)
                if request.key not in self._open:
                    break  # which ends the stream, and what runs
            return reports
        finally:
            with self._lock:
                self._num_running -= 1
                self._open.discard(request.key)

    def give_up(self, key: str) -> None:
        """Stop to grade the programs of a request, after the next report."""
        with self._lock:
            self._open.discard(key)

    def _checker(self, pickled: bytes | None) -> Checker | None:
        """Load a checker once, for `LocalRunner` keeps parsed tests by its identity."""
        if pickled is None:
            return None
        key = hashlib.sha256(pickled).hexdigest()
        with self._lock:
            if key in self._checkers:
                self._checkers.move_to_end(key)
                return self._checkers[key]
        try:
            checker: Checker = pickle.loads(pickled)
        except Exception as error:
            raise ValueError(
                f"a checker cannot be loaded on the node ({type(error).__name__}: {error}). Install its module there, or "
                "define the checker in the script that is run"
            ) from error
        with self._lock:
            self._checkers[key] = checker
            while len(self._checkers) > _MAX_CHECKERS:
                self._checkers.popitem(last=False)
        return checker

    def _end_without_clients(self) -> None:
        while True:
            time.sleep(min(1.0, LEASE_SECONDS / 10))
            with self._lock:
                now = time.monotonic()
                ended = [client for client, heard in self._clients.items() if now - heard > LEASE_SECONDS]
                for client in ended:
                    del self._clients[client]
                if not self._clients and not self._num_running:
                    break
        if self._runner is not None:
            self._runner.close()
        os._exit(0)  # Ray has a function that ends an actor, but not from a thread
