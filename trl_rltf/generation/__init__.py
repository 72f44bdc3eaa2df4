"""Sample completions from a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .completion import Completion as Completion
    from .completions_server import CompletionsServer as CompletionsServer
    from .sampling import Sampling as Sampling
    from .sampling import generate_completions as generate_completions
    from .sampling import prompt_lengths as prompt_lengths
    from .sampling import weights_fingerprint as weights_fingerprint
    from .weight_files import weight_files_fingerprint as weight_files_fingerprint

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".completion": ("Completion",),
        ".completions_server": ("CompletionsServer",),
        ".sampling": (
            "Sampling",
            "generate_completions",
            "prompt_lengths",
            "weights_fingerprint",
        ),
        ".weight_files": ("weight_files_fingerprint",),
    },
)
