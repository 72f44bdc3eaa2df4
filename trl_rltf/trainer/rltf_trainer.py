"""The trainer: TRL's GRPO, with a reward for each token, the paper's baselines and losses, and the online buffer."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from torch.nn.functional import cross_entropy
from transformers import TrainerCallback
from trl import GRPOTrainer
from trl.data_utils import is_conversational
from trl.trainer.utils import is_async_callable, nanstd, pad

from .checks import check_dataset, check_settings, find_buffer
from .online_buffer import OnlineBuffer, Sample
from .rltf_config import RLTFConfig
from .samples import join_samples, split_batch


_EPSILON = 1e-4  # what TRL adds to a standard deviation


class RLTFTrainer(GRPOTrainer):
    """
    Train a code model from unit-test feedback (RLTF, arXiv 2307.04349).

    It is TRL's [`~trl.GRPOTrainer`] and takes the same arguments. What it adds: reward functions may return a reward for
    each token (see [`UnitTestRewardFunction`]), the baseline can be chosen (`args.baseline`), reference solutions can join
    the loss (`args.ce_loss_weight`), and an [`OnlineBuffer`] among the callbacks replaces on-policy batches.

    Example:

    ```python
    from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, UnitTestRewardFunction, load_apps

    trainer = RLTFTrainer(
        model="Qwen/Qwen2.5-Coder-0.5B",
        reward_funcs=UnitTestRewardFunction(),
        args=RLTFConfig(output_dir="qwen-rltf"),
        train_dataset=load_apps(split="train"),
        callbacks=[OnlineBuffer(capacity=6400, update_steps=50)],
    )
    trainer.train()
    ```

    Args:
        model (`str` or [`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]):
            Causal language model, or its name or path.
        reward_funcs (`Callable` or `list`):
            Reward functions of TRL's form. An entry of what they return may be a [`TokenReward`], whose `tokens` has one
            number a completion token. They are also given the trainer's tokenizer, as `processing_class`; and if they have
            a method `check_dataset`, it is called with the training set at construction.
        args ([`RLTFConfig`], *optional*):
            Configuration. Defaults to `RLTFConfig` with an output folder named after the model.
        train_dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`]):
            Prompts, with the columns that the reward functions need.
        eval_dataset, processing_class, reward_processing_classes:
            As in [`~trl.GRPOTrainer`].
        callbacks (`list[TrainerCallback]`, *optional*):
            Callbacks; at most one [`OnlineBuffer`].
        **kwargs:
            The other arguments of [`~trl.GRPOTrainer`]: `optimizers`, `peft_config`, ...

    Raises:
        ValueError: If settings contradict each other, or the dataset lacks a column that they need.
    """

    # What this class reads of its parent beside the methods that it overrides.
    reward_funcs: list[Any]
    generation_config: Any
    generation_kwargs: dict[str, Any]
    _pending_extra_logs: Any
    _pending_metrics: Any

    _tag_names = ["trl", "rltf"]
    _name = "RLTF"
    _paper = {
        "title": "RLTF: Reinforcement Learning from Unit Test Feedback",
        "id": "2307.04349",
        # docstyle-ignore
        "citation": textwrap.dedent("""\
            @article{liu2023rltf,
                title        = {{RLTF: Reinforcement Learning from Unit Test Feedback}},
                author       = {Jiate Liu and Yiqin Zhu and Kaiwen Xiao and Qiang Fu and Xiao Han and Wei Yang and Deheng Ye},
                year         = 2023,
                eprint       = {arXiv:2307.04349},
            }"""),
    }

    def __init__(
        self,
        model: Any,
        reward_funcs: Any = None,
        args: RLTFConfig | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        reward_processing_classes: Any = None,
        callbacks: list[TrainerCallback] | None = None,
        **kwargs: Any,
    ):
        if args is None:
            name = model if isinstance(model, str) else model.config._name_or_path
            args = RLTFConfig(f"{name.split('/')[-1] or 'model'}-RLTF")
        if not isinstance(args, RLTFConfig):
            raise TypeError(f"`args` is a {type(args).__name__}, but must be an `RLTFConfig`.")
        self.online_buffer = find_buffer(callbacks)
        check_settings(args, self.online_buffer)
        check_dataset(train_dataset, args, reward_funcs)
        super().__init__(
            model,
            reward_funcs,
            args,
            train_dataset,
            eval_dataset,
            processing_class,
            reward_processing_classes,
            callbacks,
            **kwargs,
        )
        if self.online_buffer is not None and self._is_vlm:
            raise ValueError("`OnlineBuffer` holds text only, but the model is multimodal. Train without the buffer.")
        self._token_rewards: dict[int, list[Any]] = {}  # by reward function: what it returned for the last batch
        self._is_recording = True
        self._rewards_per_func = torch.empty(0)
        self._last_logps = torch.empty(0)
        self._window: list[dict[str, Any]] = []  # batches of the optimizer step that runs
        self._prompt_stream: Iterator[list[dict[str, Any]]] | None = None
        # Which reference solution goes into the loss must not depend on how many random numbers generation took.
        self._reference_generator = torch.Generator().manual_seed(args.seed + args.process_index)
        self.reward_funcs = [
            function if isinstance(function, torch.nn.Module) else self._recorded(index, function)
            for index, function in enumerate(self.reward_funcs)
        ]

    def add_callback(self, callback: Any) -> None:
        """Add a callback. An [`OnlineBuffer`] has to be there from the start, for the settings depend on it."""
        if isinstance(callback, OnlineBuffer) or callback is OnlineBuffer:
            raise ValueError("Pass the `OnlineBuffer` in `callbacks` when you construct the trainer.")
        super().add_callback(callback)

    # ------------------------------------------------------------------ rewards of tokens

    def _recorded(self, index: int, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a reward function so that what it returns is kept before TRL makes one number of each entry."""

        def keep(rewards: Any, completion_ids: Sequence[Sequence[int]]) -> Any:
            rewards = list(rewards)
            if self._is_recording and len(rewards) == len(completion_ids):  # else TRL says what is wrong
                self._token_rewards[index] = [
                    self._checked_tokens(name, row, reward, completion_ids[row]) for row, reward in enumerate(rewards)
                ]
            return rewards

        name = self.reward_func_names[index]
        if is_async_callable(function):

            @functools.wraps(function)
            async def call_async(**kwargs: Any) -> Any:
                rewards = await function(**kwargs, processing_class=self.processing_class)
                return keep(rewards, kwargs["completion_ids"])

            return call_async

        def call(**kwargs: Any) -> Any:
            return keep(function(**kwargs, processing_class=self.processing_class), kwargs["completion_ids"])

        call.__name__ = name
        return call

    def _checked_tokens(self, name: str, row: int, reward: Any, token_ids: Sequence[int]) -> list[float] | None:
        """What the tokens of one completion get on top of the reward of the sequence."""
        tokens = reward.tokens if hasattr(reward, "tokens") else None
        if tokens is None:
            return None
        if len(tokens) != len(token_ids):
            raise ValueError(
                f"The reward function {name!r} returned {len(tokens)} token rewards for completion {row}, which has "
                f"{len(token_ids)} tokens. `tokens` needs one number for each of `completion_ids[{row}]`."
            )
        if self.loss_type == "vespo" or self.off_policy_mask_threshold is not None:
            raise ValueError(
                f"The reward function {name!r} returns token rewards, but `loss_type='vespo'` and "
                "`off_policy_mask_threshold` decide once a sequence from one advantage. Use another loss, or plain rewards."
            )
        return [float(token) - float(reward) for token in tokens]

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> torch.Tensor:
        self._token_rewards.clear()
        rewards_per_func = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self._rewards_per_func = rewards_per_func  # gathered over processes: `(B * num_processes, F)`
        return rewards_per_func

    def _token_extras(self, shape: torch.Size) -> torch.Tensor | None:
        """Weighted sum of what the tokens get on top of the sequence reward, `(B, T)`; `None` if they get nothing."""
        if not any(tokens is not None for rows in self._token_rewards.values() for tokens in rows):
            return None
        extras = torch.zeros(shape, device=self.accelerator.device)
        for index, rows in self._token_rewards.items():
            weight = self.reward_weights[index].item()
            for row, tokens in enumerate(rows):
                if tokens is not None:
                    extras[row, : len(tokens)] += weight * torch.tensor(tokens, device=extras.device)
        return extras

    # ------------------------------------------------------------------ advantages

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if self.args.baseline != "group_mean" and self.model.training:
            output["advantages"] = self._sequence_advantages(inputs, self._rewards_per_func)
        extras = self._token_extras(output["completion_ids"].shape)
        # Processes decide this together: what follows waits for all of them.
        has_extras = torch.tensor([extras is not None], device=self.accelerator.device)
        if self.accelerator.gather(has_extras).any():
            extras = torch.zeros_like(output["completion_ids"], dtype=torch.float32) if extras is None else extras
            mask = output["completion_mask"]
            if self.args.center_token_rewards:
                extras = extras - self._group_mean(extras, mask)
            # A_t = r_t - b, where r_t is the reward of the sequence plus that of the token
            output["advantages"] = (output["advantages"].unsqueeze(1) + extras) * mask
            marked = ((extras != 0) * mask).sum() / mask.sum().clamp(min=1)
            self._metric("token_rewards/share", self.accelerator.gather(marked).mean().item())
        self._log_advantages(output)
        if self.args.ce_loss_weight > 0 and self.model.training:
            output |= self._reference_solutions(inputs)
        return output

    def _group_mean(self, extras: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mean over each group of the completions' mean token extras, `(B, 1)`."""
        per_completion = (extras * mask).sum(1) / mask.sum(1).clamp(min=1)
        gathered = self.accelerator.gather(per_completion)
        means = gathered.view(-1, self._group_size()).mean(1).repeat_interleave(self._group_size())
        return self._local_rows(means, len(extras)).unsqueeze(1)

    def _group_size(self) -> int:
        return self.num_generations if self.model.training else self.num_generations_eval

    def _local_rows(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        start = self.accelerator.process_index * count
        return rows[start : start + count]

    def _sequence_advantages(self, inputs: list[dict[str, Any]], rewards_per_func: torch.Tensor) -> torch.Tensor:
        """Reward minus baseline of each completion of this process, `(B,)`, scaled as `scale_rewards` says."""
        rewards, is_unscorable = self._weighted(rewards_per_func)
        size = self._group_size()
        groups = rewards.view(-1, size)
        baseline = torch.zeros_like(rewards)
        if self.args.baseline == "leave_one_out":
            counts = (~torch.isnan(groups)).sum(1, keepdim=True)
            others = groups.nansum(1, keepdim=True) - groups.nan_to_num(0.0)
            baseline = (others / (counts - 1).clamp(min=1)).view(-1)
            baseline[(counts == 1).repeat_interleave(size)] = torch.nan  # alone in its group: nothing to compare with
        elif self.args.baseline == "greedy":
            greedy, _ = self._weighted(self._greedy_rewards(inputs))
            means = torch.nanmean(groups, dim=1).repeat_interleave(size)
            baseline = torch.where(torch.isnan(greedy), means, greedy)
            self._metric("baseline/greedy", torch.nanmean(greedy).item())
        advantages = rewards - baseline
        if self.scale_rewards == "group":
            advantages = advantages / _scale(nanstd(groups, dim=1)).repeat_interleave(size)
        elif self.scale_rewards == "batch":
            advantages = advantages / _scale(nanstd(rewards))
        advantages[is_unscorable] = 0.0
        return self._local_rows(advantages.nan_to_num(0.0), len(inputs))

    def _weighted(self, rewards_per_func: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        is_unscorable = torch.isnan(rewards_per_func).all(dim=1)
        rewards = (rewards_per_func * self.reward_weights.to(rewards_per_func.device)).nansum(dim=1)
        rewards[is_unscorable] = torch.nan
        return rewards, is_unscorable

    def _greedy_rewards(self, inputs: list[dict[str, Any]]) -> torch.Tensor:
        """Rewards of the greedy completion of each row's prompt, `(B * num_processes, F)`; equal prompts decode once."""
        prompts = [row["prompt"] for row in inputs]
        keys = [json.dumps(prompt) for prompt in prompts]
        unique = dict(zip(keys, prompts, strict=True))
        prompt_ids, images, fields = self._tokenize_prompts(list(unique.values()))
        with self._greedy_decoding():
            unique_ids, _ = self._generate_single_turn(prompt_ids, images, fields, 1)
        ids_of = dict(zip(unique, unique_ids, strict=True))
        completion_ids = [ids_of[key] for key in keys]
        texts = self.processing_class.batch_decode(completion_ids, skip_special_tokens=True)
        if is_conversational({"prompt": prompts[0]}):
            completions: list[Any] = [[{"role": "assistant", "content": text}] for text in texts]
        else:
            completions = texts
        with self._unlogged():
            return super()._calculate_rewards(inputs, prompts, completions, completion_ids)

    @contextlib.contextmanager
    def _greedy_decoding(self) -> Iterator[None]:
        config, kwargs = self.generation_config, self.generation_kwargs
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "min_p": None}
        self.generation_kwargs = {**kwargs, **greedy}
        self.generation_config = type(config).from_dict({**config.to_dict(), **greedy})
        try:
            yield
        finally:
            self.generation_config, self.generation_kwargs = config, kwargs

    @contextlib.contextmanager
    def _unlogged(self) -> Iterator[None]:
        """Keep what reward functions say of greedy completions out of the record of the sampled ones."""
        kept = self._pending_extra_logs, self._pending_metrics
        self._pending_extra_logs, self._pending_metrics = (type(logs)(logs.default_factory) for logs in kept)
        self._is_recording = False
        try:
            yield
        finally:
            self._is_recording = True
            self._pending_extra_logs, self._pending_metrics = kept

    def _log_advantages(self, output: dict[str, Any]) -> None:
        # TRL's own column has the advantage of the sequence before the baseline and the token rewards of this trainer.
        advantages, mask = output["advantages"], output["completion_mask"]
        if advantages.dim() == 2:
            advantages = (advantages * mask).sum(1) / mask.sum(1).clamp(min=1)
        self._logs["extra"]["rltf_advantage"].extend(gather_object(advantages.tolist()))

    def _metric(self, name: str, value: float) -> None:
        self._metrics["train" if self.model.training else "eval"][name].append(value)

    # ------------------------------------------------------------------ losses

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[Any, Any, Any]:
        prompt_ids, images, fields = super()._tokenize_prompts(prompts)
        limit = self.args.max_prompt_length
        return (prompt_ids if limit is None else [ids[-limit:] for ids in prompt_ids]), images, fields

    def _reference_solutions(self, inputs: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tokens of one reference solution a row, drawn at random, `(B, R)`; a row without one is masked out."""
        rows = []
        for row in inputs:
            solutions = row.get("solutions") or []
            if not solutions:
                rows.append((torch.tensor([self._tokenizer.pad_token_id]), torch.tensor([0])))
                continue
            choice = int(torch.randint(len(solutions), (1,), generator=self._reference_generator))
            text = solutions[choice]
            if is_conversational({"prompt": row["prompt"]}):
                text = f"```python\n{text}\n```"
            # A solution that is cut off does not end there, and must not teach to stop there.
            ids = [*self._tokenizer(text, add_special_tokens=False)["input_ids"], self._tokenizer.eos_token_id]
            row_ids = torch.tensor(ids[: self.max_completion_length])
            rows.append((row_ids, torch.ones_like(row_ids)))
        device = self.accelerator.device
        return {
            "reference_ids": pad([ids for ids, _ in rows], padding_value=self._tokenizer.pad_token_id).to(device),
            "reference_mask": pad([mask for _, mask in rows], padding_value=0).to(device),
        }

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._last_logps = result[0].detach()
        return result

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss = super()._compute_loss(model, inputs)
        if "buffered_logps" in inputs:
            mask = inputs["completion_mask"]
            ratio = torch.exp(self._last_logps - inputs["buffered_logps"])
            mean = (ratio * mask).sum() / mask.sum().clamp(min=1)
            self._metric("buffer/ratio", self.accelerator.gather(mean).mean().item())
        if "reference_ids" not in inputs:
            return loss
        ce_loss = self._ce_loss(model, inputs)
        steps = self.current_gradient_accumulation_steps
        self._metric("loss/rl", self.accelerator.gather(loss.detach() * steps).mean().item())
        self._metric("loss/ce", self.accelerator.gather(ce_loss.detach()).mean().item())
        # As in TRL, a loss that is a mean over the batch is divided by the number of batches of an optimizer step.
        return loss + self.args.ce_loss_weight * ce_loss / steps

    def _ce_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Cross entropy of the reference solutions, the mean over their tokens; at temperature 1."""
        labels = inputs["reference_ids"].masked_fill(inputs["reference_mask"] == 0, -100)
        input_ids = torch.cat([inputs["prompt_ids"], inputs["reference_ids"]], dim=1)
        attention_mask = torch.cat([inputs["prompt_mask"], inputs["reference_mask"]], dim=1)
        with self.accelerator.autocast():
            logits = model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
        logits = logits[:, -labels.size(1) - 1 : -1].float()
        # Not skipped where a batch has no solution: with several processes each of them has to make this forward pass.
        total = cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="sum")
        return total / (labels != -100).sum().clamp(min=1)

    # ------------------------------------------------------------------ online buffer

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        if self.online_buffer is None or not self.model.training:
            return super()._prepare_inputs(generation_batch)
        if self.online_buffer.refresh_is_due:
            self._window.clear()  # left over by a step that was interrupted
        if not self._window:
            if self.online_buffer.refresh_is_due or not len(self.online_buffer):
                self._refresh_buffer(self.online_buffer)
            self._window = self._draw_window(self.online_buffer)
        return self._window.pop(0)

    def _refresh_buffer(self, buffer: OnlineBuffer) -> None:
        """Generate and score with the current weights, one generation batch at a time."""
        per_step = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        wanted = buffer.refresh_size(per_step)
        if self._prompt_stream is None:
            self._prompt_stream = self._prompts()
        fresh: list[Sample] = []
        while len(fresh) < wanted:
            # A data loader draws a seed for its workers: without this, a buffer would change what is sampled.
            random_state = torch.get_rng_state()
            prompts = next(self._prompt_stream)
            torch.set_rng_state(random_state)
            fresh += self._samples_of(self._generate_and_score_completions(prompts))
        buffer.add(fresh, self.state.global_step)
        buffer.num_refreshes += 1

    def _prompts(self) -> Iterator[list[dict[str, Any]]]:
        """Generation batches of prompts without end, in the order of TRL's own sampler."""
        loader = self.get_train_dataloader()
        repeats = self.num_iterations * self.args.steps_per_generation  # how often the sampler repeats each batch
        while True:
            yield from itertools.islice(loader, 0, None, repeats)

    def _samples_of(self, batch: dict[str, Any]) -> list[Sample]:
        """Take a generation batch apart into samples without padding, on the CPU."""
        if batch["advantages"].dim() == 1:
            batch["advantages"] = batch["advantages"].unsqueeze(1) * batch["completion_mask"]
        if "old_per_token_logps" not in batch:
            ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
            # Padding, not `completion_mask`: that one is all zero for a masked truncated completion.
            attention_mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
            with torch.no_grad():
                batch["old_per_token_logps"], _, _ = self._get_per_token_logps_and_entropies(
                    self.model,
                    ids,
                    attention_mask,
                    batch["completion_ids"].size(1),
                    batch_size=self.args.per_device_train_batch_size,
                )
        return split_batch(batch, self._tokenizer.pad_token_id)

    def _draw_window(self, buffer: OnlineBuffer) -> list[dict[str, Any]]:
        """Draw the batches of one optimizer step and put the padding back."""
        steps = self.current_gradient_accumulation_steps
        size = self.args.per_device_train_batch_size
        drawn = buffer.draw(steps * size)
        pad_token_id, device = self._tokenizer.pad_token_id, self.accelerator.device
        batches = [
            join_samples([sample for _, sample in drawn[i * size : (i + 1) * size]], pad_token_id, device)
            for i in range(steps)
        ]
        ages = [self.state.global_step - born for born, _ in drawn]
        size_here = torch.tensor(float(len(buffer)), device=self.accelerator.device)
        self._metric("buffer/size", self.accelerator.reduce(size_here, "sum").item())
        self._metric("buffer/age", buffer.mean_age(self.state.global_step))
        self._metric("buffer/drawn_age", sum(ages) / len(ages))
        self._metric("buffer/refreshes", float(buffer.num_refreshes))
        num_items = sum(batch["completion_mask"].sum() for batch in batches)
        # TRL scales this count down from a generation batch to one optimizer step; here it is that of the step already.
        num_items = self.accelerator.gather(num_items).sum() * self.args.steps_per_generation / steps
        for batch in batches:
            batch["num_items_in_batch"] = num_items
            if not buffer.importance_sampling:
                batch["buffered_logps"] = batch.pop("old_per_token_logps")
            else:
                batch["buffered_logps"] = batch["old_per_token_logps"]
        return batches


def _scale(std: torch.Tensor) -> torch.Tensor:
    # Without variance, and with a baseline other than the mean, dividing by almost nothing would let one group drown the
    # others: such rewards stay as they are.
    return torch.where(std > _EPSILON, std + _EPSILON, torch.ones_like(std))


__all__ = ["RLTFTrainer"]
