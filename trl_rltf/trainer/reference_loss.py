"""Draw reference solutions, and add their cross entropy to the loss."""

# Dimensions: B rows, K candidate solutions per row, R tokens of the longest solution, V vocabulary.

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy

from ._trl import pad
from .advantages import local_rows
from .correction_queue import CorrectionQueue, QueuedCorrection, make_correction_queue, replace_references
from .reference_data import holds_programs, rows_with_solutions, solutions_of, target_tokens
from .rltf_config import RLTFConfig
from .samples import reference_loss_mask


logger = logging.getLogger(__name__)

# Of some problems, APPS has a hundred solutions.
_MAX_CANDIDATES = 4

IdsAndMask = tuple[torch.Tensor, torch.Tensor]


class ReferenceLoss:
    """
    Cross entropy of reference solutions, drawn from the training set.

    Rows that have solutions are drawn with replacement. Of up to four random solutions of a row, the one that the policy
    finds likeliest is used. Rows cannot be drawn from a stream, nor where a completion depends on more than its prompt:
    there, a random solution of each row of the batch is used.

    Args:
        dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`]): Training set.
        args ([`RLTFConfig`]): Settings.
        accelerator ([`~accelerate.Accelerator`]): Accelerator of the trainer.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        logits (`Callable`): Returns logits, `(B, R, V)`. Arguments are the model, ids and mask of the prompts, and ids and
            mask of the solutions.
        tokenize_prompts (`Callable`): Returns ids and mask of a list of prompts, `(B, P)`, as generation uses them.
        can_draw_rows (`bool`): Whether completions depend on their prompt in the training set only.
        is_encoder_decoder (`bool`): Whether solutions go to a decoder, with the special tokens of a target.
        corrections ([`CorrectionQueue`], *optional*): Corrections of failing completions, which replace some of the solutions.

    Attributes:
        generator (`torch.Generator`): Random numbers of the draws. It is separate, so that draws depend neither on the
            random numbers of generation nor on the number of processes.
    """

    def __init__(
        self,
        dataset: Any,
        args: RLTFConfig,
        accelerator: Any,
        tokenizer: Any,
        *,
        logits: Callable[[Any, IdsAndMask, IdsAndMask], torch.Tensor],
        tokenize_prompts: Callable[[list[Any]], IdsAndMask],
        can_draw_rows: bool,
        is_encoder_decoder: bool,
        corrections: CorrectionQueue | None = None,
    ):
        self._dataset = dataset
        self._args = args
        self._accelerator = accelerator
        self._tokenizer = tokenizer
        self._logits = logits
        self._tokenize_prompts = tokenize_prompts
        self._is_encoder_decoder = is_encoder_decoder
        self.corrections = corrections
        self.generator = torch.Generator().manual_seed(args.seed)
        self._seconds = 0.0
        self._has_warned = False
        self._rows_with_solutions = torch.empty(0, dtype=torch.long)
        if can_draw_rows and isinstance(dataset, Dataset) and "prompt" in dataset.column_names:
            if args.ce_loss_weight != 0:
                self._rows_with_solutions = rows_with_solutions(dataset)
            if "solutions" in dataset.column_names and not holds_programs(dataset.features["solutions"]):
                logger.warning(
                    "Column `solutions` is of the type %s, which is not read: reference solutions are a list of programs in each "
                    "row, one program as text, or such a list as JSON text.",
                    dataset.features["solutions"],
                )
        if corrections is not None and self.weight == 0:
            raise ValueError(
                "`correction_share` is a share of the cross entropy of reference solutions, whose weight is 0 here. Set "
                "`ce_loss_weight`, such as 1.0; a training set without solutions has corrections from passing completions only."
            )

    @property
    def weight(self) -> float:
        """Weight of the cross entropy in the loss."""
        weight: float = self._args.ce_loss_weight
        return weight

    @property
    def num_rows_with_solutions(self) -> int:
        """Number of rows that are drawn from; 0 if those of the batch are used."""
        return len(self._rows_with_solutions)

    def log(self, add_metric: Callable[[str, float], None], batch: dict[str, Any]) -> None:
        """
        Log the seconds spent here, and the share of solutions that were cut.

        The seconds are those of this process since the last call, and the share is that of all processes.

        Args:
            add_metric (`Callable`): Logs a metric.
            batch (`dict`): Training batch.
        """
        counts = torch.stack([self._is_clipped(batch).sum(), batch["reference_mask"].any(1).sum()])
        clipped, solutions = self._accelerator.reduce(counts.float(), "sum").tolist()
        add_metric("time/ce", self._seconds)
        add_metric("reference/clipped_ratio", clipped / max(solutions, 1))
        self._seconds = 0.0

    def draw(self, rows: Sequence[Mapping[str, Any]], model: Any) -> dict[str, torch.Tensor]:
        """
        Draw one reference solution per row of a generation batch.

        Args:
            rows (`Sequence[Mapping]`): Rows of the generation batch.
            model ([`torch.nn.Module`]): Policy that chooses among the candidates.

        Returns:
            `dict`: Solutions, `(B, R)`; their prompts, `(B, P)`, if these are not those of the rows; with corrections, the mask
            of the tokens in the loss; and the number of these on all processes.
        """
        began = time.perf_counter()
        accelerator, size = self._accelerator, len(rows)
        device, num_rows = accelerator.device, size * accelerator.num_processes
        choices = local_rows(torch.rand(num_rows, generator=self.generator), size, accelerator.process_index)
        num_candidates = 1
        can_draw = len(self._rows_with_solutions) > 0
        if can_draw:
            # A batch has few prompts, each of them several times: other rows teach more.
            picks = torch.randint(len(self._rows_with_solutions), (num_rows,), generator=self.generator)
            picks = self._rows_with_solutions[local_rows(picks, size, accelerator.process_index)]
            rows = [self._dataset[index] for index in picks.tolist()]
            counts = torch.tensor([len(solutions_of(row)) for row in rows], device=device)
            # The same number on all processes, which make the same forward passes.
            most = int(accelerator.gather(counts).max())
            num_candidates = min(max(most, 1), _MAX_CANDIDATES)
        corrections = self._draw_corrections(num_rows, size)
        ids, mask = tokenize_solutions(
            rows,
            choices,
            num_candidates,
            self._tokenizer,
            self._args.max_completion_length,
            is_encoder_decoder=self._is_encoder_decoder,
        )
        drawn = {"reference_ids": ids, "reference_mask": mask}
        if can_draw or self.corrections is not None:
            own = [row["prompt"] for row in rows]
            prompts = self._tokenize_prompts(
                [prompt if one is None else one.prompt for prompt, one in zip(own, corrections, strict=True)]
            )
            names = ("reference_prompt_ids", "reference_prompt_mask")
            drawn |= {
                name: tensor.repeat_interleave(num_candidates, 0) for name, tensor in zip(names, prompts, strict=True)
            }
        drawn = {name: tensor.to(device) for name, tensor in drawn.items()}
        if num_candidates > 1:
            drawn = self._likeliest(drawn, num_candidates, model)
        if self.corrections is not None:
            drawn = replace_references(drawn, corrections, self._tokenizer.pad_token_id)
        self._warn_of_clipped(drawn)
        num_tokens = accelerator.gather(reference_loss_mask(drawn).sum()).sum()
        self._seconds += time.perf_counter() - began
        return {**drawn, "num_reference_tokens": num_tokens}

    def _draw_corrections(self, num_rows: int, size: int) -> list[QueuedCorrection | None]:
        """Draw a correction, or `None`, for each row of this process."""
        if self.corrections is None:
            return [None] * size
        numbers = torch.rand(num_rows, 2, generator=self.generator)
        return self.corrections.draw(local_rows(numbers, size, self._accelerator.process_index))

    def _is_clipped(self, batch: dict[str, Any]) -> torch.Tensor:
        """Which solutions end without an end token, `(B,)`."""
        lengths = batch["reference_mask"].sum(1)
        last = batch["reference_ids"].gather(1, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
        return (lengths > 0) & (last != self._tokenizer.eos_token_id)

    def _warn_of_clipped(self, drawn: dict[str, Any]) -> None:
        number = 0 if self._has_warned else int(self._is_clipped(drawn).sum())
        if number == 0:
            return
        self._has_warned = True
        logger.warning(
            "%d of the first %d reference solutions have more than `max_completion_length=%d` tokens and are cut there: the model "
            "learns their beginning, and no end. `reference/clipped_ratio` logs their share. Raise the length, or remove long "
            "solutions from the column.",
            number,
            len(drawn["reference_ids"]),
            self._args.max_completion_length,
        )

    def token_losses(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Return the cross entropy of each reference token, at temperature 1, `(B, R)`."""
        ids, mask = batch["reference_ids"], batch["reference_mask"]
        if "reference_prompt_ids" in batch:
            prompts = batch["reference_prompt_ids"], batch["reference_prompt_mask"]
        else:
            prompts = batch["prompt_ids"], batch["prompt_mask"]
        labels = ids.masked_fill(reference_loss_mask(batch) == 0, -100)
        logits = self._logits(model, prompts, (ids, mask)).float()
        # Flat: with the classes in the second dimension, (B, V, R), a batch of a 0.5B model took 16 % longer on a CPU.
        return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none").view_as(
            labels
        )

    def add_to(
        self, loss: torch.Tensor, model: Any, batch: dict[str, Any], accumulation_steps: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Add the weighted cross entropy of the solutions in a batch to a loss.

        The cross entropy is the mean over all reference tokens of an optimizer step, regardless of the number of its
        batches and processes.

        Args:
            loss (`torch.Tensor`): Loss of the advantages.
            model ([`torch.nn.Module`]): The model, possibly wrapped for several processes.
            batch (`dict`): Training batch.
            accumulation_steps (`int`): Number of batches of the optimizer step.

        Returns:
            `tuple`: The sum, and the cross entropy without its weight.
        """
        began = time.perf_counter()
        # Not skipped for a batch without solutions: with several processes, each of them makes this forward pass.
        total = self.token_losses(model, batch).sum()
        share = accumulation_steps / self._args.steps_per_generation / self._accelerator.num_processes
        num_tokens = (batch["num_reference_tokens"] * share).clamp(min=1)
        self._seconds += time.perf_counter() - began
        return loss + self.weight * total / num_tokens, total / num_tokens

    def _likeliest(self, drawn: dict[str, torch.Tensor], num_candidates: int, model: Any) -> dict[str, torch.Tensor]:
        """
        Keep, per row, the candidate with the highest mean token log-probability.

        Training on all candidates would teach a mixture of styles.
        """
        size = self._args.per_device_train_batch_size
        losses = []
        was_training = model.training
        model.eval()  # dropout would make the choice random
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


def make_reference_loss(trainer: Any) -> ReferenceLoss:
    """
    Make the reference loss of a trainer, with corrections if they are set.

    Args:
        trainer ([`RLTFTrainer`]): The trainer.

    Returns:
        [`ReferenceLoss`]: The loss.
    """
    args = trainer.args
    return ReferenceLoss(
        trainer.train_dataset,
        args,
        trainer.accelerator,
        trainer._tokenizer,
        logits=trainer.logits_after,
        tokenize_prompts=trainer.padded_prompts,
        can_draw_rows=trainer.has_simple_prompts,
        is_encoder_decoder=trainer.encoder_decoder is not None,
        corrections=make_correction_queue(trainer) if args.correction_share > 0 else None,
    )


def tokenize_solutions(
    rows: Sequence[Mapping[str, Any]],
    choices: torch.Tensor,
    num_candidates: int,
    tokenizer: Any,
    max_length: int,
    *,
    is_encoder_decoder: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Tokenize random reference solutions of each row.

    Args:
        rows (`Sequence[Mapping]`): Rows with a `prompt` and, optionally, `solutions`.
        choices (`torch.Tensor`): Random number per row that decides which solutions are used, shape `(B,)`.
        num_candidates (`int`): Number of solutions per row, K; a row with fewer repeats them.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer.
        max_length (`int`): Maximum number of tokens of a solution; a longer one is cut off.
        is_encoder_decoder (`bool`): Whether solutions get the special tokens of a target.

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
            tokens = target_tokens(text, row["prompt"], tokenizer, is_encoder_decoder=is_encoder_decoder)
            # A solution that is cut off has no end token: it must not teach to stop there.
            ids.append(torch.tensor(tokens[:max_length]))
            masks.append(torch.ones_like(ids[-1]))
    return pad(ids, padding_value=tokenizer.pad_token_id), pad(masks, padding_value=0)
