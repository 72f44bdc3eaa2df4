"""Start, feed and end one worker process, from the caller's side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from typing import Any

from .cleanup import empty_folders
from .sandbox import SCRATCH_FOLDERS, Isolation, worker_command, worker_environment
from .worker import HEADER, frame


_START_SECONDS = 60.0
_GRACE_SECONDS = 30.0


class WorkerProcess:
    """
    The caller's end of one worker process.

    Args:
        isolation ([`Isolation`]): What to put around it.
        limits (`dict`): `timeout`, `wall_timeout` (seconds), `memory_limit`, `output_limit` (bytes) and `max_processes`.
    """

    def __init__(self, isolation: Isolation, limits: dict[str, Any]):
        self._scratch: str | None = None
        if isolation.name == "bubblewrap":
            scratch = list(SCRATCH_FOLDERS)
        else:
            self._scratch = tempfile.mkdtemp(prefix="trl-rltf-")
            scratch = [self._scratch]
        environment = worker_environment()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self.process = subprocess.Popen(
            worker_command(isolation, limits["output_limit"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,  # of the worker itself; programs have none
            env=environment,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the caller, who then ends the workers
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.request, self.reply = self.process.stdin, self.process.stdout
        os.set_blocking(self.request.fileno(), False)
        os.set_blocking(self.reply.fileno(), False)
        config = {
            **limits,
            "rlimit_nproc": _num_tasks_of_user() + limits["max_processes"],
            "max_open_files": 256,
            "scratch": scratch,
            "hidden_paths": [environment["PYTHONPATH"]],
            "hidden_variables": ["PYTHONPATH"],
        }
        self._outgoing = memoryview(frame(config))
        self._incoming = bytearray()
        self.is_ready = False
        self.deadline = float("inf")

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def give(self, request: dict[str, Any], seconds: float) -> None:
        """Queue a request, which may take as long; what exceeds it by far is a worker that hangs."""
        self._outgoing = memoryview(bytes(self._outgoing) + frame(request))
        self.deadline = time.monotonic() + seconds + _GRACE_SECONDS + (0.0 if self.is_ready else _START_SECONDS)

    def send(self) -> bool:
        """Write what the pipe takes; returns whether all is written."""
        try:
            written = os.write(self.request.fileno(), self._outgoing[: 2**20])
        except BlockingIOError:
            return False
        self._outgoing = self._outgoing[written:]
        return not self._outgoing

    def receive(self) -> dict[str, Any] | None:
        """Read what is there; returns the reply once it is whole."""
        part = os.read(self.reply.fileno(), 2**20)
        if not part:
            raise EOFError("the worker is gone")
        self._incoming += part
        while len(self._incoming) >= HEADER.size:
            size = HEADER.unpack_from(self._incoming)[0]
            if len(self._incoming) < HEADER.size + size:
                return None
            message = json.loads(self._incoming[HEADER.size : HEADER.size + size])
            del self._incoming[: HEADER.size + size]
            if self.is_ready:
                return dict(message)
            self.is_ready = True
        return None

    def last_words(self) -> str:
        """End of what the worker wrote to its error stream."""
        self._stderr.seek(0)
        return self._stderr.read()[-2000:].decode(errors="replace").strip()

    def close(self) -> None:
        """Let the worker end by itself, and kill it if it does not."""
        self.request.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        self.kill()

    def kill(self) -> None:
        """End the worker and all that it started, now."""
        if self.process.poll() is None:
            # Under bubblewrap the worker is a child, the first process of its namespace: all in there die with it. Without
            # one, its programs die by the death signal that they asked for.
            for pid in [*_children(self.process.pid), self.process.pid]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.request.close()
        self.reply.close()
        self._stderr.close()
        if self._scratch is not None:
            empty_folders([self._scratch])
            with contextlib.suppress(OSError):
                os.rmdir(self._scratch)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
    return []


def _num_tasks_of_user() -> int:
    """Processes and threads of this user, which `RLIMIT_NPROC` counts together with those of a program."""
    count, user = 0, os.getuid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == user:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count
