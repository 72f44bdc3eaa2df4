"""Encoder-decoder models in a trainer that is written for causal ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import AutoConfig
from trl import GRPOConfig

from ..generation.settings import ignoring_generation_config
from ._trl import selective_log_softmax, selective_log_softmax_and_entropy


# Settings that work with causal models only, and the remedy.
_CAUSAL_SETTINGS = {
    "use_vllm": "vLLM has no T5 or BART. Leave it out to generate with transformers.",
    "use_transformers_continuous_batching": "It generates with causal models only. Leave it out.",
    "cast_lm_head_to_fp32": "TRL casts the head of causal models only. Leave it out; with bf16, log-probs are computed in fp32 anyway.",
    "use_liger_kernel": "Its kernels are for causal models. Leave it out.",
}
# Attributes of encoders and decoders that hold a probability.
_DROPOUT_NUMBERS = ("dropout", "activation_dropout", "attention_dropout", "layerdrop")


class EncoderDecoder:
    """
    Pass prompts to the encoder of a model, and completions to its decoder.

    TRL pads prompts on the left. The encoder gets them padded on the right, because some models (BART) count positions
    from the first column, padding included.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model; T5, CodeT5, BART and the like.
        pad_token_id (`int`): Id of the padding token.
        temperature (`float`): Temperature of sampling, by which logits are divided.

    Raises:
        ValueError: If the configuration of the model has no start token for the decoder.
    """

    def __init__(self, model: Any, pad_token_id: int, temperature: float):
        start = model.generation_config.decoder_start_token_id
        start = model.config.decoder_start_token_id if start is None else start
        if start is None:
            raise ValueError(
                "The configuration of the encoder-decoder model has no start token for the decoder. Set "
                "`model.config.decoder_start_token_id`; T5 and CodeT5 use the id of their padding token."
            )
        self._start_token_id = int(start)
        self._pad_token_id = pad_token_id
        self._temperature = temperature

    def logits(
        self, model: Any, prompt_ids: torch.Tensor, prompt_mask: torch.Tensor, completion_ids: torch.Tensor
    ) -> torch.Tensor:
        """
        Return the logits of completion tokens, given prompts and earlier tokens.

        Args:
            model ([`torch.nn.Module`]): The model, perhaps wrapped for several processes.
            prompt_ids (`torch.Tensor`), prompt_mask (`torch.Tensor`): Prompts, padded on the left, `(B, P)`.
            completion_ids (`torch.Tensor`): Completions, padded on the right, `(B, T)`.

        Returns:
            `torch.Tensor`: Logits, `(B, T, V)`.
        """
        input_ids, attention_mask = self.right_padded(prompt_ids, prompt_mask)
        start = torch.full_like(completion_ids[:, :1], self._start_token_id)
        logits: torch.Tensor = model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=torch.cat([start, completion_ids[:, :-1]], dim=1),
            use_cache=False,
        ).logits
        return logits

    def logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        num_completion_tokens: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        entropy_requires_grad: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """
        Return log-probs and entropies of completion tokens, at the temperature.

        Args:
            model ([`torch.nn.Module`]): The model, perhaps wrapped for several processes.
            input_ids (`torch.Tensor`), attention_mask (`torch.Tensor`): Prompts followed by completions, `(B, P + T)`.
            num_completion_tokens (`int`): Number of completion tokens, `T`.
            batch_size (`int`, *optional*): Number of rows per forward pass. Defaults to all.
            compute_entropy (`bool`, *optional*, defaults to `False`): Whether to compute entropies.
            entropy_requires_grad (`bool`, *optional*, defaults to `False`): Whether entropies are part of a loss.

        Returns:
            `tuple`: Log-probs, and entropies or `None`, `(B, T)`; 0 where the mask is 0.
        """
        all_logps, all_entropies = [], []
        for ids, mask in zip(
            input_ids.split(batch_size or len(input_ids)),
            attention_mask.split(batch_size or len(input_ids)),
            strict=True,
        ):
            prompt_ids, completion_ids = ids[:, :-num_completion_tokens], ids[:, -num_completion_tokens:]
            prompt_mask, completion_mask = mask[:, :-num_completion_tokens], mask[:, -num_completion_tokens:]
            logits = self.logits(model, prompt_ids, prompt_mask, completion_ids)
            if compute_entropy:
                logps, entropies = selective_log_softmax_and_entropy(
                    logits, completion_ids, entropy_requires_grad, temperature=self._temperature
                )
                all_entropies.append(entropies * completion_mask)
            else:
                logps = selective_log_softmax(logits, completion_ids, temperature=self._temperature)
            all_logps.append(logps * completion_mask)
        return torch.cat(all_logps), torch.cat(all_entropies) if compute_entropy else None

    @contextlib.contextmanager
    def generating(self, model: Any) -> Iterator[None]:
        """
        Make `model.generate` return prompts followed by completions.

        Causal models do so, and TRL expects it. The method of the model is restored at the end.

        Args:
            model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model, unwrapped.
        """
        generate: Callable[..., torch.Tensor] = model.generate

        def generate_after_prompt(input_ids: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any) -> Any:
            ids, mask = self.right_padded(input_ids, attention_mask)
            sequences = generate(input_ids=ids, attention_mask=mask, **kwargs)
            return torch.cat([input_ids, sequences[:, 1:]], dim=1)  # without the start token

        model.generate = generate_after_prompt
        try:
            with ignoring_generation_config(model):
                yield
        finally:
            del model.generate  # restores the method of its class

    def right_padded(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Move the padding of prompts from the left to the right, `(B, P)`."""
        order = torch.argsort(mask, dim=1, descending=True, stable=True)
        mask = mask.gather(1, order)
        return ids.gather(1, order).masked_fill(mask == 0, self._pad_token_id), mask


