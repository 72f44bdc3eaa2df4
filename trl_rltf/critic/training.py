"""Train a critic on graded programs and measure its accuracy."""

# Dimensions: B programs, T tokens, C = 4 outcomes.

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainingArguments

from ..completions.conversation import final_text
from ..completions.program import prompt_text
from ..execution import Outcome
from .model import LABELS, OUTCOMES, Critic, Pooling, encode_program, longest_input, outcome_columns


COLUMNS = ("prompt", "completion", "outcome")
_IGNORED = -100


def read_graded_samples(path: str | Path, prompts: Mapping[str, Any] | None = None) -> Dataset:
    """
    Read graded samples from a file.

    Args:
        path (`str` or `Path`): JSON Lines with at least `prompt`, `completion` and `outcome` in each row.
        prompts (`Mapping[str, Any]`, *optional*): Prompts by `problem_id`, for rows without a prompt, such as those of an
            evaluation.

    Returns:
        [`~datasets.Dataset`]: Columns `prompt`, `completion` and `outcome`; and `problem_id`, if the file has it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not text, a line is not a JSON object, a column is missing, or an outcome is unknown. The
            message names the line.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}. Give graded samples in JSON Lines.")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}). Give graded samples in JSON Lines.") from error
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}. Each line must be a JSON object.") from error
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path}, line {number}: found a {type(row).__name__}, but each line must be a JSON object."
                )
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
    return kept | {"prompt": prompt_text(row["prompt"]), "completion": final_text(row["completion"])}


def graded_only(samples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Check samples, and drop those that could not be graded.

    Args:
        samples (`Iterable[Mapping]`): Rows with `prompt`, `completion` and `outcome` (the name of an [`~execution.Outcome`]).

    Returns:
        `list[dict]`: The rows that have been graded.

    Raises:
        ValueError: If a column is missing, an outcome is unknown, or no sample has been graded.
    """
    rows = [_checked_row(row, f"row {index} of the samples") for index, row in enumerate(samples)]
    graded = [row for row in rows if row["outcome"] in LABELS]
    if not graded:
        raise ValueError(f"None of the {len(rows)} samples has been graded, so there is nothing to learn from.")
    return graded


def split_by_problem(samples: Dataset, *, test_size: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """
    Split samples into a training and a test set of different problems.

    A critic could memorize its training problems, so its accuracy on them would be misleading.

    Args:
        samples ([`~datasets.Dataset`]): Graded samples. Problems are told apart by `problem_id`, or by `prompt` if there is no
            such column.
        test_size (`float`, *optional*, defaults to `0.2`): Share of the problems that is held out.
        seed (`int`, *optional*, defaults to `0`): Seed of the random choice of problems.

    Returns:
        `tuple[Dataset, Dataset]`: Training samples and held-out samples.

    Raises:
        ValueError: If there are fewer than two problems.
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
    Train a token classifier to predict the outcome of a program.

    Args:
        model ([`~transformers.PreTrainedModel`]): Model for token classification whose labels are the outcomes.
        args ([`~transformers.TrainingArguments`]): Configuration.
        train_dataset ([`~datasets.Dataset`]): Graded samples, with columns `prompt`, `completion` and `outcome`.
        processing_class ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        pooling (`str`, *optional*, defaults to `"last"`): `"last"` labels each token of the completion with the outcome of its
            program, and the verdict on a program is that of its end token; `"max"` trains the maximum logit of each outcome over
            the tokens, which is closer to CodeRL.
        max_length (`int`, *optional*): Maximum number of tokens of prompt and completion. Defaults to the limit of model and
            tokenizer.
        **kwargs: Other arguments of [`~transformers.Trainer`].

    Raises:
        ValueError: If the labels are not the outcomes, a column is missing, or the pooling is unknown.
    """

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        train_dataset: Dataset,
        processing_class: Any,
        *,
        pooling: Pooling = "last",
        max_length: int | None = None,
        **kwargs: Any,
    ):
        if pooling not in get_args(Pooling):
            raise ValueError(f"`pooling` is {pooling!r}, but must be 'last' or 'max'.")
        columns = outcome_columns(model.config)
        model.config.critic_pooling = pooling  # saved with the model; `Critic` reads it
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
        """Cross entropy of the outcome, at each token or of the maximum logits."""
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
    Accuracy of a critic.

    Args:
        counts (`dict[str, int]`): Number of samples of each outcome.
        num_correct (`dict[str, int]`): Number of those for which the critic's verdict is the outcome.
        token_probability (`dict[str, float]`): Mean probability of the outcome at the tokens of its completions: the weight that
            these tokens get.
    """

    counts: dict[str, int]
    num_correct: dict[str, int]
    token_probability: dict[str, float]

    @property
    def accuracy(self) -> float:
        """Share of the samples for which the critic's verdict is the outcome."""
        return sum(self.num_correct.values()) / sum(self.counts.values())

    @property
    def majority(self) -> float:
        """Share of the most frequent outcome: the accuracy of a constant prediction."""
        return max(self.counts.values()) / sum(self.counts.values())


def evaluate_critic(critic: Critic, samples: Iterable[Mapping[str, Any]]) -> CriticEvaluation:
    """
    Compare the verdicts of a critic with those of the unit tests.

    Args:
        critic ([`Critic`]): The critic.
        samples (`Iterable[Mapping]`): Graded samples, with `prompt`, `completion` and `outcome`.

    Returns:
        [`CriticEvaluation`]: Counts of each outcome that has samples.
    """
    rows = graded_only(samples)
    outputs = critic([row["prompt"] for row in rows], [row["completion"] for row in rows])
    counts: Counter[str] = Counter(row["outcome"] for row in rows)
    correct: Counter[str] = Counter()
    probabilities: dict[str, list[torch.Tensor]] = {label: [] for label in counts}
    for row, output in zip(rows, outputs, strict=True):
        correct[row["outcome"]] += LABELS[int(output.verdict.argmax())] == row["outcome"]
        probabilities[row["outcome"]].append(output.probabilities(OUTCOMES[LABELS.index(row["outcome"])]))
    present = [label for label in LABELS if counts[label]]
    return CriticEvaluation(
        {label: counts[label] for label in present},
        {label: correct[label] for label in present},
        {label: float(torch.cat(probabilities[label]).mean()) for label in present},
    )
