"""
Keep the graders of a cluster busy from one thread.

As in [`~execution.host.pool.WorkerPool`], no failure may lose a job or let a caller wait forever: each job ends with a report,
and each batch with its reports or a [`~execution.errors.SandboxError`].
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from ..errors import SandboxError
from ..host.pool import Batch
from ..report import ExecutionReport
from ..sandbox.isolation import Isolation
from .grader import LEASE_SECONDS, Welcome
from .nodes import GraderSettings, NodeGrader, describe_node, find_nodes, import_ray
from .tasks import Task


logger = logging.getLogger(__name__)

START_SECONDS = 60.0  # that a grader may take to start
_POLL_SECONDS = 1.0
_MAX_FAILED_STARTS = 3  # of a grader, in a row


class RayPool:
    """
    Send jobs to the graders of a cluster.

    All methods may be called from any thread.

    Args:
        settings ([`GraderSettings`]): What is wanted of the graders.
        batch_size (`int`): Maximum number of programs per request.
        max_task_retries (`int`): How often the programs of a lost grader are sent again.

    Attributes:
        sandboxes (`dict[str, Isolation]`): The isolation on each node that grades, by the identifier of the node.
        left_out (`dict[str, str]`): Why a node grades no programs, by the identifier of the node.
        failure (`str`): Why no grader can be used; empty while one can.
    """

    def __init__(self, settings: GraderSettings, batch_size: int, max_task_retries: int):
        self._settings = settings
        self._batch_size = batch_size
        self._max_task_retries = max_task_retries
        self._lock = threading.Lock()
        self._closing = False
        self._submitted: list[Batch] = []
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._warnings: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._settled = threading.Event()
        self.sandboxes: dict[str, Isolation] = {}
        self.left_out: dict[str, str] = {}
        self.failure = ""
        # Only the thread of the pool touches these.
        self._waiting: deque[Task] = deque()
        self._running: dict[Task, NodeGrader] = {}
        self._graders: dict[str, NodeGrader] = {}
        self._starting: dict[str, tuple[NodeGrader, float]] = {}  # and the time when it should have started
        self._num_failed_starts: Counter[str] = Counter()
        self._looked = self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="trl-rltf graders", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # before Ray disconnects: shared graders are told

    def wait_for_graders(self) -> None:
        """
        Wait until each node has a grader, or is left out.

        Raises:
            SandboxError: If no node can be used.
        """
        self._settled.wait()
        if not self.sandboxes:
            reason = (
                self.failure
                or "; ".join(self.left_out.values())
                or "none has the CPUs and the resources free that a grader asks for"
            )
            raise SandboxError(f"No node of the Ray cluster grades programs: {reason}.")

    def pop_warnings(self) -> list[str]:
        """Return the warnings since the last call, for the thread of a caller."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._warnings.get_nowait())
        return found

    def submit(self, batch: Batch) -> bool:
        """Queue the jobs of a batch. Returns `False` if the pool is closed."""
        with self._lock:
            if self._closing:
                return False
            batch.server = self._thread
            self._submitted.append(batch)
        self._events.put(self._queue)
        return True

    def cancel(self, batch: Batch) -> None:
        """
        Give up the open jobs of a batch. All of them have a report when this returns.

        A grader that has some of them finishes a program, and gives up the others.
        """
        self._events.put(partial(self._give_up, "The caller gave up.", batch))
        if threading.current_thread() is not self._thread:
            batch.wait()

    def close(self) -> None:
        """Give up all open jobs, and end the graders, or leave them if they are shared."""
        atexit.unregister(self.close)
        with self._lock:
            self._closing = True
        self._events.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _serve(self) -> None:
        reason, is_failure = "The runner was closed.", False
        try:
            self._find_nodes()
            while True:
                with contextlib.suppress(queue.Empty):
                    event = self._events.get(timeout=_POLL_SECONDS)
                    if event is None:
                        break
                    event()
                self._look_around()
                self._assign()
        except BaseException as error:
            reason, is_failure = f"The connection to the graders failed: {type(error).__name__}: {error}", True
            self.failure = reason
        finally:
            with self._lock:
                self._closing = True
            self._make_tasks()
            self._give_up(reason, is_failure=is_failure)
            for grader in [*self._graders.values(), *(grader for grader, _ in self._starting.values())]:
                grader.stop()
            self._settled.set()

    # ------------------------------------------------------------------ graders

    def _find_nodes(self) -> None:
        """Start graders on new nodes, and forget those of nodes that are gone."""
        try:
            nodes = find_nodes(self._settings)
        except ConnectionError:
            raise
        except Exception as error:  # the head node may be restarting
            if not self._graders:
                raise
            logger.warning("The nodes of the Ray cluster cannot be listed: %s", _last_line(error))
            return
        for node_id in set(self._graders) - set(nodes):
            del self._graders[node_id], self.sandboxes[node_id]
        for node_id in set(self._starting) - set(nodes):
            del self._starting[node_id]
        for node_id, node in nodes.items():
            is_new = node_id not in {*self._graders, *self._starting, *self.left_out}
            if is_new and self._num_failed_starts[node_id] < _MAX_FAILED_STARTS:
                self._start(node)
        if not self._starting:
            self._settled.set()

    def _start(self, node: dict[str, Any]) -> None:
        try:
            grader = NodeGrader(self._settings, node)
            welcome = grader.attach()
        except ValueError as error:  # Ray refuses an option
            self._leave_out(node["NodeID"], describe_node(node), str(error))
            return
        self._starting[grader.node_id] = grader, time.monotonic() + START_SECONDS
        welcome.add_done_callback(lambda future: self._events.put(partial(self._on_start, grader, future)))

    def _on_start(self, grader: NodeGrader, future: Future[Welcome]) -> None:
        known = self._starting.pop(grader.node_id, None)
        if known is None or known[0] is not grader:  # its node has gone
            return
        ray = import_ray()
        try:
            welcome = future.result()
        except ray.exceptions.RayTaskError as error:
            self._leave_out(grader.node_id, grader.label, _last_line(error))
        except ray.exceptions.RayError as error:
            logger.warning("The grader of node %s did not start: %s", grader.label, _last_line(error))
            self._num_failed_starts[grader.node_id] += 1
            if self._num_failed_starts[grader.node_id] >= _MAX_FAILED_STARTS:
                self._warnings.put(
                    f"Node {grader.label} grades no programs, because its grader did not start: {_last_line(error)}"
                )
            self._find_nodes()
        else:
            if welcome.problem or welcome.sandbox is None:
                self._leave_out(grader.node_id, grader.label, welcome.problem)
                grader.stop()
            else:
                self._accept(grader, welcome.sandbox)
        if not self._starting:
            self._settled.set()

    def _accept(self, grader: NodeGrader, sandbox: Isolation) -> None:
        self._num_failed_starts.pop(grader.node_id, None)
        grader.sandbox = sandbox
        self._graders[grader.node_id] = grader
        self.sandboxes[grader.node_id] = sandbox
        if self._settings.arguments.get("isolation", "auto") == "auto" and not sandbox.is_complete:
            self._warnings.put(f"Node {grader.label}: {sandbox.warning}")

    def _leave_out(self, node_id: str, label: str, reason: str) -> None:
        self.left_out[node_id] = f"node {label}: {reason}"
        self._warnings.put(f"Node {label} grades no programs: {reason}")

    def _look_around(self) -> None:
        """Do what has to be done from time to time."""
        now = time.monotonic()
        if now - self._looked < _POLL_SECONDS:
            return
        self._looked = now
        if self._settings.name is not None and now - self._renewed > LEASE_SECONDS / 10:
            self._renewed = now
            for grader in self._graders.values():
                grader.attach()
        if not self._settled.is_set() and all(now > deadline for _, deadline in self._starting.values()):
            for grader, _ in self._starting.values():
                self._warnings.put(
                    f"Node {grader.label} has started no grader for {START_SECONDS:g} s, and is used when it has: Ray may have "
                    "given its CPUs to another process. Pass a smaller `num_cpus`, or the same `name` to all runners of a job."
                )
            self._settled.set()
        if self._waiting and not self._graders:
            self._find_nodes()

    # ------------------------------------------------------------------ jobs

    def _queue(self) -> None:
        self._num_failed_starts.clear()  # what failed an hour ago may work now
        self._find_nodes()
        self._make_tasks()

    def _make_tasks(self) -> None:
        with self._lock:
            batches, self._submitted = self._submitted, []
        for batch in batches:
            # A small batch is divided among the nodes, so that its last report comes early.
            size = min(self._batch_size, max(1, -(-len(batch.jobs) // max(1, len(self._graders)))))
            jobs: Any = batch.jobs
            self._waiting += [Task(jobs[start : start + size], batch) for start in range(0, len(jobs), size)]

    def _assign(self) -> None:
        while self._waiting and self._graders:
            grader = min(self._graders.values(), key=lambda grader: grader.num_running)
            if grader.num_running >= self._settings.num_requests:
                return
            task = self._waiting.popleft()
            self._running[task] = grader
            try:
                answer = grader.grade(task.request())
            except Exception as error:  # tests of a type that cannot be pickled
                del self._running[task]
                self._fail(task, f"Programs cannot be sent to a node: {type(error).__name__}: {error}")
                continue
            grader.num_running += 1
            answer.add_done_callback(partial(self._receive, task))
        has_time = any(time.monotonic() < deadline for _, deadline in self._starting.values())
        if self._waiting and not self._graders and not self._running and not has_time:
            reason = "; ".join(self.left_out.values()) or "all of them are lost or have no free CPU"
            for task in list(self._waiting):
                self._fail(task, f"No node of the Ray cluster grades programs: {reason}.")

    def _receive(self, task: Task, future: Future[list[ExecutionReport]]) -> None:
        # In a thread of Ray.
        self._events.put(partial(self._on_answer, task, future))

    def _on_answer(self, task: Task, future: Future[list[ExecutionReport]]) -> None:
        grader = self._running.pop(task)
        grader.num_running -= 1
        ray = import_ray()
        try:
            task.finish(future.result())
        except SandboxError as error:
            if self._drop(grader):
                # The node may lack processes or memory for a moment.
                self._num_failed_starts[grader.node_id] += 1
                logger.warning("The grader of node %s has failed: %s", grader.label, error)
            self._send_again(task, str(error))
            self._find_nodes()
        except ray.exceptions.RayTaskError as error:
            self._fail(task, f"The grader of node {grader.label} failed: {_last_line(error)}")
        except ray.exceptions.RayError as error:
            if self._drop(grader):
                logger.warning("The grader of node %s is lost: %s", grader.label, _last_line(error))
            self._send_again(task, _last_line(error))
            self._find_nodes()

    def _drop(self, grader: NodeGrader) -> bool:
        """Forget a grader. Returns `False` if another of its tasks has done so."""
        if self._graders.get(grader.node_id) is not grader:
            return False
        del self._graders[grader.node_id], self.sandboxes[grader.node_id]
        grader.stop()
        return True

    def _send_again(self, task: Task, reason: str) -> None:
        task.num_losses += 1
        if not task.is_open:
            return
        if task.num_losses <= self._max_task_retries:
            self._waiting.appendleft(task)
        else:
            task.give_up(f"The grader was lost {task.num_losses} times with this program. {reason}")

    def _fail(self, task: Task, reason: str) -> None:
        """End the batch of a task, which may be one that no grader has."""
        task.batch.failure = reason
        task.give_up(reason)
        self._give_up(reason, task.batch)

    def _give_up(self, reason: str, batch: Batch | None = None, is_failure: bool = False) -> None:
        """Give up the open jobs of a batch, or of all batches."""
        for task in [*self._waiting, *self._running]:
            if task.is_open and batch in (None, task.batch):
                if is_failure:
                    task.batch.failure = reason
                task.give_up(reason)
                if task in self._running:
                    self._running[task].give_up(task.key)
        self._waiting = deque(task for task in self._waiting if task.is_open)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
