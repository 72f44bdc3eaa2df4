"""Warm start: supervised training on reference solutions, before RL."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import (
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
    TrainingArguments,
)
from trl import ModelConfig, SFTConfig, SFTTrainer

from ..generation import prompt_lengths
from ..generation.prompt_shortening import shorten_prompt
from ..mini import add_bug, add_slips, make_mini_model
from ..mini.demo import DEMO_WARM_START_STEPS
from ..trainer import add_progress_line
from .arguments import RLTFScriptArguments
from .policy import load_policy, name_model
from .problems import uses_mini_apps


NUM_DRAFTS = 8  # programs per problem in the warm start on MiniAPPS, each with another bug or none


def load_policy_and_warm_start(
    script_args: RLTFScriptArguments,
    training_args: TrainingArguments,
    model_args: ModelConfig,
    train_set: Dataset,
    **limits: Any,
) -> tuple[Any, Any]:
    """
    Load the policy, or make that of the demo, and warm it up.

    It is warmed up if the arguments give steps or epochs of a warm start, and in the demo. The warmed-up policy is
    saved in the folder `warm-start` of the output folder. A resumed training loads the policy from there: checkpoints
    may hold an adapter only, whose base model is the warmed-up policy.

    Args:
        script_args ([`RLTFScriptArguments`]): Steps, learning rate and batches of the warm start.
        training_args ([`~transformers.TrainingArguments`]): Output folder, seed, precision and device.
        model_args ([`~trl.ModelConfig`]): The model. For an encoder-decoder, the task of its LoRA adapters is set.
        train_set ([`~datasets.Dataset`]): Problems with solutions.
        **limits (`Any`): `max_prompt_length`, `max_completion_length` and `prompt_overflow`, see [`warm_start`].

    Returns:
        `tuple`: The model and its tokenizer.
    """
    folder = Path(training_args.output_dir) / "warm-start"
    is_warm = bool(training_args.resume_from_checkpoint) and (folder / "config.json").is_file()
    if is_warm:
        model, tokenizer = load_policy(replace(model_args, model_name_or_path=str(folder)))
    elif model_args.model_name_or_path is None:
        model, tokenizer = make_mini_model(train_set, seed=training_args.seed, architecture=script_args.architecture)
        if script_args.warm_start_steps is None and script_args.warm_start_epochs is None:
            script_args = replace(script_args, warm_start_steps=DEMO_WARM_START_STEPS)
    else:
        model, tokenizer = load_policy(
            model_args,
            gguf_file=script_args.gguf_file,
            trust_remote_code=getattr(training_args, "trust_remote_code", False),  # TrainingArguments have none
        )
    if model.config.is_encoder_decoder:
        model_args.lora_task_type = "SEQ_2_SEQ_LM"
    if not is_warm and (script_args.warm_start_steps or script_args.warm_start_epochs):
        warm_start(model, tokenizer, train_set, script_args, training_args, folder=str(folder), **limits)
    return model, tokenizer


def warm_start(
    model: Any,
    tokenizer: Any,
    problems: Dataset,
    script_args: RLTFScriptArguments,
    training_args: TrainingArguments,
    *,
    folder: str,
    max_prompt_length: int | None = None,
    max_completion_length: int | None = None,
    prompt_overflow: str = "truncate",
    callbacks: list[TrainerCallback] | None = None,
) -> None:
    """
    Train on reference solutions and save the model.

    A causal model is trained with [`~trl.SFTTrainer`], an encoder-decoder with [`~transformers.Seq2SeqTrainer`].

    Args:
        model ([`~transformers.PreTrainedModel`]): The model; it is trained in place.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Its tokenizer.
        problems ([`~datasets.Dataset`]): Problems with solutions.
        script_args ([`RLTFScriptArguments`]): Steps, learning rate and batches of the warm start.
        training_args ([`~transformers.TrainingArguments`]): Seed, precision and device.
        folder (`str`): Folder of the trained model.
        max_prompt_length (`int`, *optional*): Maximum number of tokens of a prompt. Defaults to the length that the tokenizer
            of an encoder-decoder allows.
        max_completion_length (`int`, *optional*): Maximum number of tokens of a solution, for an encoder-decoder.
        prompt_overflow (`str`, *optional*, defaults to `"truncate"`): Treatment of longer prompts, as in [`RLTFConfig`].
        callbacks (`list[TrainerCallback]`, *optional*): Callbacks of the training.
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
    pairs = _make_pairs(problems, script_args, training_args.seed)
    if limit is not None:
        pairs = _limit_prompts(pairs, tokenizer, limit, prompt_overflow)
    if model.config.is_encoder_decoder:
        trainer = _make_seq2seq_trainer(model, tokenizer, pairs, settings, max_completion_length)
    else:
        config = SFTConfig(**settings)
        trainer = SFTTrainer(model, args=config, train_dataset=pairs, processing_class=tokenizer)
    add_progress_line(trainer)
    for callback in callbacks or []:
        trainer.add_callback(callback)
    trainer.train()
    trainer.save_model(folder)
    name_model(model, str(Path(folder).resolve()))


def _make_pairs(problems: Dataset, script_args: RLTFScriptArguments, seed: int) -> Dataset:
    """Pair prompts with solutions, on MiniAPPS with drafts that may have bugs."""
    rng = random.Random(seed)
    is_mini = uses_mini_apps(script_args)
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


def _limit_prompts(pairs: Dataset, tokenizer: Any, limit: int, overflow: str) -> Dataset:
    """Shorten or drop the prompts that RL would shorten or drop."""

    def length(prompt: Any) -> int:
        return prompt_lengths(tokenizer, [prompt])[0]

    if overflow == "drop":
        return Dataset.from_list([pair for pair in pairs if length(pair["prompt"]) <= limit])
    return Dataset.from_list([{**pair, "prompt": shorten_prompt(pair["prompt"], limit, length)} for pair in pairs])


def _as_answer(prompt: Any, program: str) -> Any:
    if isinstance(prompt, str):
        return program
    return [{"role": "assistant", "content": f"```python\n{program}\n```"}]


def _make_seq2seq_trainer(
    model: Any, tokenizer: Any, pairs: Dataset, settings: dict[str, Any], max_completion_length: int | None
) -> Seq2SeqTrainer:
    def to_ids(row: dict[str, str]) -> dict[str, list[int]]:
        labels = tokenizer(text_target=row["completion"])["input_ids"]
        return {
            "input_ids": tokenizer(row["prompt"])["input_ids"],
            "labels": labels[:max_completion_length],
        }

    right_padding = copy.deepcopy(tokenizer)
    right_padding.padding_side = "right"  # positions of an encoder count from the first column
    return Seq2SeqTrainer(
        model,
        Seq2SeqTrainingArguments(**settings),
        train_dataset=pairs.map(to_ids, remove_columns=pairs.column_names),
        data_collator=DataCollatorForSeq2Seq(right_padding, model),
        processing_class=tokenizer,
    )
