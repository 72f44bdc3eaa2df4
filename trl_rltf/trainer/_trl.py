"""List the private parts of TRL that are used here, and check that TRL has them."""

# `tests/trainer/test_trl.py` compares these lists with the source of the trainers: a name that is used and not listed
# fails there.

from __future__ import annotations

import inspect
from typing import Any, TypedDict

import torch
import trl
from packaging.specifiers import SpecifierSet
from trl import GRPOTrainer
from trl.chat_template_utils import parse_response as parse_response
from trl.data_utils import is_conversational as is_conversational
from trl.trainer import grpo_trainer as grpo_trainer
from trl.trainer.grpo_trainer import EnvironmentFactory as EnvironmentFactory
from trl.trainer.grpo_trainer import RewardFunc as RewardFunc
from trl.trainer.grpo_trainer import RolloutFunc as RolloutFunc
from trl.trainer.utils import is_async_callable as is_async_callable
from trl.trainer.utils import nanstd as nanstd
from trl.trainer.utils import pad as pad
from trl.trainer.utils import selective_log_softmax as selective_log_softmax
from trl.trainer.utils import selective_log_softmax_and_entropy as selective_log_softmax_and_entropy


# Versions that are accepted at construction, as in `pyproject.toml`.
SUPPORTED = ">=1.16,<1.17"

# Methods of `GRPOTrainer` that are overridden or called, with their first parameters.
METHODS = {
    "_calculate_rewards": "inputs prompts completions completion_ids_list",
    "_compute_loss": "model inputs",
    "_generate": "prompts",
    "_generate_and_score_completions": "inputs",
    "_generate_single_turn": "prompt_ids images multimodal_fields num_generations has_tool_images",
    "_get_output_dir": "trial",
    "_get_per_token_logps_and_entropies": "model input_ids attention_mask logits_to_keep batch_size compute_entropy",
    "_get_train_sampler": "dataset",
    "_load_optimizer_and_scheduler": "checkpoint",
    "_prepare_inputs": "generation_batch",
    "_save_checkpoint": "model trial",
    "_tokenize_prompts": "prompts",
    "add_callback": "callback",
    "evaluation_loop": "dataloader",
    "get_train_dataloader": "",
    "log": "logs start_time",
    "remove_callback": "callback",
    "train": "resume_from_checkpoint",
}

# Attributes of the class that are overridden.
CLASS_ATTRIBUTES = ["_name", "_paper", "_tag_names"]

# Attributes of a trainer that are read or written.
ATTRIBUTES = (
    # of `GRPOTrainer`
    "_buffered_inputs _entropy_bonus_enabled _is_vlm _logs _metrics _pending_extra_logs _pending_metrics _step _tokenizer "
    "aux_loss_enabled environment_factories num_generations num_generations_eval reward_func_names reward_funcs "
    "reward_weights rollout_func temperature tools "
    # of transformers' `Trainer`
    "accelerator args eval_dataset model model_wrapped processing_class state train_dataset"
).split()

# Attributes that a trainer has only with asynchronous reward functions, with environments, or while it trains.
OPTIONAL_ATTRIBUTES = ["_batch_environments", "async_loop", "current_gradient_accumulation_steps"]

# Attributes that a trainer has only without vLLM, and only with it.
TRANSFORMERS_ATTRIBUTES = ["generation_config", "generation_kwargs"]
VLLM_ATTRIBUTES = ["_last_loaded_step", "vllm_generation"]

# Attributes of `vllm_generation`, which is TRL's access to vLLM.
VLLM_GENERATION_ATTRIBUTES = ["generation_kwargs"]


class GenerationBatch(TypedDict, total=False):
    """
    Keys, of the batches that `GRPOTrainer` passes to its loss, that are used here.

    Functions take a batch as `dict[str, Any]`, because batches are also read by keys that are computed.

    Dimensions: B completions, P prompt tokens, T completion tokens.
    """

    prompt_ids: torch.Tensor  # (B, P), padded on the left
    prompt_mask: torch.Tensor  # (B, P)
    completion_ids: torch.Tensor  # (B, T), padded on the right
    completion_mask: torch.Tensor  # (B, T)
    tool_mask: torch.Tensor  # (B, T), 0 where a tool or an environment wrote the token
    advantages: torch.Tensor  # (B,), or (B, T) for one per token
    old_per_token_logps: torch.Tensor  # (B, T)
    ref_per_token_logps: torch.Tensor  # (B, T)
    sampling_per_token_logps: torch.Tensor  # (B, T), of vLLM
    importance_sampling_ratio: torch.Tensor  # (B, T) or (B, 1), of vLLM
    num_items_in_batch: torch.Tensor  # (), tokens of the loss in a generation batch, over all processes


def check_methods() -> None:
    """
    Refuse an unsupported version of TRL, or one whose methods differ.

    Raises:
        RuntimeError: If they do. The message names each difference.
    """
    found = []
    if trl.__version__ not in SpecifierSet(SUPPORTED, prereleases=True):
        found.append(f"Its version is not in `{SUPPORTED}`.")
    for name, expected in METHODS.items():
        method = getattr(GRPOTrainer, name, None)
        if method is None:
            found.append(f"`GRPOTrainer.{name}` is gone.")
            continue
        parameters = list(inspect.signature(method).parameters)[1:]
        wanted = expected.split()
        if parameters[: len(wanted)] != wanted:
            found.append(f"`GRPOTrainer.{name}` takes {parameters}, but {wanted} was expected.")
    if found:
        raise RuntimeError(_message(f"differs from the one that trl-rltf is written for. {' '.join(found)}"))


def check_attributes(trainer: Any) -> None:
    """
    Refuse a TRL whose trainer lacks an attribute that is used.

    Args:
        trainer ([`~trl.GRPOTrainer`]): The trainer, after its construction.

    Raises:
        RuntimeError: If an attribute is missing. The message names it.
    """
    wanted = [*ATTRIBUTES, *(VLLM_ATTRIBUTES if trainer.args.use_vllm else TRANSFORMERS_ATTRIBUTES)]
    missing = [name for name in wanted if not hasattr(trainer, name)]
    if "vllm_generation" in wanted and "vllm_generation" not in missing:
        generation = trainer.vllm_generation
        missing += [f"vllm_generation.{name}" for name in VLLM_GENERATION_ATTRIBUTES if not hasattr(generation, name)]
    if missing:
        raise RuntimeError(_message(f"has a trainer without {', '.join(missing)}."))


def _message(problem: str) -> str:
    return f"TRL {trl.__version__} {problem} Install `trl{SUPPORTED}`, or a version of trl-rltf for this TRL."
