"""Share one runner among all calls that a framework makes in a process."""

from __future__ import annotations

import atexit
from typing import Any

from ..execution import LocalRunner
from ..execution.limits import TIMEOUT
from ..execution.program import check_opt_in
from ..execution.runner import IsolationChoice


_settings: dict[str, Any] = {}
_runners: dict[tuple[tuple[str, Any], ...], LocalRunner] = {}


def configure(
    *,
    num_workers: int | None = None,
    timeout: float = TIMEOUT,
    isolation: IsolationChoice = "auto",
    allow_code_eval: bool | None = None,
    **options: Any,
) -> None:
    """
    Set the runner of all integrations in this process.

    Without this call the runner has its defaults. Call it before programs are graded: a runner with other settings is closed,
    which gives up the programs that it grades. No worker starts before the first program.

    Args:
        num_workers (`int`, *optional*): Number of programs that run at the same time. Defaults to the number of usable CPU
            cores. A framework that starts several processes has one runner in each of them.
        timeout (`float`, *optional*, defaults to `4.0`): CPU seconds per test.
        isolation (`str`, *optional*, defaults to `"auto"`): See [`~execution.LocalRunner`].
        allow_code_eval (`bool`, *optional*): Opt in to running model-written code. Defaults to `HF_ALLOW_CODE_EVAL`.
        **options: Other arguments of [`~execution.LocalRunner`], such as `memory_limit` or `strict_comparison`.

    Raises:
        ValueError: If an argument is out of range, or without an opt-in.
        SandboxError: If the requested isolation does not work on this machine.
    """
    settings = {
        "num_workers": num_workers,
        "timeout": timeout,
        "isolation": isolation,
        "allow_code_eval": allow_code_eval,
        **options,
    }
    runner = LocalRunner(**settings)
    close_runners()
    _settings.clear()
    _settings.update(settings)
    _runners[_key(settings)] = runner


def get_runner(**changes: Any) -> LocalRunner:
    """
    Return the runner of this process, and make it at the first call.

    Args:
        **changes: Arguments of [`~execution.LocalRunner`] that differ from those of [`configure`]; `None` keeps a setting. Each
            combination has its own runner.

    Returns:
        [`~execution.LocalRunner`]: The runner.

    Raises:
        ValueError: If an argument is out of range, or without an opt-in.
        SandboxError: If the requested isolation does not work on this machine.
    """
    settings = {**_settings, **{name: value for name, value in changes.items() if value is not None}}
    check_opt_in(settings.get("allow_code_eval"))  # at each call: the runner is made only once
    runner = _runners.get(_key(settings))
    if runner is None:
        # Two threads may get here at once; the runner that is not kept has no workers yet.
        runner = _runners.setdefault(_key(settings), LocalRunner(**settings))
    return runner


def close_runners() -> None:
    """End all workers. The next program starts them again."""
    while _runners:
        _runners.popitem()[1].close()


def _key(settings: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    # The opt-in is checked at each call and does not change the runner.
    return tuple(sorted((name, value) for name, value in settings.items() if name != "allow_code_eval"))


atexit.register(close_runners)
