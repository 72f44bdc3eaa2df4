"""
Make the head of a language model fast on a CPU: for benchmarks that train a real model without a GPU.

TRL's fused head scores all positions on a device without Triton, those of the prompt too, and multiplies its gradients in
float32, which is slower on a CPU with matrix instructions for bfloat16: a forward and backward pass of a 0.5B model over four times
300 tokens took 15.8 s, and 8.5 s with this. It changes TRL for the whole process. Tried with TRL 1.16.0.
"""

from __future__ import annotations

from typing import Any

import torch
import trl.trainer.utils
from torch.nn.functional import cross_entropy


def use_full_logits() -> None:
    """Have TRL score the positions of the completion only, from logits that are kept in memory."""
    trl.trainer.utils._use_triton = lambda device: True  # decides in that module only which positions are scored
    trl.trainer.utils._ChunkedLogProbFunction = FullLogits


class FullLogits:
    """Log-probabilities from full logits, `(N, V)`, with the interface of TRL's autograd function."""

    @staticmethod
    def apply(
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        temperature: float,
        chunk_size: int,
        final_logit_softcapping: float | None,
        logit_scale: float,
        outputs: tuple[str, ...],
    ) -> tuple[Any, ...]:
        """Return the log-probabilities of the targets, `(N,)`, their entropies, and `None` for what was not asked for."""
        if final_logit_softcapping or set(outputs) - {"log_probs", "entropy"}:
            raise NotImplementedError(
                "`FullLogits` has neither a softcap nor outputs other than log-probabilities and entropies."
            )
        logits = torch.nn.functional.linear(hidden, weight, bias).float() * (logit_scale / temperature)
        entropies = None
        if "entropy" in outputs:
            with torch.no_grad():
                log_probabilities = logits.log_softmax(-1)
                entropies = -torch.einsum("nv,nv->n", log_probabilities.exp(), log_probabilities)
        return -cross_entropy(logits, targets, reduction="none"), entropies, None, None, None
