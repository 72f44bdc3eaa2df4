"""Read what a training or an evaluation has written into its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from .completion_files import LoggedCompletion, read_completions
from .notes import Notes


STATE = "trainer_state.json"
RESULTS = "training_results.json"
SUMMARY = "summary.json"
SETTINGS = "settings.json"
MAX_COMPLETIONS = 10_000


@dataclass(frozen=True, slots=True)
class Run:
    """
    What a run has written.

    Args:
        folder (`Path`): Folder of the run.
        history (`Sequence[Mapping]`, *optional*): Log history of the trainer; empty for an evaluation.
        results (`Mapping`, *optional*): Held-out results before and after training, from `training_results.json`.
        summary (`Mapping`, *optional*): Summary of an evaluation, from `summary.json`.
        settings (`Mapping`, *optional*): Settings of an evaluation, from `settings.json`.
        completions (`Sequence[LoggedCompletion]`, *optional*): The completions to show.
        notes (`Sequence[str]`, *optional*): Sentences for the reader: what is missing or left out.
    """

    folder: Path
    _: KW_ONLY
    history: Sequence[Mapping[str, Any]] = ()
    results: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    completions: Sequence[LoggedCompletion] = ()
    notes: Sequence[str] = ()


def read_run(folder: str | Path, *, max_completions: int = MAX_COMPLETIONS) -> Run:
    """
    Read the folder of a run.

    A run that is not finished can be read too.

    Args:
        folder (`str` or `Path`): `output_dir` of a training or an evaluation.
        max_completions (`int`, *optional*, defaults to `10000`): Maximum number of completions. If there are more, they are taken at
            equal distances.

    Returns:
        [`Run`]: What the folder has.

    Raises:
        ValueError: If it is not the folder of a run, or `max_completions` is negative.
    """
    folder = Path(folder).expanduser()
    if max_completions < 0:
        raise ValueError(f"`max_completions` is {max_completions}, but must be at least 0 (none).")
    if not folder.is_dir():
        raise ValueError(f"There is no folder {str(folder)!r}. Give the `output_dir` of a training or an evaluation.")
    notes = Notes()
    results = _read(folder / RESULTS, notes)
    if results is not None and results.get("version") != 1:
        notes.add(f"`{RESULTS}` was written by a newer version and is left out.")
        results = None
    run = Run(
        folder,
        history=_history(folder, results, notes),
        results=results,
        summary=_read(folder / SUMMARY, notes),
        settings=_read(folder / SETTINGS, notes) or {},
        completions=read_completions(folder, max_completions, notes) if max_completions else (),
        notes=notes.sentences,
    )
    if not (run.history or run.results or run.summary or run.completions):
        raise ValueError(
            f"{str(folder)!r} has nothing that a report shows: no `{STATE}` (also in its checkpoints), `{RESULTS}`, `{SUMMARY}` "
            "or completions. Give the `output_dir` of a training or an evaluation."
        )
    return run


def _history(folder: Path, results: Mapping[str, Any] | None, notes: Notes) -> list[Mapping[str, Any]]:
    """Log history: of the finished training, otherwise of the newest state."""
    if results is not None and results.get("history"):
        return list(results["history"])
    checkpoints = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdecimal()]
    newest_first = sorted(checkpoints, key=lambda path: -int(path.name.rpartition("-")[2]))
    for place in (folder, *newest_first):
        state = _read(place / STATE, notes)
        if state is not None:
            if place != folder:
                notes.add(f"The curves end with {place.name}, the newest state that the training has written.")
            return list(state.get("log_history") or [])
    return []


def _read(path: Path, notes: Notes) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        notes.add(f"`{path.name}` could not be read and is left out.")
        return None
    if not isinstance(content, dict):
        notes.add(f"`{path.name}` is not a JSON object and is left out.")
        return None
    return content
