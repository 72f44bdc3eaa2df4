"""Write the page of a run: one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from .. import __version__
from .completion_files import LoggedCompletion
from .curves import draw_curves
from .run_folder import MAX_COMPLETIONS, Run, read_run
from .syntax import show_program, utf16_ranges


FILE_NAME = "report.html"
MAX_CHARACTERS = 8000  # of a prompt or a completion; the rest of the page does not grow with them
# In a block of JSON these characters could end the block, or begin a comment. The others are ASCII.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


def write_report(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    max_completions: int = MAX_COMPLETIONS,
    title: str | None = None,
) -> Path:
    """
    Write the report of a run.

    Example:

    ```python
    from trl_rltf.report import write_report

    write_report("outputs/mini-apps")  # writes outputs/mini-apps/report.html
    ```

    Args:
        folder (`str` or `Path`): `output_dir` of a training or an evaluation.
        output (`str` or `Path`, *optional*): File to write. Defaults to `report.html` in the folder.
        max_completions (`int`, *optional*, defaults to `10000`): Maximum number of completions. If there are more, they are taken at
            equal distances.
        title (`str`, *optional*): Title of the page. Defaults to the name of the folder.

    Returns:
        `Path`: The file.

    Raises:
        ValueError: If the folder is not that of a run, or `max_completions` is negative.
    """
    run = read_run(folder, max_completions=max_completions)
    path = run.folder / FILE_NAME if output is None else Path(output).expanduser()
    page = make_page(run, title)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(page, encoding="utf-8")
    os.replace(unfinished, path)
    return path


def make_page(run: Run, title: str | None = None) -> str:
    """
    Make the text of the page.

    Args:
        run ([`Run`]): What the run has written.
        title (`str`, *optional*): Title of the page. Defaults to the name of the folder.
    """
    files = resources.files(__package__)
    style, script, template = (
        (files / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.jinja")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    environment.filters["points"] = lambda value: f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
    data = escape_json(completion_data(run))
    page: str = environment.from_string(template).render(
        # Lone surrogates of a name cannot be written.
        title=_writable(title or run.folder.resolve().name),
        facts=[_writable(fact) for fact in _facts(run)],
        notes=[_writable(note) for note in run.notes],
        results=run.results,
        summary=run.summary,
        curves=[(curve, Markup(curve.svg)) for curve in draw_curves(run)],
        num_completions=len(run.completions),
        data=Markup(data),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=__version__,
    )
    return page


def completion_data(run: Run) -> dict[str, Any]:
    """
    Describe the completions of a run for the script of the page.

    Args:
        run ([`Run`]): What the run has written.

    Returns:
        `dict`: `problems`, with name, difficulty, prompt and characters left out of each, and `completions`, one list per completion in
        the order of `fields`. Positions in texts are in UTF-16 units.
    """
    numbers: dict[tuple[str, str], int] = {}
    problems: list[list[Any]] = []
    rows = []
    for completion in run.completions:
        key = (completion.problem, completion.prompt)
        if key not in numbers:
            numbers[key] = len(problems)
            name = completion.problem or f"problem {len(problems) + 1}"
            text, left_out = _cut(completion.prompt, completion.prompt_length)
            problems.append([name, completion.difficulty, text, left_out])
        rows.append(_row(completion, numbers[key]))
    return {
        "problems": problems,
        "fields": list(_row(LoggedCompletion(""), 0)),
        "completions": [[*row.values()] for row in rows],
    }


def _row(completion: LoggedCompletion, problem: int) -> dict[str, Any]:
    text, left_out = _cut(completion.text, completion.length)
    program = show_program(text, completion.starter_code)
    credits = utf16_ranges(text, completion.credits)
    return {
        "problem": problem,
        "step": completion.step,
        "reward": _rounded(completion.reward),
        "advantage": _rounded(completion.advantage),
        "outcome": completion.outcome,
        "passed": completion.num_passed,
        "tests": completion.num_tests,
        "errorType": completion.error_type,
        "errorMessage": completion.error_message,
        "errorLine": completion.error_line,
        "shownErrorLine": program.line_of(completion.error_line),
        "trailingError": completion.trailing_error,
        "failure": completion.failure,
        "text": text,
        "leftOut": left_out,
        "firstLine": program.first_line,
        "numLines": program.num_lines,
        "kinds": program.kinds,
        "credits": [number for begin, end, value in credits for number in (begin, end, _rounded(value))],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _cut(text: str, length: int | None) -> tuple[str, int]:
    """Cut a text, and count the characters that are left out."""
    return text[:MAX_CHARACTERS], max(0, (length or len(text)) - MAX_CHARACTERS)


def escape_json(value: Any) -> str:
    """
    Write a value as JSON for a block of a page.

    Args:
        value: A value that JSON can hold. Texts may have any character, also half of a surrogate pair.

    Returns:
        `str`: JSON of ASCII characters, without `<`, `>` and `&`.
    """
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)


def _facts(run: Run) -> list[str]:
    """Say in a few words what the run was."""
    facts = []
    if run.history:
        facts.append(f"{max(int(row.get('step') or 0) for row in run.history):,} optimizer steps")
    model = run.settings.get("adapter_name_or_path") or run.settings.get("model_name_or_path")
    facts += [str(fact) for fact in (model, run.settings.get("benchmark")) if fact]
    if run.completions:
        number = len({completion.problem or completion.prompt for completion in run.completions})
        facts.append(f"{len(run.completions):,} completions of {number:,} problems to read")
    return facts


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
