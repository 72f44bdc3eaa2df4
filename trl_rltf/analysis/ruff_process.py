"""Run ruff once on a number of programs, in confinement."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..execution.sandbox.confined_command import Confinement, confined, confined_environment


_CPU_SECONDS, _CPU_SECONDS_PER_PROGRAM = 2.0, 0.1  # ten to a hundred times of what ordinary programs need
_OUTPUT_BYTES, _OUTPUT_BYTES_PER_PROGRAM = 2**20, 2**16
_MAX_ERROR = 300  # characters


@dataclass(frozen=True, slots=True)
class RuffRun:
    """
    The result of one run.

    Args:
        exit_code (`int` or `None`): Exit code, negative for a signal; `None` if it was ended because the time was over.
        output (`str`): Findings in JSON, one per line.
        error (`str`): End of its messages.
    """

    exit_code: int | None
    output: str
    error: str

    @property
    def is_complete(self) -> bool:
        """Whether all programs were analysed."""
        # 1 means that there are findings; Python too ends with 1, if ruff could not be started.
        return self.exit_code == 0 or (self.exit_code == 1 and self.output != "")


def find_ruff() -> str:
    """
    Find the program `ruff` of the installed package.

    Returns:
        `str`: Its path, without links.

    Raises:
        ImportError: If it is not installed. The message says how to install it.
    """
    try:
        from ruff import find_ruff_bin

        return os.path.realpath(find_ruff_bin())
    except (ImportError, FileNotFoundError) as error:
        raise ImportError(
            'Static analysis needs ruff, which is not installed. Install it with `pip install "trl-rltf[analysis]"`, in the same '
            f"environment as trl-rltf ({sys.executable})."
        ) from error


def run_ruff(ruff: str, rules: Sequence[str], sources: Sequence[str], *, memory_limit: int, timeout: float) -> RuffRun:
    """
    Analyse programs.

    Ruff reads no configuration, of the user or of a program, and no comment of a program switches a rule off. Names of files are
    numbers.

    Args:
        ruff (`str`): Path of ruff.
        rules (`Sequence[str]`): Codes of the rules.
        sources (`Sequence[str]`): Text of each program.
        memory_limit (`int`): Bytes of address space.
        timeout (`float`): Elapsed seconds.

    Returns:
        [`RuffRun`]: What it found, or how it ended.
    """
    version = f"py3{sys.version_info.minor}"
    command = [ruff, "check", "--isolated", "--no-cache", "--ignore-noqa", "--no-respect-gitignore", "--no-fix"]
    command += ["--target-version", version, "--select", ",".join(rules), "--unfixable", "ALL"]
    with tempfile.TemporaryDirectory(prefix="trl-rltf-") as folder, _output_files() as (output, error):
        for index, source in enumerate(sources):
            Path(folder, f"{index}.py").write_bytes(source.encode("utf-8", "replace"))
        confinement: Confinement = {
            "cpu_seconds": int(_CPU_SECONDS + _CPU_SECONDS_PER_PROGRAM * len(sources)),
            "memory_bytes": memory_limit,
            "output_bytes": _OUTPUT_BYTES + _OUTPUT_BYTES_PER_PROGRAM * len(sources),
            "readable": [ruff, folder],
            "parent": os.getpid(),
        }
        try:
            exit_code = subprocess.run(
                confined(confinement, [*command, "--output-format", "json-lines", folder]),
                env={**confined_environment(), "RAYON_NUM_THREADS": "1", "NO_COLOR": "1"},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error,
                timeout=timeout,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            exit_code = None
        return RuffRun(exit_code, _text(output), _text(error).strip()[-_MAX_ERROR:])


@contextmanager
def _output_files() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    # Files, because the kernel bounds their size. They have no names that the programs could be confused with.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        yield output, error


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
