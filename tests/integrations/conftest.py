"""Fixtures: a shared runner of two workers for each test, and the completions that all integrations are shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trl_rltf.execution.sandbox.isolation import choose_isolation
from trl_rltf.integrations import configure, shared_runner


@pytest.fixture(autouse=True)
def two_workers() -> Iterator[None]:
    """The settings of the shared runner, taken back after the test."""
    configure(num_workers=2, timeout=1.0, isolation=choose_isolation("auto").name)
    yield
    shared_runner.close_runners()
    shared_runner._settings.clear()


@pytest.fixture
def stdin_tests() -> dict[str, list[str]]:
    """Tests of a program that adds two numbers."""
    return {"inputs": ["1 2\n", "2 2\n"], "outputs": ["3\n", "4\n"]}


RIGHT = "Here it is:\n```python\na, b = map(int, input().split())\nprint(a + b)\n```\n"
HALF = "```python\na, b = map(int, input().split())\nprint(a * b)\n```"  # 1 * 2 is not 3, 2 * 2 is 4
WRONG = "```python\nprint('no')\n```"
BROKEN = "```python\nprint(a +\n```"
ENDLESS = "```python\nwhile True:\n    pass\n```"
HOSTILE = "```python\nimport os, sys\nprint(3)\nos.kill(os.getppid(), 9)\nsys.exit(0)\n```"
NOTHING = ""
ODD = "```python\nprint('\\ud800', '\x00')\n```\ud800"


@pytest.fixture
def completions() -> list[str]:
    """A right completion, one that passes half of the tests, and six that pass none."""
    return [RIGHT, HALF, WRONG, BROKEN, ENDLESS, HOSTILE, NOTHING, ODD]


# Programs that pass within the limits of the shared runner (1 s, 1 GiB), and not within 0.03 s or 64 MiB.
SLOW = f"```python\nimport time\nwhile time.process_time() < 0.08:\n    pass\n{RIGHT.partition('python')[2]}"
BIG = f"```python\nblock = bytearray(2**26)\n{RIGHT.partition('python')[2]}"


@pytest.fixture
def limited() -> list[tuple[str, dict[str, float | None], float]]:
    """Completions, limits of their problem, and the share of the tests that passes."""
    return [
        (SLOW, {"time_limit": None}, 1.0),
        (SLOW, {"time_limit": 0.03}, 0.0),
        (BIG, {}, 1.0),
        (BIG, {"time_limit": 1.0, "memory_limit": 2**26}, 0.0),
    ]


@pytest.fixture
def shares() -> list[float]:
    """Share of the tests that each of the completions passes."""
    return [1.0, 0.5, *[0.0] * 6]