def disable_dropout(model: Any) -> None:
    """
    Switch off the dropout that is not a module.

    T5 and BART pass a probability to a function; TRL switches off dropout modules only.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model.
    """
    for module in model.modules():
        for name in _DROPOUT_NUMBERS:
            if isinstance(vars(module).get(name), float):  # and not a module of that name
                setattr(module, name, 0.0)


def has_dropout(model: Any) -> bool:
    """
    Return whether a model has dropout that is switched on.

    Args:
        model ([`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model.
    """
    return any(
        (isinstance(module, torch.nn.Dropout) and module.p > 0)
        or any(vars(module).get(name) for name in _DROPOUT_NUMBERS)
        for module in model.modules()
    )


def is_encoder_decoder(model: Any, args: GRPOConfig) -> bool:
    """
    Return whether a model is an encoder-decoder model.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]): The model, or its name or path.
        args ([`~trl.GRPOConfig`]): Settings, with the arguments that load the model.
    """
    if isinstance(model, str):
        kwargs = args.model_init_kwargs or {}
        config = AutoConfig.from_pretrained(
            model,
            revision=kwargs.get("revision"),
            trust_remote_code=kwargs.get("trust_remote_code", args.trust_remote_code),
        )
    else:
        config = model.config
    return bool(config.is_encoder_decoder)


def check_encoder_decoder(args: GRPOConfig, *, tools: Any = None, environment_factory: Any = None) -> None:
    """
    Refuse settings and arguments that work with causal models only.

    Args:
        args ([`~trl.GRPOConfig`]): Settings.
        tools (`list`, *optional*): Argument `tools` of the trainer.
        environment_factory (`Callable` or `dict`, *optional*): Argument `environment_factory` of the trainer.

    Raises:
        ValueError: If one of them is switched on.
    """
    for name, remedy in _CAUSAL_SETTINGS.items():
        if getattr(args, name):
            raise ValueError(f"`{name}` does not work with an encoder-decoder model. {remedy}")
    for name, value in {"tools": tools, "environment_factory": environment_factory}.items():
        if value:
            raise ValueError(
                f"`{name}` does not work with an encoder-decoder model, whose completion cannot be interrupted by an answer. "
                "Use a causal model."
            )
