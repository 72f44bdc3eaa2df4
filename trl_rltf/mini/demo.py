"""Settings of the demo: a tiny model learns MiniAPPS on two CPU cores."""

from __future__ import annotations

from typing import Any


# Of `RLTFConfig`, for the demo and the ablation, whose results are stored under these settings. The reference solutions stay out of
# the loss: the warm start has seen them, with bugs.
DEMO_TRAINING: dict[str, Any] = {
    "output_dir": "outputs/mini-apps",
    "learning_rate": 3e-5,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": 10,
    "max_steps": 120,
    "per_device_train_batch_size": 64,
    "gradient_accumulation_steps": 1,
    "num_generations": 8,
    "max_completion_length": 96,
    "temperature": 0.6,
    "logging_steps": 5,
    "save_strategy": "no",
    "report_to": "none",
    "dataloader_pin_memory": False,
    "gradient_checkpointing": False,
}
DEMO_WARM_START_STEPS = 240
# The demo takes fewer steps than the ablation: after 40 steps, the share of programs that pass no longer rises clearly.
DEMO_MAX_STEPS = 40
# Held-out pass@1 during the training, from few completions per problem: the table at the end has ten. The batch is larger than in
# training, because nothing is kept for a backward pass.
DEMO_EVALUATION: dict[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 10,
    "num_generations_eval": 2,
    "per_device_eval_batch_size": 96,
}
# Of `transformers.TrainingArguments`, for a critic.
DEMO_CRITIC_TRAINING: dict[str, Any] = {
    "output_dir": "outputs/mini-critic",
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 20,
    "max_steps": 400,
    "per_device_train_batch_size": 32,
    "logging_steps": 20,
    "save_strategy": "no",
    "report_to": "none",
    "dataloader_pin_memory": False,
    "use_cpu": True,
}
