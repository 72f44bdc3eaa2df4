"""Check settings and datasets when a trainer is made, before training starts."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from transformers import TrainerCallback

from .online_buffer import OnlineBuffer
from .reference_data import holds_programs
from .rltf_config import RLTFConfig
from .vllm_sampling import warn_of_vanishing_ratio


def find_buffer(callbacks: list[TrainerCallback] | None) -> OnlineBuffer | None:
    """Return the online buffer among the callbacks, or `None`."""
    if any(callback is OnlineBuffer for callback in callbacks or []):
        raise ValueError(
            "`callbacks` has the class `OnlineBuffer`; pass an instance, such as `OnlineBuffer(capacity=6400)`."
        )
    buffers = [callback for callback in callbacks or [] if isinstance(callback, OnlineBuffer)]
    if len(buffers) > 1:
        raise ValueError(
            f"`callbacks` has {len(buffers)} online buffers, but a trainer draws from one. Pass only one."
        )
    return buffers[0] if buffers else None


def check_settings(
    args: RLTFConfig,
    buffer: OnlineBuffer | None,
    tools: Any = None,
    rollout_func: Any = None,
    environment_factory: Any = None,
    reward_funcs: Any = None,
) -> None:
    """
    Refuse settings and arguments of a trainer that contradict each other.

    Sampling that leaves no gradient with vLLM is warned of.

    Args:
        args ([`RLTFConfig`]): Settings.
        buffer ([`OnlineBuffer`] or `None`): The online buffer, if there is one.
        tools, rollout_func, environment_factory, reward_funcs: Arguments of the trainer.

    Raises:
        ValueError: If two of them contradict each other.
    """
    warn_of_vanishing_ratio(args)
    if args.prompt_overflow == "drop" and environment_factory:
        raise ValueError(
            "`prompt_overflow='drop'` does not work with `environment_factory`: an environment adds to prompts while training "
            "runs. Use 'truncate'."
        )
    if args.baseline == "greedy":
        arguments = {"rollout_func": rollout_func, "tools": tools, "environment_factory": environment_factory}
        for name, value in arguments.items():
            if value:
                raise ValueError(
                    f"`baseline='greedy'` decodes the prompt only and does not work with `{name}`. Use 'group_mean' or "
                    "'leave_one_out'."
                )
    _check_groups(args, buffer)
    _check_comparisons(args, reward_funcs)
    if buffer is None:
        return
    if args.off_policy_mask_threshold is not None and not buffer.importance_sampling:
        raise ValueError(
            "`off_policy_mask_threshold` compares old and new probabilities, which an `OnlineBuffer` passes to the loss only with "
            "`importance_sampling=True`. Set that, or leave the threshold out."
        )
    if args.num_iterations > 1:
        raise ValueError(
            f"`num_iterations` is {args.num_iterations}, but with an `OnlineBuffer` samples are drawn from a queue. Leave "
            "it at 1; a smaller `samples_per_refresh` of the buffer uses each sample more often."
        )
    window = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    if buffer.capacity < window:
        raise ValueError(
            f"`capacity` of the online buffer is {buffer.capacity}, but an optimizer step draws {window} samples. Raise the "
            "capacity, or lower the batch size."
        )


def _check_groups(args: RLTFConfig, buffer: OnlineBuffer | None) -> None:
    """Refuse groups on several processes where whole groups are kept or dropped."""
    local = args.per_device_train_batch_size * args.steps_per_generation
    if local % args.num_generations and (buffer is not None or args.orders_prompts):
        feature = "With an `OnlineBuffer`" if buffer is not None else "With dynamic sampling or a curriculum"
        raise ValueError(
            f"A process generates {local} completions at a time (`per_device_train_batch_size` times "
            f"`steps_per_generation`), which is not a multiple of `num_generations={args.num_generations}`. {feature}, each "
            "process keeps whole groups: change one of the three."
        )


def _check_comparisons(args: RLTFConfig, reward_funcs: Any) -> None:
    """Refuse a reward that compares a group where its calls do not have all of it."""
    functions = reward_funcs if isinstance(reward_funcs, list) else [reward_funcs]
    if not any(hasattr(function, "needs_whole_groups") and function.needs_whole_groups for function in functions):
        return
    found = "A reward function compares the programs of a group (`test_weights='rarity'`)"
    if args.baseline == "greedy":
        raise ValueError(
            f"{found}, but `baseline='greedy'` grades the greedy completions without the group. Use 'group_mean' or "
            "'leave_one_out'."
        )
    local, size = args.per_device_train_batch_size * args.steps_per_generation, args.num_generations
    if local % size:
        raise ValueError(
            f"{found}, but a process generates {local} completions at a time (`per_device_train_batch_size` times "
            f"`steps_per_generation`), which is not a multiple of `num_generations={size}`: groups are divided among processes. "
            "Change one of the three."
        )
    local, size = args.per_device_eval_batch_size, args.num_generations_eval or size
    if args.eval_strategy != "no" and local % size:
        raise ValueError(
            f"{found}, but `per_device_eval_batch_size` is {local}, which is not a multiple of the {size} completions per prompt of "
            "an evaluation: groups are divided among processes. Change one of the two."
        )


def check_model(is_multimodal: bool, args: RLTFConfig, buffer: OnlineBuffer | None) -> None:
    """Refuse a multimodal model where samples are kept, because they hold text only."""
    if is_multimodal and buffer is not None:
        raise ValueError("`OnlineBuffer` holds text only, but the model is multimodal. Train without the buffer.")
    if is_multimodal and args.orders_prompts:
        raise ValueError(
            "Dynamic sampling and curricula work with text only, but the model is multimodal. Set `max_generation_batches=1` and "
            "`curriculum_probability=1.0`."
        )


def check_token_rewards(loss_type: str, off_policy_mask_threshold: float | None) -> None:
    """Refuse token rewards and weights where the loss makes one decision per sequence."""
    if loss_type == "vespo" or off_policy_mask_threshold is not None:
        raise ValueError(
            "A reward function returns token rewards or weights, but `loss_type='vespo'` and `off_policy_mask_threshold` make one "
            "decision per sequence, from one advantage. Use another loss, or plain rewards."
        )


def check_datasets(
    train_dataset: Any,
    eval_dataset: Any,
    args: RLTFConfig,
    reward_funcs: Any,
    tools: Any = None,
    environment_factory: Any = None,
) -> None:
    """Refuse datasets that would stop the run at a later step or evaluation."""
    functions = reward_funcs if isinstance(reward_funcs, list) else [reward_funcs]
    caller = "tools" if tools else "environment_factory" if environment_factory else None
    for name, dataset in {"train_dataset": train_dataset, **_evaluation_sets(eval_dataset)}.items():
        if not isinstance(dataset, Dataset):  # a stream gives each row once
            continue
        if "prompt" not in dataset.column_names and not environment_factory:
            raise ValueError(
                f"`{name}` has no column `prompt`; it has {dataset.column_names}. Rename the column that holds the prompts."
            )
        if caller is not None:
            _check_chat(name, dataset, caller)
        for function in functions:
            if isinstance(function, type):
                raise TypeError(
                    f"`reward_funcs` has the class `{function.__name__}`. Pass an instance: `{function.__name__}(...)`."
                )
            if hasattr(function, "check_dataset"):
                try:
                    function.check_dataset(dataset)
                except ValueError as error:
                    raise ValueError(f"`{name}`: {error}") from error
    check_size(train_dataset, args)
    _check_solutions(train_dataset, args)
    if args.orders_prompts and not isinstance(train_dataset, Dataset):
        raise ValueError(
            f"`train_dataset` is a {type(train_dataset).__name__}, but `max_generation_batches` above 1 and "
            "`curriculum_probability` below 1 need a `datasets.Dataset`, whose rows can be read in any order. Load the data "
            "without `streaming=True`, or leave the two settings at 1."
        )


def _check_chat(name: str, dataset: Dataset, caller: str) -> None:
    """Refuse prompts of plain text where a model calls tools."""
    if "prompt" in dataset.column_names and len(dataset) and isinstance(dataset[0]["prompt"], str):
        raise ValueError(
            f"Column `prompt` of `{name}` has plain text, but with `{caller}` a model calls tools in a chat. Make each prompt a "
            'list of messages: `dataset.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})`.'
        )


def _evaluation_sets(eval_dataset: Any) -> dict[str, Any]:
    """Return the evaluation sets by their names in messages."""
    if isinstance(eval_dataset, dict):
        return {f"eval_dataset[{name!r}]": dataset for name, dataset in eval_dataset.items()}
    return {"eval_dataset": eval_dataset}


def check_size(dataset: Any, args: RLTFConfig) -> None:
    """Refuse a training set with fewer rows than the prompts of a generation batch."""
    prompts = args.generation_batch_size // args.num_generations
    if isinstance(dataset, Dataset) and len(dataset) < prompts:
        raise ValueError(
            f"The training set has {len(dataset)} rows, but a generation batch needs {prompts} prompts "
            f"(`generation_batch_size={args.generation_batch_size}` / `num_generations={args.num_generations}`). Lower the "
            "batch size or `gradient_accumulation_steps`, or raise `num_generations`."
        )


def _check_solutions(dataset: Any, args: RLTFConfig) -> None:
    """Refuse a training set without the reference solutions that the settings need."""
    if not isinstance(dataset, Dataset) or not args.ce_loss_weight:
        return
    if "solutions" not in dataset.column_names:
        if args.correction_share > 0:  # corrections come from passing completions too
            return
        raise ValueError(
            f"`ce_loss_weight` is {args.ce_loss_weight}, which needs a column `solutions` with reference programs, but the "
            f"training set has only {dataset.column_names}. Add the column, or set the weight to 0."
        )
    if not holds_programs(dataset.features["solutions"]):
        raise ValueError(
            f"Column `solutions` of the training set is of the type {dataset.features['solutions']}, but must hold in each row a "
            "list of programs, one program as text, or such a list as JSON text."
        )
