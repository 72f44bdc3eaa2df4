"""Train a critic on programs that have been graded, and measure how often it is right."""

# Dimensions: B programs, T tokens, C = 4 outcomes.

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainingArguments

from ..completions.program import completion_text, prompt_text
from ..execution import Outcome
from .model import LABELS, OUTCOMES, POOLINGS, Critic, encode_program, longest_input, outcome_columns


COLUMNS = ("prompt", "completion", "outcome")
# Give these to `from_pretrained` of `AutoModelForTokenClassification`.
LABEL_SETTINGS: dict[str, Any] = {
    "num_labels": len(LABELS),
    "id2label": dict(enumerate(LABELS)),
    "label2id": {label: index for index, label in enumerate(LABELS)},
}
_IGNORED = -100


def read_graded_samples(path: str | Path, prompts: Mapping[str, Any] | None = None) -> Dataset:
    """
    Read graded programs from a file.

    Args:
        path (`str` or `Path`): JSON Lines with at least `prompt`, `completion` and `outcome` in each row.
        prompts (`Mapping[str, Any]`, *optional*): Prompts by `problem_id`, for rows without one, such as those of an
            evaluation.

    Returns:
        [`~datasets.Dataset`]: Rows with these columns, and `problem_id` if the file has it.

    Raises:
        ValueError: If a line is not JSON, or its outcome is unknown. The message names the line.
    """
    rows = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}. Each line must be a JSON object.") from error
            if "prompt" not in row and row.get("problem_id") in (prompts or {}):
                row["prompt"] = (prompts or {})[row["problem_id"]]
            rows.append(_checked_row(row, f"{path}, line {number}"))
    return Dataset.from_list(rows)


def _checked_row(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        raise ValueError(
            f"{where} has no {', '.join(missing)}; it has {sorted(row)}. A sample needs {', '.join(COLUMNS)}."
        )
    if row["outcome"] not in Outcome.__members__:
        raise ValueError(f"{where}: the outcome is {row['outcome']!r}, but must be one of {', '.join(LABELS)}.")
    kept = {name: row[name] for name in (*COLUMNS, "problem_id") if name in row}
    return kept | {"prompt": prompt_text(row["prompt"]), "completion": completion_text(row["completion"])}


def graded_only(samples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Check samples, and leave out those that could not be graded.

    Args:
        samples (`Iterable[Mapping]`): Rows with `prompt`, `completion` and `outcome`, the name of one.

    Returns:
        `list[dict]`: The rows whose outcome is known.

    Raises:
        ValueError: If a column is missing or an outcome unknown; or if no sample is left.
    """
    rows = [_checked_row(row, f"row {index} of the samples") for index, row in enumerate(samples)]
    graded = [row for row in rows if row["outcome"] in LABELS]
    if not graded:
        raise ValueError(f"None of the {len(rows)} samples has been graded, so there is nothing to learn from.")
    return graded


def split_by_problem(samples: Dataset, test_size: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """
    Hold out whole problems, so that what a critic knows of a program is not what it remembers of its problem.

    Args:
        samples ([`~datasets.Dataset`]): Graded samples; those with the same `problem_id`, else the same `prompt`, are of one
            problem.
        test_size (`float`, *optional*, defaults to `0.2`): Share of the problems that is held out.
        seed (`int`, *optional*, defaults to `0`): Seed of the choice.

    Returns:
        `tuple`: Samples to train on, and held-out ones.

    Raises:
        ValueError: If there is only one problem.
    """
    keys = samples["problem_id" if "problem_id" in samples.column_names else "prompt"]
    problems = sorted(set(keys))
    if len(problems) < 2:
        raise ValueError("The samples are of one problem, so none can be held out. Sample from more problems.")
    order = torch.randperm(len(problems), generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = {problems[index] for index in order[: max(1, round(test_size * len(problems)))]}
    indices = [index for index, key in enumerate(keys) if key in held_out]
    others = [index for index, key in enumerate(keys) if key not in held_out]
    return samples.select(others), samples.select(indices)


class CriticTrainer(Trainer):
    """
    Train a token classifier to tell the outcome of a program.

    Args:
        model ([`~transformers.PreTrainedModel`]): Model for token classification, with the outcomes as labels.
        args ([`~transformers.TrainingArguments`]): Configuration.
        train_dataset ([`~datasets.Dataset`]): Graded samples, with columns `prompt`, `completion` and `outcome`.
        processing_class ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        pooling (`str`, *optional*, defaults to `"last"`): `"last"` teaches each token of the completion the outcome of its
            program, and the verdict on a program is that of its end; `"max"` teaches the highest logit of each outcome over
            the tokens, which is nearer to CodeRL.
        max_length (`int`, *optional*): Tokens of prompt and completion. Defaults to what the model and tokenizer can take.
        **kwargs: The other arguments of [`~transformers.Trainer`].

    Raises:
        ValueError: If the labels are others, the samples lack a column, or the pooling is unknown.
    """

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        train_dataset: Dataset,
        processing_class: Any,
        pooling: str = "last",
        max_length: int | None = None,
        **kwargs: Any,
    ):
        if pooling not in POOLINGS:
            raise ValueError(f"`pooling` is {pooling!r}, but must be 'last' or 'max'.")
        columns = outcome_columns(model.config)
        model.config.critic_pooling = pooling  # saved with the model, for who reads it
        max_length = longest_input(model.config, processing_class) if max_length is None else max_length
        rows = []
        for sample in graded_only(train_dataset):
            program = encode_program(processing_class, sample["prompt"], sample["completion"], max_length)
            label = columns[LABELS.index(sample["outcome"])]
            labels = [_IGNORED] * program.num_prompt_tokens + [label] * len(program.ranges)
            rows.append({"input_ids": program.input_ids, "labels": labels})
        super().__init__(
            model,
            args,
            data_collator=_Collator(processing_class.pad_token_id or 0),
            train_dataset=Dataset.from_list(rows),
            processing_class=processing_class,
            **kwargs,
        )
        self.model_accepts_loss_kwargs = False  # the loss below is a mean over its batch
        self.pooling = pooling

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross entropy of the outcome: at each token of the completion, or of the highest logits over them."""
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        logits = outputs.logits.float()
        if self.pooling == "max":
            is_prompt = (labels == _IGNORED).unsqueeze(-1)
            logits = logits.masked_fill(is_prompt, float("-inf")).amax(1)  # (B, C)
            labels = labels.amax(1)
        loss = cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=_IGNORED)
        return (loss, outputs) if return_outputs else loss


@dataclass(frozen=True, slots=True)
class _Collator:
    pad_token_id: int

    def __call__(self, rows: Sequence[Mapping[str, list[int]]]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        labels = [torch.tensor(row["labels"]) for row in rows]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=_IGNORED),
        }


