"""The first stage of the recipe: supervised training on reference solutions, before RL."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _models import name_model
from datasets import Dataset
from transformers import (
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

from trl_rltf.generation import prompt_lengths
from trl_rltf.generation.prompts import shorten_prompt
from trl_rltf.mini import add_bug, add_slips


if TYPE_CHECKING:
    from _training import ProblemArguments

NUM_DRAFTS = 8  # programs a problem in the warm start on MiniAPPS, each with its own bug or none


def warm_start(
    model: Any,
    tokenizer: Any,
    problems: Dataset,
    script_args: ProblemArguments,
    training_args: TrainingArguments,
    folder: str,
    max_prompt_length: int | None = None,
    callbacks: list[TrainerCallback] | None = None,
) -> None:
    """
    Train on reference solutions, with TRL's SFTTrainer, or transformers' Seq2SeqTrainer for an encoder-decoder, and save the
    model in the folder.
    """
    limit = max_prompt_length
    if limit is None and model.config.is_encoder_decoder:
        limit = tokenizer.model_max_length
    settings = {
        "output_dir": folder,
        "max_steps": script_args.warm_start_steps or -1,
        "num_train_epochs": script_args.warm_start_epochs or 1,
        "learning_rate": script_args.warm_start_learning_rate,
        "warmup_steps": 10,
        "per_device_train_batch_size": script_args.warm_start_batch_size,
        "gradient_accumulation_steps": script_args.warm_start_accumulation_steps,
        "seed": training_args.seed,
        "bf16": training_args.bf16,
        "gradient_checkpointing": training_args.gradient_checkpointing,
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": training_args.use_cpu,
        "dataloader_pin_memory": training_args.dataloader_pin_memory,
    }
    pairs = _pairs(problems, script_args, training_args.seed)
    if limit is not None:
        pairs = _limited(pairs, tokenizer, limit, training_args.prompt_overflow)
    if model.config.is_encoder_decoder:
        trainer = _seq2seq_trainer(model, tokenizer, pairs, settings, training_args)
    else:
        config = SFTConfig(**settings)
        trainer = SFTTrainer(model, args=config, train_dataset=pairs, processing_class=tokenizer)
    for callback in callbacks or []:
        trainer.add_callback(callback)
    trainer.train()
    trainer.save_model(folder)
    name_model(model, str(Path(folder).resolve()))


def _pairs(problems: Dataset, script_args: ProblemArguments, seed: int) -> Dataset:
    """Prompts with reference solutions; on MiniAPPS several drafts of the first solution, of which a share has a bug."""
    rng = random.Random(seed)
    is_mini = script_args.dataset_name is None
    bug_share = script_args.warm_start_bug_share if is_mini else 0.0
    slip_share = script_args.warm_start_slip_share if is_mini else 0.0
    rows = []
    for _ in range(NUM_DRAFTS if bug_share or slip_share else 1):
        for row in problems:
            for program in row["solutions"][: script_args.warm_start_solutions]:
                if slip_share:
                    draft = add_slips(program, rng, slip_share)
                else:
                    draft = add_bug(program, rng) if rng.random() < bug_share else program
                rows.append({"prompt": row["prompt"], "completion": _as_answer(row["prompt"], draft)})
    return Dataset.from_list(rows)


def _limited(pairs: Dataset, tokenizer: Any, limit: int, overflow: str) -> Dataset:
    """The same pairs, with prompts of the length that RL allows."""

    def length(prompt: Any) -> int:
        return prompt_lengths(tokenizer, [prompt])[0]

    if overflow == "drop":
        return Dataset.from_list([pair for pair in pairs if length(pair["prompt"]) <= limit])
    return Dataset.from_list([{**pair, "prompt": shorten_prompt(pair["prompt"], limit, length)} for pair in pairs])


def _as_answer(prompt: Any, program: str) -> Any:
    if isinstance(prompt, str):
        return program
    return [{"role": "assistant", "content": f"```python\n{program}\n```"}]


def _seq2seq_trainer(
    model: Any, tokenizer: Any, pairs: Dataset, settings: dict[str, Any], training_args: TrainingArguments
) -> Seq2SeqTrainer:
    def to_ids(row: dict[str, str]) -> dict[str, list[int]]:
        labels = tokenizer(text_target=row["completion"])["input_ids"]
        return {
            "input_ids": tokenizer(row["prompt"])["input_ids"],
            "labels": labels[: training_args.max_completion_length],
        }

    on_the_right = copy.deepcopy(tokenizer)
    on_the_right.padding_side = "right"  # positions of an encoder count from the first column
    return Seq2SeqTrainer(
        model,
        Seq2SeqTrainingArguments(**settings),
        train_dataset=pairs.map(to_ids, remove_columns=pairs.column_names),
        data_collator=DataCollatorForSeq2Seq(on_the_right, model),
        processing_class=tokenizer,
    )
