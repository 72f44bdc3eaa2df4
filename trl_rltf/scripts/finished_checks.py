"""Keep the problems that a check has finished, so that the same command resumes it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..data import CheckedProblem


class FinishedChecks:
    """
    A file with one line per finished problem.

    A problem is found again by its content and by the settings of its programs, so that a changed row is checked again.

    Args:
        path (`Path`): The file. Lines that cannot be read, such as the last one of a killed process, are skipped.
        settings (`Mapping[str, Any]`): Settings that the results depend on.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]):
        self.path = path
        self._settings = {"version": __version__, **settings}
        self._found: dict[str, CheckedProblem] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    key, content = json.loads(line)
                    self._found[key] = CheckedProblem.from_dict(content)
                except (ValueError, TypeError, KeyError):
                    continue
        path.parent.mkdir(parents=True, exist_ok=True)
        # A line that a killed process left without its end must not swallow the next one.
        self._file = path.open("a", encoding="utf-8")
        if self._file.tell():
            self._file.write("\n")

    def key(self, problem: Mapping[str, Any], num_solutions: int) -> str:
        """
        Name a problem by its content.

        Args:
            problem (`Mapping[str, Any]`): A row of the dataset.
            num_solutions (`int`): Number of solutions that run.

        Returns:
            `str`: The name.
        """
        columns = [problem[name] for name in ("problem_id", "prompt", "tests")]
        content = json.dumps([self._settings, *columns, problem["solutions"][:num_solutions]], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def get(self, key: str) -> CheckedProblem | None:
        """Result of a finished problem."""
        return self._found.get(key)

    def add(self, key: str, problem: CheckedProblem) -> None:
        """
        Add a finished problem.

        One whose programs could not be graded is checked again by the next command.
        """
        self._found[key] = problem
        if all(program.is_gradable for program in problem.programs):
            self._file.write(json.dumps([key, dataclasses.asdict(problem)]) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file and keep it."""
        self._file.close()

    def delete(self) -> None:
        """Delete the file, after the report has been written."""
        self.close()
        self.path.unlink(missing_ok=True)
