"""Fixtures of the grader's tests: runners that many tests share, and quicker replacements for long waits."""

from __future__ import annotations

import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ISOLATIONS

from trl_rltf.execution import LocalRunner
from trl_rltf.execution.host import pool, worker_handle


# Programs that attack the grader: they run inside a sandbox, and are never imported.
collect_ignore = ["programs"]


@pytest.fixture(scope="session", params=ISOLATIONS)
def single_runner(request: pytest.FixtureRequest) -> Iterator[LocalRunner]:
    """A runner of each isolation with one worker, which grades the programs of a batch one after the other."""
    with LocalRunner(num_workers=1, timeout=1.0, isolation=request.param, memory_limit=2**28) as runner:
        yield runner


@pytest.fixture(scope="session", params=ISOLATIONS[1:])
def sealed_runner(request: pytest.FixtureRequest) -> Iterator[LocalRunner]:
    """A runner with one worker, of each isolation that keeps programs from the file system and the network."""
    with LocalRunner(num_workers=1, timeout=1.0, isolation=request.param) as runner:
        yield runner


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grader looks soon at workers that do not answer, and gives those that it ends little time to end themselves."""
    monkeypatch.setattr(pool, "_POLL_SECONDS", 0.1)
    monkeypatch.setattr(worker_handle, "_SHUTDOWN_SECONDS", 0.1)
    monkeypatch.setattr(worker_handle, "_GRACE_SECONDS", 0.0)


@pytest.fixture
def virtual_environment(tmp_path: Path) -> Path:
    """A virtual environment in a new folder, with the packages of this interpreter."""
    folder = tmp_path / "environment"
    venv.create(folder, system_site_packages=True, symlinks=True)
    return folder


@pytest.fixture
def scratch_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which new workers get their scratch folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path
