"""Show a run as one HTML file: curves, results and completions to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .completion_files import LoggedCompletion as LoggedCompletion
    from .page import write_report as write_report
    from .run_folder import Run as Run
    from .run_folder import read_run as read_run

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".completion_files": ("LoggedCompletion",),
        ".page": ("write_report",),
        ".run_folder": ("Run", "read_run"),
    },
)
