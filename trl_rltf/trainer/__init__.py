"""The trainer, its configuration and the online buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .held_out import PassAtKCallback as PassAtKCallback
    from .online_buffer import OnlineBuffer as OnlineBuffer
    from .progress_line import ProgressLine as ProgressLine
    from .progress_line import add_progress_line as add_progress_line
    from .rltf_config import RLTFConfig as RLTFConfig
    from .rltf_trainer import RLTFTrainer as RLTFTrainer
    from .seq2seq_grpo import Seq2SeqGRPOTrainer as Seq2SeqGRPOTrainer

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".held_out": ("PassAtKCallback",),
        ".online_buffer": ("OnlineBuffer",),
        ".progress_line": (
            "ProgressLine",
            "add_progress_line",
        ),
        ".rltf_config": ("RLTFConfig",),
        ".rltf_trainer": ("RLTFTrainer",),
        ".seq2seq_grpo": ("Seq2SeqGRPOTrainer",),
    },
)
