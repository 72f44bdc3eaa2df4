"""Find the visible tests of a problem, by which samples may be filtered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..execution.wire.plain_values import load_json


_SECTION = re.compile(r"-----\s*(?P<title>.*?)\s*-----")
_MARK = re.compile(r"(?:Sample )?(?P<side>Input|Output)(?: \d+)?:?")
_END_OF_STATEMENT = "\nUse Standard Input format"


def visible_tests(problem: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Find the visible tests of a problem: those that its statement shows.

    - Asserts (MBPP): the first one. The usual prompt shows all of them, but filtering by all tests would be filtering by the verdict.
    - Standard input (APPS): the examples in the statement, under `-----Example-----`, `-----Examples-----` or
      `-----Sample Input-----` and `-----Sample Output-----`. They are not always among the tests.
    - Call-based: none. These statements describe calls in prose.

    Args:
        problem (`Mapping[str, Any]`): A row with `prompt` and `tests`.

    Returns:
        `dict` or `None`: Tests in the format of the problem's tests, or `None` if it shows none.
    """
    tests = load_json(problem["tests"])
    if "asserts" in tests:
        return {"asserts": tests["asserts"][:1], "setup": tests.get("setup", "")}
    if tests.get("fn_name") is not None:
        return None
    return _examples(problem["prompt"].rpartition(_END_OF_STATEMENT)[0] or problem["prompt"])


def _examples(statement: str) -> dict[str, Any] | None:
    texts: dict[str, list[list[str]]] = {"Input": [], "Output": []}
    in_examples = False
    current: list[str] | None = None
    for line in statement.split("\n"):
        section = _SECTION.fullmatch(line.strip())
        if section is not None:
            title = section["title"]
            in_examples = title.startswith(("Example", "Sample"))
            current = None
            mark = _MARK.fullmatch(title) if title.startswith("Sample") else None
        else:
            mark = _MARK.fullmatch(line.strip()) if in_examples else None
        if mark is not None:
            current = []
            texts[mark["side"]].append(current)
            is_output_section = section is not None and mark["side"] == "Output"
        elif current is not None and section is None:
            if is_output_section and not line.strip() and "".join(current).strip():
                current = None  # an explanation follows, without a heading
            else:
                current.append(line)
    inputs, outputs = (["\n".join(lines).strip("\n") + "\n" for lines in texts[side]] for side in ("Input", "Output"))
    if not inputs or len(inputs) != len(outputs):
        return None
    return {"inputs": inputs, "outputs": outputs}
