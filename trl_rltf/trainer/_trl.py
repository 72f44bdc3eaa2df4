"""What of `GRPOTrainer` is private and used all the same, and a check that the installed TRL still has it."""

from __future__ import annotations

import inspect
from typing import Any

from trl import GRPOTrainer


# Methods of TRL that are overridden or called, with their parameters, as in TRL 1.16.
METHODS = {
    "_calculate_rewards": "inputs prompts completions completion_ids_list",
    "_compute_loss": "model inputs",
    "_generate": "prompts",
    "_generate_and_score_completions": "inputs",
    "_get_train_sampler": "dataset",
    "_generate_single_turn": "prompt_ids images multimodal_fields num_generations has_tool_images",
    "_get_per_token_logps_and_entropies": "model input_ids attention_mask logits_to_keep batch_size compute_entropy",
    "_load_optimizer_and_scheduler": "checkpoint",
    "_prepare_inputs": "generation_batch",
    "_save_checkpoint": "model trial",
    "_tokenize_prompts": "prompts",
}
# What is read from, or written to, an instance.
ATTRIBUTES = (
    "_buffered_inputs _entropy_bonus_enabled _is_vlm _logs _metrics _pending_extra_logs _pending_metrics _step _tokenizer "
    "aux_loss_enabled reward_funcs reward_func_names reward_weights tools environment_factories rollout_func"
).split()
# TRL has these only where transformers generates; the greedy baseline, which needs them, is refused with vLLM.
TRANSFORMERS_ATTRIBUTES = ["generation_config", "generation_kwargs"]


def differences() -> list[str]:
    """
    What this version of TRL has changed of what is used here.

    Returns:
        `list[str]`: A sentence for each method that is gone or takes other arguments; empty if all is as it was.
    """
    found = []
    for name, expected in METHODS.items():
        method = getattr(GRPOTrainer, name, None)
        if method is None:
            found.append(f"`GRPOTrainer.{name}` is gone.")
            continue
        parameters = list(inspect.signature(method).parameters)[1:]
        wanted = expected.split()
        if parameters[: len(wanted)] != wanted:
            found.append(f"`GRPOTrainer.{name}` takes {parameters}, but {wanted} was expected.")
    return found


def missing_attributes(trainer: Any) -> list[str]:
    """
    What a trainer should have after its construction, and has not.

    Args:
        trainer ([`~trl.GRPOTrainer`]): The trainer.

    Returns:
        `list[str]`: Names; empty if all is there.
    """
    wanted = ATTRIBUTES if trainer.args.use_vllm else [*ATTRIBUTES, *TRANSFORMERS_ATTRIBUTES]
    return [name for name in wanted if not hasattr(trainer, name)]
