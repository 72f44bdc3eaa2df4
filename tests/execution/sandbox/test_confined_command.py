"""A command that reads hostile text: what it may use, and what ends it."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from processes import wait_until

from trl_rltf.execution.sandbox.confined_command import confined, confined_environment
from trl_rltf.execution.sandbox.landlock import landlock_version
from trl_rltf.execution.sandbox.mechanisms import can_filter


needs_landlock = pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")
needs_filter = pytest.mark.skipif(not can_filter(), reason="system calls cannot be filtered here")


def confinement(**changes):
    limits = {"cpu_seconds": 5, "memory_bytes": 2**28, "output_bytes": 2**16, "readable": [], "parent": os.getpid()}
    return {**limits, **changes}


def run(*command, **changes):
    with tempfile.TemporaryFile() as output:
        ended = subprocess.run(
            confined(confinement(**changes), command),
            env=confined_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        output.seek(0)
        return ended.returncode, output.read(), ended.stderr.decode()


@needs_landlock
def test_it_reads_the_files_that_are_named_and_no_others(tmp_path):
    shown, hidden = tmp_path / "shown.txt", tmp_path / "hidden.txt"
    for file in (shown, hidden):
        file.write_text(file.name)
    assert run("/bin/cat", str(shown), readable=[str(shown)])[:2] == (0, b"shown.txt")
    for path in (hidden, "/etc/passwd", os.path.abspath(__file__)):
        code, output, error = run("/bin/cat", str(path), readable=[str(shown)])
        assert (code, output) == (1, b"")
        assert "Permission denied" in error


@needs_landlock
def test_it_writes_no_files(tmp_path):
    code, _, error = run("/usr/bin/touch", str(tmp_path / "new.txt"), readable=[str(tmp_path)])
    assert code == 1
    assert "Permission denied" in error
    assert not list(tmp_path.iterdir())


@needs_filter
def test_it_has_no_network():
    code, _, error = run("/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9")
    assert code != 0
    assert "Operation not permitted" in error


def test_its_time_is_bounded():
    began = time.monotonic()
    code, _, _ = run("/bin/sh", "-c", "while :; do :; done", cpu_seconds=1)
    assert code in (-signal.SIGXCPU, -signal.SIGKILL)
    assert time.monotonic() - began < 40


def test_its_output_is_bounded():
    code, output, _ = run("/usr/bin/yes")
    assert code == -signal.SIGXFSZ
    assert len(output) == 2**16


def test_its_memory_is_bounded():
    code, _, error = run("/usr/bin/tail", "/dev/zero")  # keeps the last line, which has no end
    assert code == 1
    assert "memory exhausted" in error


def test_it_has_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET", "value")
    code, output, _ = run("/usr/bin/env")
    assert code == 0
    assert b"SECRET" not in output
    assert b"HOME=/nonexistent" in output


STARTER = """
import os, subprocess, sys
from trl_rltf.execution.sandbox.confined_command import confined, confined_environment
limits = {"cpu_seconds": 5, "memory_bytes": 2**28, "output_bytes": 0, "readable": [], "parent": os.getpid()}
child = subprocess.Popen(confined(limits, ["/bin/sleep", "60"]), env=confined_environment())
print(child.pid, flush=True)
child.wait()
"""


def test_it_ends_with_the_process_that_started_it(start_script):
    starter = start_script(STARTER)
    child = Path(f"/proc/{int(starter.stdout.readline())}")

    def is_running():
        # The process is a zombie until its new parent has waited for it.
        return child.exists() and "(sleep)" in (text := (child / "stat").read_text()) and ") Z " not in text

    assert wait_until(is_running)
    starter.kill()
    starter.wait()
    assert wait_until(lambda: not is_running())


def test_it_does_not_start_for_a_process_that_has_ended():
    code, output, error = run("/bin/echo", "hello", parent=2**30)
    assert (code, output) == (1, b"")
    assert "has ended" in error
