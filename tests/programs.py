"""Read the programs of the tests: the files in `tests/execution/programs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


FOLDER = Path(__file__).parent / "execution" / "programs"


def names(folder: str) -> list[str]:
    """Names of the programs in a folder, sorted."""
    return sorted(path.stem for path in (FOLDER / folder).glob("*.py"))


def source(folder: str, name: str) -> str:
    """The text of one program."""
    return (FOLDER / folder / f"{name}.py").read_text()


def cells(folder: str, name: str) -> dict[str, list[str]]:
    """
    The parts of a file that holds tests next to programs.

    Args:
        folder (`str`): Folder of the file.
        name (`str`): Name of the file, without its suffix.

    Returns:
        `dict[str, list[str]]`: Texts of the cells by their title. A cell starts with a line `# %% title`.
    """
    found: dict[str, list[str]] = {}
    _, *parts = re.split(r"^# %% (\w+)\n", source(folder, name), flags=re.MULTILINE)
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        found.setdefault(title, []).append(text.strip("\n") + "\n")
    return found


def asserts(parts: dict[str, list[str]]) -> dict[str, Any]:
    """The tests in the cells `setup` and `test` of a file, as the grader takes them."""
    return {"setup": "".join(parts.get("setup", [])), "asserts": parts["test"]}
