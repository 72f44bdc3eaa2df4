"""Make the sampler of an evaluation with vLLM: start an engine, or find a server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from transformers import AutoConfig, GenerationConfig
from transformers.utils import cached_file
from trl import ModelConfig

from ..generation import CompletionsServer, Sampling, weight_files_fingerprint, weights_fingerprint
from ..generation.sampling import config_end_tokens, end_tokens
from ..metrics import VLLMSampler, VLLMServerSampler
from .evaluation_arguments import EvaluationArguments
from .policy import find_adapter_config, load_policy, load_tokenizer
from .vllm_arguments import check_vllm_model


def load_vllm_sampler(
    script_args: EvaluationArguments, model_args: ModelConfig, sampling: Sampling, world_size: int
) -> VLLMSampler | VLLMServerSampler:
    """
    Make a sampler that uses vLLM.

    An adapter is merged by transformers, as without vLLM, and the merged weights are written to a temporary folder, from which
    the engine loads them.

    Args:
        script_args ([`EvaluationArguments`]): Arguments of the script.
        model_args ([`~trl.ModelConfig`]): The model.
        sampling ([`~generation.Sampling`]): How to sample.
        world_size (`int`): Number of processes.

    Returns:
        [`~metrics.VLLMSampler`] or [`~metrics.VLLMServerSampler`]: With the address of a server, the latter.

    Raises:
        ConnectionError: If the server cannot be reached.
        ImportError: If vLLM is not installed and an engine is asked for.
        ValueError: If the model or an argument of it does not work with vLLM, or the server does not have the model.
    """
    check_vllm_model(script_args, model_args, world_size)
    source = model_args.model_name_or_path
    where = {"revision": model_args.model_revision, "trust_remote_code": script_args.trust_remote_code}
    is_adapter = find_adapter_config(source, model_args.model_revision) is not None
    if not is_adapter:
        _refuse_encoder_decoder(AutoConfig.from_pretrained(source, **where), source)
    if script_args.vllm_server_base_url is not None:
        return _find_server(script_args, source, where, sampling)
    if not is_adapter and script_args.adapter_name_or_path is None:
        tokenizer = load_tokenizer(source, **where)
        engine = _start_engine(script_args, model_args, source, revision=model_args.model_revision)
        weights = weight_files_fingerprint(_folder(source, model_args.model_revision))
        ends = config_end_tokens(_generation_config(source, where), tokenizer)
    else:
        model, tokenizer = load_policy(
            model_args,
            adapter=script_args.adapter_name_or_path,
            trust_remote_code=script_args.trust_remote_code,
        )
        _refuse_encoder_decoder(model.config, source)
        weights = weights_fingerprint(model)
        ends = end_tokens(model, tokenizer)
        with tempfile.TemporaryDirectory(prefix="trl-rltf-merged-") as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            del model  # the engine needs the memory
            engine = _start_engine(script_args, model_args, folder)
    return VLLMSampler(
        engine,
        tokenizer,
        sampling,
        weights or "unknown",
        end_token_ids=ends,
        prompt_style=script_args.style_of_prompts(tokenizer),
    )


def _start_engine(
    script_args: EvaluationArguments, model_args: ModelConfig, source: str, revision: str | None = None
) -> Any:
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError as error:
        raise ImportError(
            f"`use_vllm` needs the package vLLM, but it cannot be imported: {error}. Install a version that TRL supports "
            '(`pip install "trl-rltf[vllm]"`), or leave out `use_vllm`.'
        ) from error
    # On a CPU, vLLM 0.30 fails at a request that has a seed and whose prompt is read in parts ("CPU Generator does not use
    # offset").
    of_platform = {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}
    return LLM(
        model=source,
        revision=revision,
        tokenizer_revision=revision,
        trust_remote_code=script_args.trust_remote_code,
        dtype=model_args.dtype or "auto",
        seed=script_args.seed,
        gpu_memory_utilization=script_args.vllm_gpu_memory_utilization,
        tensor_parallel_size=script_args.vllm_tensor_parallel_size,
        max_model_len=script_args.vllm_max_model_length,
        max_num_seqs=script_args.batch_size,
        **of_platform,
    )


def _find_server(
    script_args: EvaluationArguments, source: str, where: dict[str, Any], sampling: Sampling
) -> VLLMServerSampler:
    assert script_args.vllm_server_base_url is not None
    server = CompletionsServer(
        script_args.vllm_server_base_url,
        script_args.vllm_server_model or source,
        concurrency=script_args.batch_size,
        startup_timeout=script_args.vllm_server_timeout,
    )
    tokenizer = load_tokenizer(source, **where)
    return VLLMServerSampler(
        server,
        tokenizer,
        sampling,
        # The server may run on another machine, and only the tokenizer be here.
        weights=weight_files_fingerprint(source) if Path(source).is_dir() else None,
        end_token_ids=config_end_tokens(_generation_config(source, where), tokenizer),
        prompt_style=script_args.style_of_prompts(tokenizer),
    )


def _folder(source: str, revision: str | None) -> Path:
    """Folder of the weights, which the engine has downloaded if they are on the Hub."""
    if Path(source).is_dir():
        return Path(source)
    return Path(cached_file(source, "config.json", revision=revision, local_files_only=True)).parent


def _generation_config(source: str, where: dict[str, Any]) -> Any:
    """The generation config that transformers gives the model."""
    try:
        return GenerationConfig.from_pretrained(source, revision=where["revision"])
    except OSError:
        pass
    try:
        return GenerationConfig.from_model_config(AutoConfig.from_pretrained(source, **where))
    except OSError:  # the folder of an adapter, with its tokenizer alone
        return GenerationConfig()


def _refuse_encoder_decoder(config: Any, source: str) -> None:
    if config.is_encoder_decoder:
        raise ValueError(
            f"{source!r} is an encoder-decoder, a {config.model_type}, which vLLM does not have. Sample without vLLM."
        )
