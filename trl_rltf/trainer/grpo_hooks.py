"""The seam with TRL: whatever touches the private side of `GRPOTrainer` is in this module."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Iterator
from typing import Any

import torch
import trl
from accelerate.utils import gather_object, is_peft_model
from trl import GRPOTrainer
from trl.chat_template_utils import parse_response
from trl.data_utils import is_conversational
from trl.trainer.utils import pad

from ._trl import differences, missing_attributes
from .positions import counts_padding, with_positions
from .prompt_limit import PromptLimit
from .seq2seq import EncoderDecoder, disable_dropout, has_dropout


logger = logging.getLogger(__name__)


class GRPOHooks(GRPOTrainer):
    """
    TRL's trainer with names for the moments at which RLTF steps in.

    A subclass overrides [`next_batch`], [`before_rewards`], [`after_rewards`], [`after_scoring`], [`total_loss`],
    [`save_state`] and [`load_state`]; each does nothing here.

    Raises:
        RuntimeError: If the installed TRL has changed what this class builds on.
    """

    # What this class reads of its parent.
    reward_funcs: list[Any]
    generation_config: Any
    generation_kwargs: dict[str, Any]
    _batch_environments: list[Any]
    _buffered_inputs: list[dict[str, Any]] | None
    _pending_extra_logs: Any
    _pending_metrics: Any
    # What a trainer has that was never initialised; some of TRL's methods work on one.
    encoder_decoder: EncoderDecoder | None = None
    prompt_limit: PromptLimit | None = None
    wrapped_reward_funcs: list[Any] | None = None
    completed_epochs = 0  # before the one that training resumes in
    _counts_padding = False

    def __init__(self, *args: Any, **kwargs: Any):
        changed = differences()
        if changed:
            raise RuntimeError(
                f"TRL {trl.__version__} differs from what this version of trl-rltf was written for. {' '.join(changed)} Install "
                "`trl==1.16.0`, or a newer trl-rltf."
            )
        self.last_logps = torch.empty(0)  # of the last forward pass, `(B, T)`
        super().__init__(*args, **kwargs)
        missing = missing_attributes(self)
        if missing:
            raise RuntimeError(f"TRL {trl.__version__} has no {', '.join(missing)}. Install `trl==1.16.0`.")
        if self.model.config.is_encoder_decoder:
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
                    "The model has dropout, which is on while completions are sampled and while their probabilities are compared: "
                    "ratios and KL divergence are noise around what they should be. `disable_dropout=True` switches it off."
                )
        self._counts_padding = self.encoder_decoder is None and counts_padding(self.model)
        base = self.model.get_base_model() if is_peft_model(self.model) else self.model
        self._takes_logits_to_keep = "logits_to_keep" in inspect.signature(base.forward).parameters
        if self.args.max_prompt_length is not None:
            self.prompt_limit = PromptLimit(self.args.max_prompt_length, self._prompt_ids)

    # ------------------------------------------------------------------ moments

    def next_batch(self) -> dict[str, Any] | None:
        """The next batch of training, or `None` for TRL's own."""
        return None

    def generated(self, prompts: list[Any]) -> Any:
        """Completions for these prompts, as [`generate`] gives them."""
        return self.generate(prompts)

    def before_rewards(self) -> None:
        """Called before reward functions are."""

    def after_rewards(self, rewards_per_func: torch.Tensor) -> None:
        """Called with what they gave, `(B * num_processes, F)`."""

    def after_scoring(self, inputs: list[dict[str, Any]], output: dict[str, Any]) -> dict[str, Any]:
        """Called with the rows of a generation batch and what TRL made of them."""
        return output

    def total_loss(self, model: Any, inputs: dict[str, Any], loss: torch.Tensor) -> torch.Tensor:
        """Called with TRL's loss of a batch; returns the loss to minimise."""
        return loss

    def save_state(self, folder: str) -> None:
        """Called before TRL writes the checkpoint in this folder, so that a checkpoint that is whole has it."""

    def load_state(self, folder: str) -> None:
        """Called when training resumes from the checkpoint in this folder."""

    # ------------------------------------------------------------------ TRL calls these

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        batch = self.next_batch() if self.model.training else None
        return super()._prepare_inputs(generation_batch) if batch is None else batch

    def _generate(self, prompts: list[Any]) -> Any:
        if self.prompt_limit is not None:
            shortened = self.shortened(prompts)
            is_cut = [float(new is not old) for new, old in zip(shortened, prompts, strict=True)]
            gathered = self.accelerator.gather(torch.tensor(is_cut, device=self.accelerator.device))
            self.add_metric("prompts/clipped_ratio", gathered.mean().item())
            # In place: TRL gives the prompts of this list to reward functions and to the completions table.
            prompts[:] = shortened
        return self.generated(prompts)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return self.after_scoring(inputs, super()._generate_and_score_completions(inputs))

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> torch.Tensor:
        self.before_rewards()
        with self._wrapped_rewards():
            rewards_per_func = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self.after_rewards(rewards_per_func)
        return rewards_per_func

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
            result = super()._get_per_token_logps_and_entropies(*arguments, **kwargs)
        else:
            with self.accelerator.autocast():
                pair = self.encoder_decoder.logps_and_entropies(*arguments, self._entropy_bonus_enabled)
            result = (*pair, None)
        self.last_logps = result[0].detach()
        return result

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        return self.total_loss(model, inputs, super()._compute_loss(model, inputs))

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        # TRL's sampler shuffles as in the first epoch again when training resumes.
        for _ in range(self.completed_epochs if sampler.shuffle else 0):
            torch.randperm(sampler.num_samples, generator=sampler.generator)
        return sampler

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.save_state(f"{self._get_output_dir(trial=trial)}/checkpoint-{self.state.global_step}")
        super()._save_checkpoint(model, trial)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.load_state(checkpoint)

    # ------------------------------------------------------------------ RLTF calls these

    def generate(self, prompts: list[Any]) -> Any:
        """What TRL makes of prompts: ids, texts and log-probs of the completions, and what goes with them."""
        return super()._generate(prompts)

    def generate_greedily(self, prompts: list[Any]) -> list[tuple[Any, list[int]]]:
        """The greedy completion of each prompt: as text or message, and as ids."""
        prompt_ids, images, fields = self._tokenize_prompts(prompts)
        config, kwargs = self.generation_config, self.generation_kwargs
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "min_p": None}
        self.generation_kwargs = {**kwargs, **greedy}
        self.generation_config = type(config).from_dict({**config.to_dict(), **greedy})
        was_training = self.model.training
        self.model.eval()  # with dropout, the most likely token would be a matter of chance
        try:
            completion_ids: list[list[int]] = self._generate_single_turn(prompt_ids, images, fields, 1)[0]
        finally:
            self.model.train(was_training)
            self.generation_config, self.generation_kwargs = config, kwargs
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

    def shortened(self, prompts: list[Any]) -> list[Any]:
        """Prompts as the model sees them: those above `max_prompt_length` lose the beginning of their content."""
        if self.prompt_limit is None:
            return prompts
        names = [None] * len(prompts) if self.environment_factories is None else self._batch_environments
        return [self.prompt_limit.shorten(prompt, name) for prompt, name in zip(prompts, names, strict=True)]

    def _prompt_ids(self, prompts: list[Any], environment: str | None = None) -> Any:
        if self.environment_factories is None:
            return self._tokenize_prompts(prompts)[0]
        # TRL takes the tools that a prompt lists from the environment of each row of the batch.
        kept, self._batch_environments = self._batch_environments, [environment] * len(prompts)
        try:
            return self._tokenize_prompts(prompts)[0]
        finally:
            self._batch_environments = kept

    def rewards_of(
        self, inputs: list[dict[str, Any]], completions: list[Any], completion_ids: list[list[int]]
    ) -> torch.Tensor:
        """Rewards of other completions of the same prompts, `(B * num_processes, F)`, out of the logs."""
        prompts = self.shortened([row["prompt"] for row in inputs])
        with self._unlogged(), self._wrapped_rewards():
            return super()._calculate_rewards(inputs, prompts, completions, completion_ids)

    @contextlib.contextmanager
    def _wrapped_rewards(self) -> Iterator[None]:
        # Only while TRL calls them: `reward_funcs` of a trainer are those that it was given, as in TRL.
        own = self.reward_funcs
        self.reward_funcs = own if self.wrapped_reward_funcs is None else self.wrapped_reward_funcs
        try:
            yield
        finally:
            self.reward_funcs = own

    @contextlib.contextmanager
    def _unlogged(self) -> Iterator[None]:
        kept = self._pending_extra_logs, self._pending_metrics
        self._pending_extra_logs, self._pending_metrics = (type(logs)(logs.default_factory) for logs in kept)
        try:
            yield
        finally:
            self._pending_extra_logs, self._pending_metrics = kept

    def score(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Generate and score completions for the rows of a generation batch."""
        return self._generate_and_score_completions(inputs)

    def logps_of(self, batch: dict[str, Any]) -> torch.Tensor:
        """Log-probs of the completions under the current weights, `(B, T)`."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        attention_mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        size = self.args.per_device_train_batch_size
        with torch.no_grad():
            logps: torch.Tensor = self._get_per_token_logps_and_entropies(
                self.model, ids, attention_mask, batch["completion_ids"].size(1), batch_size=size
            )[0]
        return logps

    def padded_prompts(self, prompts: list[Any], name: str) -> dict[str, torch.Tensor]:
        """Prompts as generation sees them, padded on the left: `{name}_ids` and `{name}_mask`, `(B, P)`."""
        rows = [torch.tensor(ids) for ids in self._tokenize_prompts(self.shortened(prompts))[0]]
        return {
            f"{name}_ids": pad(rows, padding_value=self._tokenizer.pad_token_id, padding_side="left"),
            f"{name}_mask": pad([torch.ones_like(row) for row in rows], padding_value=0, padding_side="left"),
        }

    def reference_logits(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Logits of the reference solutions, `(B, R, V)`. Their prompts are those of the batch, unless they have their own."""
        prefix = "reference_prompt" if "reference_prompt_ids" in batch else "prompt"
        prompt_ids, prompt_mask = batch[f"{prefix}_ids"], batch[f"{prefix}_mask"]
        ids, mask = batch["reference_ids"], batch["reference_mask"]
        with self.accelerator.autocast():
            if self.encoder_decoder is not None:
                return self.encoder_decoder.logits(model, prompt_ids, prompt_mask, ids)
            input_ids = torch.cat([prompt_ids, ids], dim=1)
            attention_mask = torch.cat([prompt_mask, mask], dim=1)
            model = with_positions(model) if self._counts_padding else model
            arguments: dict[str, Any] = {"use_cache": False}
            if self._takes_logits_to_keep:  # those of the prompts would take the most memory of all
                arguments["logits_to_keep"] = ids.size(1) + 1
            logits: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask, **arguments).logits
            return logits[:, -ids.size(1) - 1 : -1]

    def forget_logs(self) -> None:
        """Drop what reward functions have logged for a batch that was never finished."""
        self._pending_extra_logs.clear()
        self._pending_metrics.clear()

    def add_metric(self, name: str, value: float) -> None:
        """Log a number; TRL averages it over a logging step."""
        self._metrics["train" if self.model.training else "eval"][name].append(value)

    def add_column(self, name: str, values: list[Any]) -> None:
        """Log a column of the completions table."""
        self._logs["extra"][name].extend(gather_object(values))

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, also where the processing class is a processor."""
        return self._tokenizer

    @property
    def progress(self) -> tuple[int, list[dict[str, Any]] | None]:
        """Micro-batches so far, and the batches of the last generation that are left to train on."""
        return self._step, self._buffered_inputs

    @progress.setter
    def progress(self, value: tuple[int, list[dict[str, Any]] | None]) -> None:
        self._step, self._buffered_inputs = value

    @property
    def is_multimodal(self) -> bool:
        """Whether the model takes images."""
        return bool(self._is_vlm)
