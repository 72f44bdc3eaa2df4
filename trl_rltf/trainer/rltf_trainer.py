"""The trainer: TRL's GRPO, with a reward for each token, the paper's baselines and losses, and the online buffer."""

from __future__ import annotations

import textwrap
from typing import Any

import torch
from transformers import TrainerCallback
from trl.trainer.utils import is_async_callable

from . import resume as checkpoint
from .advantages import product_of_token_weights, sequence_advantages, sum_of_token_rewards, weighted_rewards
from .buffer_refresh import BufferedBatches
from .checks import check_datasets, check_settings, check_size, check_token_rewards, find_buffer
from .greedy_baseline import GreedyCompletions, greedy_completions
from .grpo_hooks import GRPOHooks
from .online_buffer import OnlineBuffer, random_state, set_random_state
from .reference_loss import ReferenceSolutions
from .reward_overlap import RewardCalls
from .rltf_config import RLTFConfig
from .samples import loss_mask, marked_texts
from .seq2seq import check_encoder_decoder, is_encoder_decoder


class RLTFTrainer(GRPOHooks):
    """
    Train a code model from unit-test feedback (RLTF, arXiv 2307.04349).

    It is TRL's [`~trl.GRPOTrainer`] and takes the same arguments. What it adds: reward functions may return a reward for
    each token (see [`UnitTestRewardFunction`]), the baseline can be chosen (`args.baseline`), reference solutions join the
    loss where the training set has them (`args.ce_loss_weight`), and an [`OnlineBuffer`] among the callbacks replaces
    on-policy batches.

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
            Causal or encoder-decoder (T5, CodeT5, BART) language model, or its name or path.
        reward_funcs (`Callable` or `list`):
            Reward functions of TRL's form. An entry of what they return may be a [`TokenReward`], whose `tokens` has one
            number a completion token, and whose `weights` may have a factor of the advantage of each. They are also given
            the trainer's tokenizer, as `processing_class`; and if they have a method `check_dataset`, it is called with the
            training set and with each evaluation set at construction, unless these are streams.
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
        ValueError: If settings contradict each other, or a dataset lacks a column that they need.
    """

    # What a trainer has that was never initialised; some of TRL's methods work on one.
    _has_greedy_baseline = False
    # Ahead of its turn: prompts, what was generated for them, and the greedy completions.
    _generated: tuple[Any, Any, GreedyCompletions | None] | None = None
    _greedy: GreedyCompletions | None = None  # of the batch that is scored next

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
        check_settings(args, self.online_buffer, kwargs)
        if is_encoder_decoder(model, args):
            check_encoder_decoder(args, kwargs)
        has_environment = kwargs.get("environment_factory") is not None
        datasets = train_dataset, eval_dataset
        check_datasets(*datasets, args, reward_funcs, has_environment)
        super().__init__(
            model, reward_funcs, args, *datasets, processing_class, reward_processing_classes, callbacks, **kwargs
        )
        if self.online_buffer is not None and self.is_multimodal:
            raise ValueError("`OnlineBuffer` holds text only, but the model is multimodal. Train without the buffer.")
        self._has_greedy_baseline = args.baseline == "greedy"
        has_plain_prompts = not (self.is_multimodal or self.environment_factories)
        if self.prompt_limit is not None and has_plain_prompts:
            for name in ("train_dataset", "eval_dataset"):
                setattr(self, name, self.prompt_limit.apply(getattr(self, name), args.prompt_overflow, name))
            check_size(self.train_dataset, args)
        loop = self.async_loop if any(map(is_async_callable, self.reward_funcs)) else None
        self.reward_calls = RewardCalls(self.reward_funcs, self.reward_func_names, self.processing_class, loop)
        self.wrapped_reward_funcs = self.reward_calls.wrapped
        self.buffered_batches = BufferedBatches(self, self.online_buffer) if self.online_buffer is not None else None
        self._rewards_per_func = torch.empty(0)
        self._restored: Any = None  # from a checkpoint, until training goes on
        self.references = ReferenceSolutions(self, has_plain_prompts and not (self.tools or self.rollout_func))

    def add_callback(self, callback: Any) -> None:
        """Add a callback. An [`OnlineBuffer`] has to be there from the start, for the settings depend on it."""
        if isinstance(callback, OnlineBuffer) or callback is OnlineBuffer:
            raise ValueError("Pass the `OnlineBuffer` in `callbacks` when you construct the trainer.")
        super().add_callback(callback)

    # ------------------------------------------------------------------ generation

    def generated(self, prompts: list[Any]) -> Any:
        """Completions for these prompts; perhaps they are there already."""
        ahead, self._generated = self._generated, None
        if ahead is None or ahead[0] != prompts:
            ahead = prompts, *self._rollouts(prompts)
        _, rollouts, self._greedy = ahead
        return rollouts

    def generate_meanwhile(self, rows: list[dict[str, Any]]) -> None:
        """Generate completions for the prompts of these rows, which are the next to be scored, while reward functions run."""
        # Tools and environments belong to the batch that is scored, and make their own prompts.
        if self.args.overlap_rewards and not (self.tools or self.environment_factories or self.rollout_func):
            prompts = self.shortened([row["prompt"] for row in rows])

            def generate() -> None:
                self._generated = prompts, *self._rollouts(prompts)

            self.reward_calls.meanwhile = generate

    def forget_generated(self) -> None:
        """Drop what was generated ahead of its turn, which an error may have left over."""
        self._generated = self.reward_calls.meanwhile = None

    def _rollouts(self, prompts: list[Any]) -> tuple[Any, GreedyCompletions | None]:
        rollouts = self.generate(prompts)
        needs_greedy = self._has_greedy_baseline and self.model.training
        return rollouts, greedy_completions(self, prompts) if needs_greedy else None

    # ------------------------------------------------------------------ rewards and advantages

    def before_rewards(self) -> None:
        """Forget the rewards of the last batch, and hand over the greedy completions of this one."""
        self.reward_calls.begin(self._greedy)
        self._greedy = None

    def after_rewards(self, rewards_per_func: torch.Tensor) -> None:
        """Keep what the reward functions gave, gathered over processes: `(B * num_processes, F)`."""
        self._rewards_per_func = rewards_per_func
        self.add_metric("time/rewards", self.reward_calls.seconds)
        self.add_metric("time/rewards_exposed", self.reward_calls.exposed_seconds)

    def after_scoring(self, inputs: list[dict[str, Any]], output: dict[str, Any]) -> dict[str, Any]:
        """Replace TRL's advantages by A_t = (r_t - b) * q_t: reward of sequence and token, minus baseline, times weight."""
        rewards = weighted_rewards(self._rewards_per_func, self.reward_weights)
        self.add_metric("baseline", torch.nanmean(rewards).item())
        if self.args.baseline != "group_mean" and self.model.training:
            output["advantages"] = self._sequence_advantages(inputs, rewards)
        calls, like = self.reward_calls, output["completion_ids"]
        extras = marks = sum_of_token_rewards(calls.token_rewards, self.reward_weights, like)
        weights = product_of_token_weights(calls.token_weights, self.reward_weights, like)
        # Processes decide this together: what follows waits for all of them.
        given = torch.tensor([[extras is not None, weights is not None]], device=self.accelerator.device)
        has_extras, has_weights = self.accelerator.gather(given).any(0).tolist()
        if has_extras or has_weights:
            check_token_rewards(self.loss_type, self.off_policy_mask_threshold)
            mask = loss_mask(output)
            extras = torch.zeros_like(like, dtype=torch.float32) if extras is None else extras
            if self.args.center_token_rewards:
                extras = extras - self._group_mean(extras, mask)
            output["advantages"] = (output["advantages"].unsqueeze(1) + extras) * output["completion_mask"]
            self._add_token_mean("token_rewards/share", extras != 0, mask)
            if has_weights:
                weights = torch.ones_like(extras) if weights is None else weights
                output["advantages"] = output["advantages"] * weights
                self._add_token_mean("token_weights/mean", weights, mask)
        self._log_completions(output, marks)
        if self.references.weight > 0 and self.model.training:
            output |= self.references.draw(inputs)
        return output

    def _add_token_mean(self, name: str, values: torch.Tensor, mask: torch.Tensor) -> None:
        mean = (values * mask).sum() / mask.sum().clamp(min=1)
        self.add_metric(name, self.accelerator.gather(mean).mean().item())

    def _group_mean(self, extras: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mean over each group of the completions' mean token extras, `(B, 1)`."""
        per_completion = (extras * mask).sum(1) / mask.sum(1).clamp(min=1)
        gathered = self.accelerator.gather(per_completion)
        means = gathered.view(-1, self._group_size()).mean(1).repeat_interleave(self._group_size())
        return self.local_rows(means, len(extras)).unsqueeze(1)

    def _group_size(self) -> int:
        return self.num_generations if self.model.training else self.num_generations_eval

    def local_rows(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """Of a row for each completion of all processes, those of this process."""
        start = self.accelerator.process_index * count
        return rows[start : start + count]

    def _sequence_advantages(self, inputs: list[dict[str, Any]], rewards: torch.Tensor) -> torch.Tensor:
        """Reward minus baseline of each completion of this process, `(B,)`."""
        greedy = None
        if self.args.baseline == "greedy":
            greedy = weighted_rewards(self._greedy_rewards(inputs), self.reward_weights)
            self.add_metric("baseline/greedy", torch.nanmean(greedy).item())
        advantages = sequence_advantages(rewards, self._group_size(), self.args.baseline, self.scale_rewards, greedy)
        return self.local_rows(advantages, len(inputs))

    def _greedy_rewards(self, inputs: list[dict[str, Any]]) -> torch.Tensor:
        """Rewards of the greedy completion of each row's prompt, `(B * num_processes, F)`."""
        with self.reward_calls.greedy_pass() as (completions, completion_ids):
            return self.rewards_of(inputs, completions, completion_ids)

    def _log_completions(self, output: dict[str, Any], extras: torch.Tensor | None) -> None:
        # TRL's own column has the advantage of the sequence before the baseline and the token rewards of this trainer.
        advantages, mask = output["advantages"], output["completion_mask"]
        if advantages.dim() == 2:
            advantages = (advantages * mask).sum(1) / mask.sum(1).clamp(min=1)
        self.add_column("rltf_advantage", advantages.tolist())
        if self.args.log_completions:
            is_marked = torch.zeros_like(mask) if extras is None else (extras < 0) * mask
            self.add_column("marked_completion", marked_texts(output["completion_ids"], is_marked, self.tokenizer))

    # ------------------------------------------------------------------ losses

    def total_loss(self, model: Any, inputs: dict[str, Any], loss: torch.Tensor) -> torch.Tensor:
        """TRL's loss of the advantages, plus the weighted cross entropy of reference solutions."""
        if "buffered_logps" in inputs:
            mask = inputs["completion_mask"]
            ratio = torch.exp(self.last_logps - inputs["buffered_logps"])
            mean = (ratio * mask).sum() / mask.sum().clamp(min=1)
            self.add_metric("buffer/ratio", self.accelerator.gather(mean).mean().item())
        return self.references.add_to(loss, model, inputs) if "reference_ids" in inputs else loss

    # ------------------------------------------------------------------ batches and checkpoints

    def next_batch(self) -> dict[str, Any] | None:
        """The next batch from the online buffer, if there is one."""
        if self._restored is not None:
            restored, self._restored = self._restored, None
            self._go_on(*restored)
        return None if self.buffered_batches is None else self.buffered_batches.next()

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """
        Train, as [`~transformers.Trainer.train`] does.

        Args:
            resume_from_checkpoint (`str` or `bool`, *optional*):
                Folder of a checkpoint to go on from, exactly where it was written; `True` takes the newest in `output_dir`
                whose writing came to its end.
            *args, **kwargs:
                As in [`~transformers.Trainer.train`].

        Raises:
            ValueError: If there is no whole checkpoint, or it is damaged or of a run with other settings.
        """
        if resume_from_checkpoint in (True, "True", "true"):  # as text, it comes from a command line
            resume_from_checkpoint = checkpoint.newest(self.args.output_dir, not self.args.save_on_each_node)
        self._restored = None
        self.forget_generated()
        self.forget_logs()
        if self.buffered_batches is not None:
            self.buffered_batches.restart()
        elif resume_from_checkpoint:
            self.completed_epochs = checkpoint.completed_epochs(str(resume_from_checkpoint))
        try:
            return super().train(resume_from_checkpoint, *args, **kwargs)
        finally:
            self.completed_epochs = 0
            self.reward_calls.close()

    def save_state(self, folder: str) -> None:
        """Write the online buffer, or what is left of the last generation, and all states of random numbers."""
        if self.args.save_only_model:
            return
        step, batches = self.progress
        is_in_between = step % (self.args.steps_per_generation * self.num_iterations) != 0
        state: dict[str, Any] = {"step": step, "reference_random_state": random_state(self.references.generator)}
        samples = None
        if self.online_buffer is not None and self.buffered_batches is not None:
            samples = self.online_buffer.samples
            state["online_buffer"] = self.online_buffer.state()
            state["num_generation_batches"] = self.buffered_batches.num_generation_batches
            batches = None
        checkpoint.save(
            folder,
            self.accelerator.process_index,
            self._lasting_settings(),
            state,
            samples,
            batches if is_in_between and not self.is_multimodal else None,
            self.tokenizer,
        )

    def load_state(self, folder: str) -> None:
        """Read them, and refuse what does not fit."""
        self._restored = checkpoint.load(folder, self.accelerator.process_index, self._lasting_settings())

    def _go_on(self, state: dict[str, Any], samples: Any, batches: Any) -> None:
        set_random_state(self.references.generator, state["reference_random_state"])
        device = self.accelerator.device
        rest = batches and [{key: value.to(device) for key, value in batch.items()} for batch in batches]
        self.progress = state["step"], rest
        if self.online_buffer is not None and self.buffered_batches is not None:
            self.buffered_batches.restart(state["num_generation_batches"])
            self.online_buffer.restore(state["online_buffer"], samples, self.state.global_step)

    def _lasting_settings(self) -> dict[str, Any]:
        buffer = None if self.online_buffer is None else self.online_buffer.settings
        return checkpoint.lasting_settings(
            self.args, self.accelerator.num_processes, self.train_dataset, buffer, self.references.weight > 0
        )
