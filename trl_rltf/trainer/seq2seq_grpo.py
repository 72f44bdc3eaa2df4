"""TRL's GRPO for encoder-decoder models, absolute positions and long prompts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import torch
from accelerate.utils import gather_object, is_peft_model
from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict
from transformers import (
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer

from ._trl import (
    EnvironmentFactory,
    RewardFunc,
    RolloutFunc,
    check_attributes,
    check_methods,
    is_conversational,
    pad,
    parse_response,
)
from .encoder_decoder import EncoderDecoder, check_encoder_decoder, disable_dropout, has_dropout, is_encoder_decoder
from .positions import counts_padding, with_positions
from .prompt_limit import PromptLimit, PromptOverflow
from .vllm_sampling import decoding_greedily


if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel

logger = logging.getLogger(__name__)

_GREEDY = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "min_p": None}


class Seq2SeqGRPOTrainer(GRPOTrainer):
    """
    Train causal and encoder-decoder models (T5, CodeT5, BART) with TRL's GRPO.

    It is [`~trl.GRPOTrainer`] without anything of RLTF. It adds: encoder-decoder models; position ids for models with a
    table of positions (GPT-2), whose log-probs would otherwise depend on padding; a limit on the length of prompts; and
    greedy decoding. For all else, the losses are TRL's to the last bit.

    Example:

    ```python
    from trl import GRPOConfig
    from trl_rltf.trainer import Seq2SeqGRPOTrainer

    trainer = Seq2SeqGRPOTrainer(
        model="google-t5/t5-small",
        reward_funcs=lambda completions, **columns: [float(len(text)) for text in completions],
        args=GRPOConfig(output_dir="t5-grpo"),
        train_dataset=dataset,
    )
    trainer.train()
    ```

    Args:
        model (`str` or [`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]):
            Causal or encoder-decoder language model, or its name or path.
        reward_funcs, args, train_dataset, eval_dataset, processing_class, reward_processing_classes, callbacks, optimizers,
        quantization_config, peft_config, tools, rollout_func, environment_factory:
            As in [`~trl.GRPOTrainer`].
        max_prompt_length (`int`, *optional*):
            Maximum number of tokens of a prompt. If not set, prompts are not limited.
        prompt_overflow (`str`, *optional*, defaults to `"truncate"`):
            `"truncate"` shortens longer prompts, `"drop"` drops their rows.

    Raises:
        RuntimeError: If the installed TRL differs from the one that this class is written for.
        ValueError: If a setting does not work with an encoder-decoder model, or a prompt cannot be shortened.
    """

    # Attributes of the parent that are written here.
    train_dataset: Any
    eval_dataset: Any
    reward_funcs: list[Any]
    generation_config: Any
    generation_kwargs: dict[str, Any]
    _batch_environments: list[Any]
    _pending_extra_logs: dict[str, list[Any]]
    _pending_metrics: dict[str, list[float]]
    # Defaults on the class, because some of TRL's methods are called on a trainer without `__init__`.
    encoder_decoder: EncoderDecoder | None = None
    prompt_limit: PromptLimit | None = None
    _counts_padding = False

    def __init__(
        self,
        model: str | PreTrainedModel | PeftModel,
        reward_funcs: RewardFunc | list[RewardFunc] | None = None,
        args: GRPOConfig | None = None,
        train_dataset: Dataset | IterableDataset | None = None,
        eval_dataset: Dataset
        | IterableDataset
        | DatasetDict
        | IterableDatasetDict
        | dict[str, Dataset | IterableDataset]
        | None = None,
        processing_class: PreTrainedTokenizerBase | ProcessorMixin | None = None,
        reward_processing_classes: PreTrainedTokenizerBase | list[PreTrainedTokenizerBase] | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[torch.optim.Optimizer | None, torch.optim.lr_scheduler.LambdaLR | None] = (None, None),
        quantization_config: BitsAndBytesConfig | None = None,
        peft_config: PeftConfig | None = None,
        tools: list[Callable[..., Any]] | None = None,
        rollout_func: RolloutFunc | None = None,
        environment_factory: EnvironmentFactory | dict[str, EnvironmentFactory] | None = None,
        *,
        max_prompt_length: int | None = None,
        prompt_overflow: PromptOverflow = "truncate",
    ):
        check_methods()
        if prompt_overflow not in get_args(PromptOverflow):
            raise ValueError(f"`prompt_overflow` is {prompt_overflow!r}, but must be 'truncate' or 'drop'.")
        if args is None:
            args = GRPOConfig(f"{model_name(model)}-GRPO")
        if is_encoder_decoder(model, args):
            check_encoder_decoder(args, tools=tools, environment_factory=environment_factory)
        super().__init__(
            *(model, reward_funcs, args, train_dataset, eval_dataset, processing_class, reward_processing_classes),
            *(callbacks, optimizers, quantization_config, peft_config, tools, rollout_func, environment_factory),
        )
        check_attributes(self)
        if self.model.config.is_encoder_decoder:
            self._set_up_encoder_decoder()
        self._counts_padding = self.encoder_decoder is None and counts_padding(self.model)
        base = self.model.get_base_model() if is_peft_model(self.model) else self.model
        self._takes_logits_to_keep = "logits_to_keep" in inspect.signature(base.forward).parameters
        if max_prompt_length is not None:
            self.prompt_limit = PromptLimit(max_prompt_length, self._prompt_ids)
            if self._has_plain_prompts:
                limit = self.prompt_limit
                self.train_dataset = limit.apply(self.train_dataset, prompt_overflow, "train_dataset")
                self.eval_dataset = limit.apply(self.eval_dataset, prompt_overflow, "eval_dataset")

    def _set_up_encoder_decoder(self) -> None:
        if self.aux_loss_enabled:
            raise ValueError(
                "The load-balancing loss of an encoder-decoder model with experts is not computed here. Set "
                "`router_aux_loss_coef=0`."
            )
        self.encoder_decoder = EncoderDecoder(self.model, self._tokenizer.pad_token_id, self.temperature)
        if self.args.disable_dropout:
            disable_dropout(self.model)
        elif has_dropout(self.model):
            logger.warning(
                "The model has dropout, both while completions are sampled and while their probabilities are compared: ratios "
                "and KL divergence are noisy. `disable_dropout=True` switches it off."
            )

    @property
    def _has_plain_prompts(self) -> bool:
        """Whether the prompts of the datasets are text that no environment changes."""
        return not (self._is_vlm or self.environment_factories)

    # ------------------------------------------------------------------ methods of TRL

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train, as [`~transformers.Trainer.train`] does."""
        # TRL passes weights to vLLM when the number of the step has changed. A run that starts or resumes, and one that loads
        # its best weights at the end, changes them at the same number.
        self._last_loaded_step = -1
        try:
            return super().train(*args, **kwargs)
        finally:
            self._last_loaded_step = -1

    def _generate(self, prompts: list[Any]) -> Any:
        if self.prompt_limit is not None:
            shortened = self.shorten(prompts)
            is_cut = [float(new is not old) for new, old in zip(shortened, prompts, strict=True)]
            gathered = self.accelerator.gather(torch.tensor(is_cut, device=self.accelerator.device))
            self.add_metric("prompts/clipped_ratio", gathered.mean().item())
            # In place: TRL passes the prompts of this list to reward functions and to the completions table.
            prompts[:] = shortened
        return super()._generate(prompts)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        if self.encoder_decoder is None:
            return super()._generate_single_turn(*args, **kwargs)
        with self.encoder_decoder.generating(self.accelerator.unwrap_model(self.model_wrapped)):
            return super()._generate_single_turn(*args, **kwargs)

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        model = with_positions(model) if self._counts_padding else model
        arguments = (model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy)
        if self.encoder_decoder is None:
            return super()._get_per_token_logps_and_entropies(*arguments, **kwargs)
        with self.accelerator.autocast():
            logps, entropies = self.encoder_decoder.logps_and_entropies(*arguments, self._entropy_bonus_enabled)
        return logps, entropies, None

    # ------------------------------------------------------------------ prompts and completions

    def shorten(self, prompts: list[Any]) -> list[Any]:
        """
        Shorten the prompts that are longer than `max_prompt_length`.

        Args:
            prompts (`list`): Prompts, as text or as chat messages.

        Returns:
            `list`: The prompts; the same object for one that is not too long.
        """
        if self.prompt_limit is None:
            return prompts
        names = [None] * len(prompts) if self.environment_factories is None else self._batch_environments
        return [self.prompt_limit.shorten(prompt, name) for prompt, name in zip(prompts, names, strict=True)]

    def _prompt_ids(self, prompts: list[Any], environment: str | None = None) -> Any:
        if self.environment_factories is None:
            return self._tokenize_prompts(prompts)[0]
        # TRL reads the tools that a prompt lists from the environment of each row of the batch.
        kept, self._batch_environments = self._batch_environments, [environment] * len(prompts)
        try:
            return self._tokenize_prompts(prompts)[0]
        finally:
            self._batch_environments = kept

    def padded_prompts(self, prompts: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and mask of prompts as generation uses them, `(B, P)`."""
        rows = [torch.tensor(ids) for ids in self._tokenize_prompts(self.shorten(prompts))[0]]
        ids = pad(rows, padding_value=self._tokenizer.pad_token_id, padding_side="left")
        return ids, pad([torch.ones_like(row) for row in rows], padding_value=0, padding_side="left")

    def generate_greedily(self, prompts: list[Any]) -> list[tuple[Any, list[int]]]:
        """
        Decode prompts greedily.

        Args:
            prompts (`list`): Prompts, as text or as chat messages.

        Returns:
            `list`: The completion of each prompt, as text or messages, and as ids.
        """
        prompt_ids, images, fields = self._tokenize_prompts(prompts)
        if self.args.use_vllm:
            completion_ids = self._decode_with_vllm(prompt_ids, images, fields)
        else:
            completion_ids = self._decode_with_transformers(prompt_ids, images, fields)
        texts: list[Any] = self.processing_class.batch_decode(completion_ids, skip_special_tokens=True)
        if not is_conversational({"prompt": prompts[0]}):
            completions = texts
        elif any(
            getattr(self._tokenizer, name, None) is not None for name in ("response_template", "response_schema")
        ):
            pairs = zip(completion_ids, prompt_ids, strict=True)
            completions = [[parse_response(self._tokenizer, ids, prefix=prefix)] for ids, prefix in pairs]
        else:
            completions = [[{"role": "assistant", "content": text}] for text in texts]
        return list(zip(completions, completion_ids, strict=True))

    def _decode_with_transformers(self, prompt_ids: list[list[int]], images: Any, fields: Any) -> list[list[int]]:
        config, kwargs = self.generation_config, self.generation_kwargs
        self.generation_kwargs = {**kwargs, **_GREEDY}
        self.generation_config = type(config).from_dict({**config.to_dict(), **_GREEDY})
        was_training = self.model.training
        self.model.eval()  # dropout would make the likeliest token random
        try:
            completion_ids: list[list[int]] = self._generate_single_turn(prompt_ids, images, fields, 1)[0]
        finally:
            self.model.train(was_training)
            self.generation_config, self.generation_kwargs = config, kwargs
        return completion_ids

    def _decode_with_vllm(self, prompt_ids: list[list[int]], images: Any, fields: Any) -> list[list[int]]:
        # TRL's server mode cuts the answer into equal parts, one per process.
        num_prompts = len(prompt_ids)
        missing = max(gather_object([num_prompts])) - num_prompts
        prompt_ids = prompt_ids + prompt_ids[:1] * missing
        images = images and images + images[:1] * missing
        with decoding_greedily(self.vllm_generation):
            completion_ids: list[list[int]] = self._generate_single_turn(prompt_ids, images, fields, 1)[0]
        return completion_ids[:num_prompts]

    # ------------------------------------------------------------------ probabilities

    def logps_of(self, batch: dict[str, Any]) -> torch.Tensor:
        """Return log-probs of the completions under the current weights, `(B, T)`."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        attention_mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        size = self.args.per_device_train_batch_size
        with torch.no_grad():
            logps: torch.Tensor = self._get_per_token_logps_and_entropies(
                self.model, ids, attention_mask, batch["completion_ids"].size(1), batch_size=size
            )[0]
        return logps

    def logits_after(
        self, model: Any, prompts: tuple[torch.Tensor, torch.Tensor], continuations: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """
        Return the logits of continuations of prompts, at temperature 1.

        Args:
            model ([`torch.nn.Module`]): The model, possibly wrapped for several processes.
            prompts (`tuple`): Ids and mask, padded on the left, `(B, P)`.
            continuations (`tuple`): Ids and mask, padded on the right, `(B, R)`.

        Returns:
            `torch.Tensor`: Logits, `(B, R, V)`.
        """
        ids, mask = continuations
        with self.accelerator.autocast():
            if self.encoder_decoder is not None:
                return self.encoder_decoder.logits(model, *prompts, ids)
            input_ids, attention_mask = torch.cat([prompts[0], ids], dim=1), torch.cat([prompts[1], mask], dim=1)
            model = with_positions(model) if self._counts_padding else model
            arguments: dict[str, Any] = {"use_cache": False}
            if self._takes_logits_to_keep:  # logits of the prompts would take the most memory
                arguments["logits_to_keep"] = ids.size(1) + 1
            logits: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask, **arguments).logits
            return logits[:, -ids.size(1) - 1 : -1]

    def add_metric(self, name: str, value: float) -> None:
        """Log a number; TRL averages it over a logging step."""
        self._metrics["train" if self.model.training else "eval"][name].append(value)

    def set_metric(self, name: str, value: float) -> None:
        """Log a number that counts since the start, as it is at the end of a logging step."""
        self._metrics["train" if self.model.training else "eval"][name] = [value]


def model_name(model: Any) -> str:
    """Return the last part of the name of a model, or `"model"` if it has none."""
    name = model if isinstance(model, str) else model.config._name_or_path
    return name.split("/")[-1] or "model"
