"""Find defects in batches of programs with ruff."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..completions.python_text import is_shallow
from ..execution.limits import check_limits
from .findings import Finding, read_findings, unreadable
from .ruff_process import RuffRun, find_ruff, run_ruff
from .rules import COMPILE_RULES, DEFAULT_RULES, check_rules


_MAX_CHARACTERS = 100_000  # of a program, as for the parser that finds programs in completions
_MEMORY_LIMIT = 2**30  # bytes of address space


class AnalysisError(RuntimeError):
    """Ruff does not work on this machine, or has stopped working."""


class RuffAnalyser:
    """
    Find defects in programs with ruff, without running the programs.

    Ruff is started once per batch, with limits of time, memory and output, without network and without access to files other than
    the programs. Programs that are nested deeply are analysed one by one, since ruff may not survive them.

    Args:
        rules (`Sequence[str]`, *optional*, defaults to `DEFAULT_RULES`):
            Codes of the rules, such as `["F821"]`. Errors that Python itself reports when it compiles a program are always found.
        timeout (`float`, *optional*, defaults to `60.0`):
            Elapsed seconds per batch. Programs that are left then have no result.
        memory_limit (`int`, *optional*, defaults to `2**30`):
            Bytes of address space of ruff.

    Raises:
        ImportError: If ruff is not installed.
        ValueError: If ruff does not know a rule, the rule is not stable, or a limit is out of range.
        AnalysisError: If ruff does not work on this machine.
    """

    def __init__(
        self,
        rules: Sequence[str] = DEFAULT_RULES,
        *,
        timeout: float = 60.0,
        memory_limit: int = _MEMORY_LIMIT,
    ):
        check_limits({"timeout": timeout, "memory_limit": memory_limit})
        self.rules = check_rules(rules)
        self.timeout = timeout
        self.memory_limit = memory_limit
        self._ruff = find_ruff()
        trial = self._run([""], timeout)
        if not trial.is_complete and "select" in trial.error:
            raise ValueError(f"Ruff does not know one of `rules`: {trial.error} `ruff rule --all` lists its rules.")
        if "preview" in trial.error:
            raise ValueError(f"One of `rules` is not stable: {trial.error} Leave it out.")
        _check(trial)

    def __call__(self, sources: Sequence[str]) -> list[tuple[Finding, ...] | None]:
        """
        Analyse programs.

        Args:
            sources (`Sequence[str]`): Text of each program. Equal ones are analysed once.

        Returns:
            `list[tuple[Finding, ...] | None]`: Findings of each program, in the order of their positions; `None` for a program that
            was not analysed, because the time was over.

        Raises:
            AnalysisError: If ruff has stopped working.
        """
        deadline = time.monotonic() + self.timeout
        found: dict[str, tuple[Finding, ...] | None] = {}
        ordinary: list[str] = []
        deep: list[str] = []
        for source in dict.fromkeys(sources):
            if len(source) > _MAX_CHARACTERS:
                found[source] = unreadable(f"The program has more than {_MAX_CHARACTERS:,} characters.")
            else:
                (ordinary if is_shallow(source) else deep).append(source)
        for part in (ordinary, *([source] for source in deep)):
            if part:
                found |= self._analyse(part, deadline)
        return [found[source] for source in sources]

    def _analyse(self, sources: list[str], deadline: float) -> dict[str, tuple[Finding, ...] | None]:
        """Analyse programs; if ruff does not survive them, each half by itself."""
        left = deadline - time.monotonic()
        run = self._run(sources, left) if left > 0 else None
        if run is not None and run.is_complete:
            return dict(zip(sources, _read(run, sources), strict=True))
        if run is None or run.exit_code is None:  # the time is over, which says nothing about a program
            return dict.fromkeys(sources)
        if len(sources) == 1:
            # It is the program, unless ruff fails without it, too.
            _check(self._run([""], self.timeout))
            return {sources[0]: unreadable(f"Ruff ended with exit code {run.exit_code}.")}
        middle = len(sources) // 2
        return self._analyse(sources[:middle], deadline) | self._analyse(sources[middle:], deadline)

    def _run(self, sources: list[str], timeout: float) -> RuffRun:
        rules = sorted({*self.rules, *COMPILE_RULES})
        return run_ruff(self._ruff, rules, sources, memory_limit=self.memory_limit, timeout=timeout)


def _check(trial: RuffRun) -> None:
    if not trial.is_complete:
        ending = "did not end in time" if trial.exit_code is None else f"ended with exit code {trial.exit_code}"
        raise AnalysisError(
            f"Ruff {ending} on an empty program: {trial.error or 'it printed nothing'}. Run `ruff --version`, and check the free "
            "memory and the space in the folder of temporary files."
        )


def _read(run: RuffRun, sources: list[str]) -> list[tuple[Finding, ...]]:
    try:
        return read_findings(run.output, sources)
    except ValueError as error:
        raise AnalysisError(
            f"The output of ruff cannot be read ({error}). Install a version of ruff that `trl-rltf[analysis]` allows."
        ) from error
