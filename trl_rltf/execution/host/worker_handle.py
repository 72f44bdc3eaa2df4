"""Start, feed and end one worker process, from the caller's side."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Sequence

from ..sandbox.command_check import worker_environment
from ..sandbox.isolation import Isolation, worker_command, worker_layout
from ..sandbox.processes import kill_tree
from ..sandbox.scratch import remove_folders
from ..wire.frames import HEADER, frame, parse_frame
from ..wire.messages import ReplyHead, Request, WorkerConfig, WorkerLimits


_START_SECONDS = 60.0
_GRACE_SECONDS = 30.0
_SHUTDOWN_SECONDS = 2.0
_WORKER_PROCESSES = 4  # processes that a worker itself needs
_PIPE_BYTES = 2**16  # what a pipe holds; `os.read` allocates what it is asked for


class WorkerHandle:
    """
    The caller's end of one worker process.

    Args:
        isolation ([`~execution.sandbox.isolation.Isolation`]): The sandbox around the worker.
        limits ([`~execution.wire.messages.WorkerLimits`]): Limits of each program.

    Attributes:
        request, reply: Pipes to and from the worker. They do not block.
        is_ready (`bool`): Whether the worker has started.
        deadline (`float`): Time of the monotonic clock after which a silent worker is considered hung.

    Raises:
        OSError: If this machine cannot start one more process.
    """

    def __init__(self, isolation: Isolation, limits: WorkerLimits):
        self._scratch = None if isolation.name == "bubblewrap" else tempfile.mkdtemp(prefix="trl-rltf-")
        environment = worker_environment()
        try:
            self._start(isolation, limits, environment)
        except BaseException:
            self._remove_scratch()
            raise

    def _start(self, isolation: Isolation, limits: WorkerLimits, environment: dict[str, str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self.process = subprocess.Popen(
            worker_command(isolation, limits["output_limit"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,  # for the errors of the worker; programs do not get it
            env=environment,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the caller, who then ends the workers
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.request, self.reply = self.process.stdin, self.process.stdout
        os.set_blocking(self.request.fileno(), False)
        os.set_blocking(self.reply.fileno(), False)
        layout = worker_layout(isolation, self._scratch, limits["output_limit"])
        is_counted_alone = isolation.processes or layout["own_user"]  # the kernel counts per user namespace
        tasks = 0 if is_counted_alone else _num_tasks_of_user()
        config: WorkerConfig = {
            **limits,
            **layout,
            "rlimit_nproc": tasks + limits["max_processes"] + _WORKER_PROCESSES,
            "max_open_files": 256,
            "hidden_paths": [environment["PYTHONPATH"]],
            "hidden_variables": ["PYTHONPATH", "LD_BIND_NOW"],
            # Without `site`: code in .pth files would make the worker, and each of its forks, larger.
            "libraries": sorted({sysconfig.get_path(name) for name in ("purelib", "platlib")}),
        }
        self._outgoing = memoryview(frame(config))
        self._incoming = bytearray()
        self.is_ready = False
        self.deadline = float("inf")

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def queue(self, request: Request, payloads: Sequence[bytes], seconds: float) -> None:
        """
        Queue a request for [`send`], and set the deadline.

        Args:
            request ([`~execution.wire.messages.Request`]): The message that the worker reads.
            payloads (`Sequence[bytes]`): Bytes that the worker passes on without reading them.
            seconds (`float`): Elapsed seconds that the request may take at most.
        """
        parts = [part for payload in payloads for part in (HEADER.pack(len(payload)), payload)]
        self._outgoing = memoryview(b"".join([self._outgoing, frame(request), *parts]))
        self.deadline = time.monotonic() + seconds + _GRACE_SECONDS + (0.0 if self.is_ready else _START_SECONDS)

    def send(self) -> bool:
        """Write as much as the pipe takes. Returns whether everything is written."""
        try:
            written = os.write(self.request.fileno(), self._outgoing[:_PIPE_BYTES])
        except BlockingIOError:
            return False
        self._outgoing = self._outgoing[written:]
        return not self._outgoing

    def receive(self) -> tuple[ReplyHead, memoryview] | None:
        """
        Read the bytes that have arrived.

        Returns:
            `tuple[ReplyHead, memoryview]` or `None`: The reply and the bytes after it, once the reply is complete.

        Raises:
            EOFError: If the worker has ended.
        """
        part = os.read(self.reply.fileno(), _PIPE_BYTES)
        if not part:
            raise EOFError("the worker has ended")
        self._incoming += part
        while len(self._incoming) >= HEADER.size:
            size = HEADER.unpack_from(self._incoming)[0]
            if len(self._incoming) < HEADER.size + size:
                return None
            message = parse_frame(bytes(memoryview(self._incoming)[HEADER.size : HEADER.size + size]))
            del self._incoming[: HEADER.size + size]
            if self.is_ready:
                return message
            self.is_ready = True  # the first message is a `Hello`
        return None

    def stderr_tail(self) -> str:
        """Last characters that the worker wrote to its error stream, at most 2000."""
        with contextlib.suppress(OSError, ValueError):
            self._stderr.seek(0)
            return self._stderr.read()[-2000:].decode(errors="replace").strip()
        return ""

    def close(self) -> None:
        """Let the worker end by itself, and kill it if it does not."""
        self.request.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)
        self.kill()

    def kill(self) -> None:
        """End the worker and all processes that it started."""
        self.request.close()
        self.reply.close()
        # The worker ends when its pipes are closed, and finds all of its programs, which an outside process may not.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_SHUTDOWN_SECONDS if self.is_ready else 0)
        if self.process.poll() is None:
            kill_tree(self.process.pid)
        self.process.wait()
        self._stderr.close()
        self._remove_scratch()

    def _remove_scratch(self) -> None:
        if self._scratch is not None:
            remove_folders([self._scratch])


def _num_tasks_of_user() -> int:
    """Processes and threads of this user, all of which `RLIMIT_NPROC` counts."""
    count, user = 0, os.getuid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == user:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count
