"""Say in words what the loss of a training is made of."""

from __future__ import annotations

from typing import Any


def describe_loss(trainer: Any) -> str:
    """
    Say what the loss of a training is made of.

    Each part comes with the setting that removes it.

    Args:
        trainer ([`RLTFTrainer`]): The trainer.

    Returns:
        `str`: One line per part of the loss: the advantages, the reference solutions, their corrections, and the distance to the
        initial model.
    """
    args, references = trainer.args, trainer.reference_loss
    lines = [f"Loss: advantages of unit-test rewards (`loss_type` {args.loss_type!r}, `baseline` {args.baseline!r})"]
    if references.weight > 0:
        number = references.num_rows_with_solutions
        source = "column `solutions` of the batch"
        if number:
            source = f"column `solutions`, which {number:,} of {len(trainer.train_dataset):,} training problems have"
        lines.append(
            f"  + {references.weight:g} x cross entropy of reference solutions ({source}). `--ce_loss_weight 0` trains from the "
            "tests alone."
        )
        if args.correction_share > 0:
            lines.append(
                f"    {args.correction_share:.0%} of its rows are corrections of failing completions. `--correction_share 0` leaves "
                "them out."
            )
    else:
        lines.append("  without reference solutions (`ce_loss_weight` is 0)")
    if args.beta:
        lines.append(f"  + {args.beta:g} x KL divergence from the initial model. `--beta 0` removes it.")
    return "\n".join(lines)
