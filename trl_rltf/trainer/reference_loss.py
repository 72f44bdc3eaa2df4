"""Reference solutions for the cross-entropy part of the loss."""

# Dimensions: B rows, K solutions of each, R tokens of the longest solution.

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from trl.data_utils import is_conversational
from trl.trainer.utils import pad

from .reference_data import holds_programs, rows_with_solutions, solutions_of


if TYPE_CHECKING:
    from .rltf_trainer import RLTFTrainer

logger = logging.getLogger(__name__)

# Found with `examples/ablation.py`, see docs/evidence.md.
_DEFAULT_WEIGHT = 10.0
# Solutions of a row that are compared at most: of some problems, APPS has a hundred.
_MAX_CANDIDATES = 4


class ReferenceSolutions:
    """
    What the cross entropy is taken of: rows of the training set that have solutions, drawn at random with replacement, and of
    each the solution that the policy is nearest to, of up to four drawn at random. Where rows cannot be drawn, from a stream or
    where a completion depends on more than its prompt in the training set, it is a random solution of each row of the batch.

    Args:
        trainer ([`RLTFTrainer`]): Whose training set it is.
        has_plain_prompts (`bool`): Whether the prompts of the training set are all that a completion depends on.

    Attributes:
        generator (`torch.Generator`): Source of chance. Its own: what is drawn must not depend on how many random numbers
            generation took, nor on the number of processes.
    """

    def __init__(self, trainer: RLTFTrainer, has_plain_prompts: bool):
        self._trainer = trainer
        self.generator = torch.Generator().manual_seed(trainer.args.seed)
        self._rows_with_solutions = torch.empty(0, dtype=torch.long)
        dataset = trainer.train_dataset
        if has_plain_prompts and isinstance(dataset, Dataset) and "prompt" in dataset.column_names:
            if trainer.args.ce_loss_weight != 0:
                self._rows_with_solutions = rows_with_solutions(dataset)
            if "solutions" in dataset.column_names and not holds_programs(dataset.features["solutions"]):
                logger.warning(
                    "Column `solutions` is of the type %s, which is not read: reference solutions are a list of programs in each "
                    "row, one program as text, or such a list as JSON text.",
                    dataset.features["solutions"],
                )
        if trainer.args.ce_loss_weight is None and self.weight > 0 and trainer.accelerator.is_main_process:
            logger.warning(
                "The training set has reference solutions: their cross entropy is in the loss, with a weight of %g. Set "
                "`ce_loss_weight=0` to train from rewards alone, or to this weight to say that you want them.",
                self.weight,
            )

    @property
    def weight(self) -> float:
        """Weight of the cross entropy in the loss."""
        given = self._trainer.args.ce_loss_weight
        return (_DEFAULT_WEIGHT if len(self._rows_with_solutions) else 0.0) if given is None else given

    def draw(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """
        Draw as many reference solutions as there are rows.

        Args:
            rows (`Sequence[Mapping]`): Rows of a generation batch.

        Returns:
            `dict`: Solutions, `(B, R)`; their prompts, unless these are those of the rows; and the number of tokens of
            solutions on all processes.
        """
        trainer, size = self._trainer, len(rows)
        device, num_rows = trainer.accelerator.device, size * trainer.accelerator.num_processes
        choices = trainer.local_rows(torch.rand(num_rows, generator=self.generator), size)
        num_candidates = 1
        can_draw = len(self._rows_with_solutions) > 0
        if can_draw:
            # A batch has few prompts, each of them several times: other rows have more to teach.
            picks = torch.randint(len(self._rows_with_solutions), (num_rows,), generator=self.generator)
            picks = self._rows_with_solutions[trainer.local_rows(picks, size)]
            rows = [trainer.train_dataset[index] for index in picks.tolist()]
            counts = torch.tensor([len(solutions_of(row)) for row in rows], device=device)
            most = int(trainer.accelerator.gather(counts).max())  # processes have to agree on what comes next
            num_candidates = min(max(most, 1), _MAX_CANDIDATES)
        ids, mask = _tokenize(
            rows,
            choices,
            num_candidates,
            trainer.tokenizer,
            trainer.max_completion_length,
            trainer.encoder_decoder is not None,
        )
        drawn = {"reference_ids": ids, "reference_mask": mask}
        if can_draw:
            prompts = trainer.padded_prompts([row["prompt"] for row in rows], "reference_prompt")
            drawn |= {name: prompt.repeat_interleave(num_candidates, 0) for name, prompt in prompts.items()}
        drawn = {name: tensor.to(device) for name, tensor in drawn.items()}
        if num_candidates > 1:
            drawn = self._nearest(drawn, num_candidates)
        return {**drawn, "num_reference_tokens": trainer.accelerator.gather(drawn["reference_mask"].sum()).sum()}

    def token_losses(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Cross entropy of the tokens of the reference solutions in a batch, at temperature 1, `(B, R)`."""
        labels = batch["reference_ids"].masked_fill(batch["reference_mask"] == 0, -100)
        logits = self._trainer.reference_logits(model, batch).float()
        return cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="none")

    def add_to(self, loss: torch.Tensor, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """
        Add the weighted cross entropy of the reference solutions in a batch.

        Args:
            loss (`torch.Tensor`): Loss of the advantages.
            model ([`torch.nn.Module`]): The model, perhaps wrapped for several processes.
            batch (`dict`): Batch of training.

        Returns:
            `torch.Tensor`: The sum.
        """
        trainer = self._trainer
        # Not skipped where a batch has no solution: with several processes each of them has to make this forward pass.
        total = self.token_losses(model, batch).sum()
        steps = trainer.current_gradient_accumulation_steps
        # The mean over all reference tokens of an optimizer step, however it is cut into batches.
        share = steps / trainer.args.steps_per_generation / trainer.accelerator.num_processes
        num_tokens = (batch["num_reference_tokens"] * share).clamp(min=1)
        for name, part in (("loss/rl", loss), ("loss/ce", total / num_tokens)):
            trainer.add_metric(name, trainer.accelerator.gather(part.detach() * steps).mean().item())
        return loss + self.weight * total / num_tokens

    def _nearest(self, drawn: dict[str, torch.Tensor], num_candidates: int) -> dict[str, torch.Tensor]:
        """Of the solutions of each row the likeliest a token; all ways to write a program at once teach a mixture of them."""
        model, size = self._trainer.model, self._trainer.args.per_device_train_batch_size
        losses = []
        was_training = model.training
        model.eval()  # dropout would choose by chance
        try:
            with torch.no_grad():
                for start in range(0, len(drawn["reference_ids"]), size):
                    part = {name: tensor[start : start + size] for name, tensor in drawn.items()}
                    totals = self.token_losses(model, part).sum(1)
                    losses.append(totals / part["reference_mask"].sum(1).clamp(min=1))
        finally:
            model.train(was_training)
        best = torch.cat(losses).view(-1, num_candidates).argmin(1)
        best += torch.arange(len(best), device=best.device) * num_candidates
        return {name: tensor[best] for name, tensor in drawn.items()}


def _tokenize(
    rows: Sequence[Mapping[str, Any]],
    choices: torch.Tensor,
    num_candidates: int,
    tokenizer: Any,
    max_length: int,
    is_encoder_decoder: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Tokenize some reference solutions of each row.

    Args:
        rows (`Sequence[Mapping]`): Rows with a `prompt` and, perhaps, `solutions`.
        choices (`torch.Tensor`): Which of them, as a random number for each row, shape `(B,)`.
        num_candidates (`int`): How many, K; where a row has fewer, they come again.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        max_length (`int`): Tokens that a solution may have; a longer one is cut off.
        is_encoder_decoder (`bool`): Whether the model has a decoder of its own for them.

    Returns:
        `tuple`: Ids and their mask, `(B * K, R)`; a row without a solution is masked out.
    """
    ids, masks = [], []
    for row, choice in zip(rows, choices.tolist(), strict=True):
        solutions = solutions_of(row)
        if not solutions:
            ids += [torch.tensor([tokenizer.pad_token_id])] * num_candidates
            masks += [torch.tensor([0])] * num_candidates
            continue
        drawn = random.Random(choice).sample(solutions, min(num_candidates, len(solutions)))
        for index in range(num_candidates):
            text = drawn[index % len(drawn)]
            if is_conversational({"prompt": row["prompt"]}):
                text = f"```python\n{text}\n```"
            # A decoder of its own starts as its tokenizer says (CodeT5: with `<s>`); a causal model goes on after the prompt.
            tokens = tokenizer(text, add_special_tokens=is_encoder_decoder)["input_ids"]
            if tokens[-1:] != [tokenizer.eos_token_id]:
                tokens.append(tokenizer.eos_token_id)
            # A solution that is cut off does not end there, and must not teach to stop there.
            ids.append(torch.tensor(tokens[:max_length]))
            masks.append(torch.ones_like(ids[-1]))
    return pad(ids, padding_value=tokenizer.pad_token_id), pad(masks, padding_value=0)