@dataclass(frozen=True, slots=True)
class CriticEvaluation:
    """
    How often a critic is right.

    Args:
        counts (`dict[str, int]`): Samples of each outcome.
        num_right (`dict[str, int]`): How many of them the critic's verdict names.
        token_probability (`dict[str, float]`): Mean, over the tokens of the completions of each outcome, of the probability
            that the critic gives it there: the weight that such tokens get.
    """

    counts: dict[str, int]
    num_right: dict[str, int]
    token_probability: dict[str, float]

    @property
    def accuracy(self) -> float:
        """Share of the samples whose outcome the critic names."""
        return sum(self.num_right.values()) / sum(self.counts.values())

    @property
    def majority(self) -> float:
        """Share of the most frequent outcome: the accuracy of a critic that always names it."""
        return max(self.counts.values()) / sum(self.counts.values())


def evaluate_critic(critic: Critic, samples: Iterable[Mapping[str, Any]]) -> CriticEvaluation:
    """
    Compare the verdicts of a critic with those of the unit tests.

    Args:
        critic ([`~rewards.Critic`]): The critic.
        samples (`Iterable[Mapping]`): Graded samples, with `prompt`, `completion` and `outcome`.

    Returns:
        [`CriticEvaluation`]: Counts for each outcome; an outcome without samples is left out.
    """
    rows = graded_only(samples)
    outputs = critic([row["prompt"] for row in rows], [row["completion"] for row in rows])
    counts: Counter[str] = Counter(row["outcome"] for row in rows)
    right: Counter[str] = Counter()
    probabilities: dict[str, list[torch.Tensor]] = {label: [] for label in counts}
    for row, output in zip(rows, outputs, strict=True):
        right[row["outcome"]] += LABELS[int(output.verdict.argmax())] == row["outcome"]
        probabilities[row["outcome"]].append(output.probabilities(OUTCOMES[LABELS.index(row["outcome"])]))
    present = [label for label in LABELS if counts[label]]
    return CriticEvaluation(
        {label: counts[label] for label in present},
        {label: right[label] for label in present},
        {label: float(torch.cat(probabilities[label]).mean()) for label in present},
    )
