"""Run situations inside a worker in fresh processes: they need the descriptors of a worker, which pytest uses itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from source import ROOT


SCENARIOS = Path(__file__).with_name("scenarios.py")


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], Any]:
    """A function that runs one of the scenarios and returns what it prints, as JSON."""

    def run(name: str) -> Any:
        environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(SCENARIOS), name]
        process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return run
