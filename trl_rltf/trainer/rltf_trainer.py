"""The trainer: TRL's GRPO with token rewards, the paper's baselines and losses."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict
from transformers import (
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
    TrainerCallback,
)

from ._trl import EnvironmentFactory, RewardFunc, RolloutFunc, is_async_callable
from .advantages import weighted_rewards
from .baselines import GreedyCompletions, greedy_completions
from .batch_advantages import BatchAdvantages
from .buffer_refresh import BufferRefresh
from .checks import check_datasets, check_model, check_settings, check_size, find_buffer
from .completion_table import CompletionTable
from .dynamic_sampling import DynamicSampling
from .held_out import HeldOut
from .online_buffer import OnlineBuffer
from .printed_completions import printed_shortly
from .prompt_order import make_prompt_order
from .reference_loss import make_reference_loss
from .resume import ExactResume, completed_epochs, newest_checkpoint
from .reward_calls import RewardCalls
from .rltf_config import RLTFConfig
from .seq2seq_grpo import Seq2SeqGRPOTrainer, model_name


if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel


class RLTFTrainer(Seq2SeqGRPOTrainer):
    """
    Train a code model from unit-test feedback (RLTF, arXiv 2307.04349).

    It is TRL's [`~trl.GRPOTrainer`] and takes the same arguments. In addition, reward functions may return a reward per
    token (see [`UnitTestRewardFunction`]), the baseline can be chosen (`args.baseline`), the cross entropy of
    reference solutions can be added to the loss (`args.ce_loss_weight`), and an
    [`OnlineBuffer`] among the callbacks replaces on-policy batches.

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
        reward_funcs (`RewardFunc` or `list[RewardFunc]`, *optional*):
            Reward functions of TRL's form. An entry of the list that a function returns may be a [`TokenReward`], whose
            `tokens` has one number per completion token, and whose `weights` may have a factor of the advantage of
            each token. A function with an argument `processing_class` gets the trainer's tokenizer. If a function has
            a method `check_dataset`, it is called at construction with each dataset that is not a stream.
        args ([`RLTFConfig`], *optional*):
            Configuration. Defaults to `RLTFConfig` with an output folder named after the model.
        train_dataset ([`~datasets.Dataset`] or [`~datasets.IterableDataset`]):
            Prompts, with the columns that the reward functions need.
        callbacks (`list[TrainerCallback]`, *optional*):
            Callbacks; at most one [`OnlineBuffer`].
        eval_dataset, processing_class, reward_processing_classes, optimizers, quantization_config, peft_config, tools,
        rollout_func, environment_factory:
            As in [`~trl.GRPOTrainer`].

    Raises:
        ValueError: If settings contradict each other, or a dataset lacks a column that they need.
        RuntimeError: If the installed TRL differs from the one that this class is written for.
    """

    # Defaults on the class, because some of TRL's methods are called on a trainer without `__init__`.
    _has_greedy_baseline = False
    # Prompts, their completions, the shortened prompts and greedy completions, ahead of their batch.
    _prefetched: tuple[list[Any], Any, list[Any], GreedyCompletions | None] | None = None
    _greedy: GreedyCompletions | None = None  # of the batch that is scored next
    _completed_epochs = 0  # before the epoch in which training resumes

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
        model: str | PreTrainedModel | PeftModel,
        reward_funcs: RewardFunc | list[RewardFunc] | None = None,
        args: RLTFConfig | None = None,
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
    ):
        if args is None:
            args = RLTFConfig(f"{model_name(model)}-RLTF")
        if not isinstance(args, RLTFConfig):
            raise TypeError(f"`args` is a {type(args).__name__}, but must be an `RLTFConfig`.")
        self.online_buffer = find_buffer(callbacks)
        check_settings(args, self.online_buffer, tools, rollout_func, environment_factory, reward_funcs)
        check_datasets(train_dataset, eval_dataset, args, reward_funcs, tools, environment_factory)
        super().__init__(
            *(model, reward_funcs, args, train_dataset, eval_dataset, processing_class, reward_processing_classes),
            *(callbacks, optimizers, quantization_config, peft_config, tools, rollout_func, environment_factory),
            max_prompt_length=args.max_prompt_length,
            prompt_overflow=args.prompt_overflow,
        )
        check_model(self._is_vlm, args, self.online_buffer)
        if args.max_prompt_length is not None and self._has_plain_prompts:
            check_size(self.train_dataset, args)
        self._has_greedy_baseline = args.baseline == "greedy"
        loop = self.async_loop if any(map(is_async_callable, self.reward_funcs)) else None
        self.reward_calls = RewardCalls(self.reward_funcs, self.reward_func_names, self.processing_class, loop)
        self.held_out = HeldOut(self.num_generations_eval, args.eval_pass_at_k)
        parts = args, self.accelerator, self._tokenizer.pad_token_id
        self.prompt_order = make_prompt_order(self) if args.orders_prompts else None
        self.buffer_refresh = self.dynamic_sampling = None
        if self.online_buffer is not None:
            self.buffer_refresh = BufferRefresh(self, self.online_buffer, *parts, self.prompt_order)
        elif self.prompt_order is not None:
            self.dynamic_sampling = DynamicSampling(self, self.prompt_order, *parts)
        self.batch_advantages = BatchAdvantages(args, self.accelerator, self.reward_weights, self.add_metric)
        self.completion_table = CompletionTable(self)
        self._rewards_per_func = torch.empty(0)
        self._last_logps = torch.empty(0)  # of the last forward pass, `(B, T)`
        self.reference_loss = make_reference_loss(self)
        restored = self.reference_loss, self.buffer_refresh, self.prompt_order
        self.exact_resume = ExactResume(args, self.accelerator, self._tokenizer, self.train_dataset, *restored)

    def add_callback(self, callback: Any) -> None:
        """Add a callback. An [`OnlineBuffer`] must be passed at construction."""
        if isinstance(callback, OnlineBuffer) or callback is OnlineBuffer:
            raise ValueError("Pass the `OnlineBuffer` in `callbacks` when you construct the trainer.")
        super().add_callback(callback)

    @property
    def has_simple_prompts(self) -> bool:
        """Whether completions depend on the prompt in the training set only."""
        return self._has_plain_prompts and not (self.tools or self.rollout_func)

    # ------------------------------------------------------------------ generation

    def _generate(self, prompts: list[Any]) -> Any:
        prefetched, self._prefetched = self._prefetched, None
        if prefetched is None or prefetched[0] != prompts:
            prefetched = self._rollouts(prompts)
        _, rollouts, shortened, self._greedy = prefetched
        prompts[:] = shortened  # in place, see the method of the parent
        return rollouts

    def _rollouts(self, prompts: list[Any]) -> tuple[list[Any], Any, list[Any], GreedyCompletions | None]:
        shortened = list(prompts)
        rollouts = super()._generate(shortened)
        needs_greedy = self._has_greedy_baseline and self.model.training
        greedy = greedy_completions(shortened, self.generate_greedily) if needs_greedy else None
        return list(prompts), rollouts, shortened, greedy

    def prefetch(self, rows: list[dict[str, Any]]) -> None:
        """Generate completions for the next rows to be scored, while reward functions run."""
        # Tools and environments belong to the batch that is scored, and make prompts themselves.
        if self.args.overlap_rewards and not (self.tools or self.environment_factories or self.rollout_func):

            def generate() -> None:
                self._prefetched = self._rollouts([row["prompt"] for row in rows])

            self.reward_calls.while_running = generate

    def discard_prefetched(self) -> None:
        """Discard prefetched completions, which an error may have left over."""
        self._prefetched = self.reward_calls.while_running = None

    # ------------------------------------------------------------------ rewards, advantages, losses

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        if self.dynamic_sampling is None or not self.model.training:
            batch = self.score(inputs)
        else:
            inputs, batch = self.dynamic_sampling.next_batch()
        return self.add_references(inputs, batch) if self.model.training else batch

    def add_references(self, rows: list[dict[str, Any]], batch: dict[str, Any]) -> dict[str, Any]:
        """Add reference solutions to a generation batch, if they are in the loss."""
        return batch | self.reference_loss.draw(rows, self.model) if self.reference_loss.weight > 0 else batch

    def score(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Generate and score completions for the rows of a generation batch."""
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        calls, advantages, is_training = self.reward_calls, self.batch_advantages, self.model.training
        group_size = self.num_generations if is_training else self.num_generations_eval
        rewards = self._rewards_per_func
        if self.args.baseline != "group_mean" and is_training:
            greedy = self._greedy_rewards(inputs) if self.args.baseline == "greedy" else None
            advantages.set_sequence(batch, rewards, greedy, group_size)
        token_deltas = advantages.add_tokens(batch, calls.token_rewards, calls.token_weights, group_size)
        self.informative_groups = advantages.informative_groups(batch, rewards, token_deltas, group_size)
        self.completion_table.add(inputs, batch, token_deltas)
        return batch

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        self.reward_calls.begin(self._greedy)
        self._greedy, corrections = None, self.reference_loss.corrections
        with self.reward_calls.replace_functions(self):
            self._rewards_per_func = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self.held_out.add(prompts, inputs, self.reward_calls.outcomes)
        if corrections is not None and self.model.training:
            corrections.add(inputs, completions, completion_ids_list, self.reward_calls.outcomes)
        rewards = weighted_rewards(self._rewards_per_func, self.reward_weights)
        self.add_metric("baseline", torch.nanmean(rewards).item())
        self.add_metric("time/rewards", self.reward_calls.seconds)
        self.add_metric("time/rewards_exposed", self.reward_calls.exposed_seconds)
        return self._rewards_per_func

    def _greedy_rewards(self, inputs: list[dict[str, Any]]) -> torch.Tensor:
        """Return rewards of greedy completions, `(B * num_processes, F)`, without logs."""
        prompts = self.shorten([row["prompt"] for row in inputs])
        logs = self._pending_extra_logs, self._pending_metrics
        self._pending_extra_logs, self._pending_metrics = defaultdict(list), defaultdict(list)
        try:
            with self.reward_calls.greedy_pass() as (completions, ids), self.reward_calls.replace_functions(self):
                return super()._calculate_rewards(inputs, prompts, completions, ids)
        finally:
            self._pending_extra_logs, self._pending_metrics = logs

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._last_logps = result[0].detach()
        return result

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        if "buffered_logps" in inputs:
            ratio = torch.exp(self._last_logps - inputs["buffered_logps"])
            self.batch_advantages.add_token_mean("buffer/ratio", ratio, inputs["completion_mask"])
        if "reference_ids" not in inputs:
            return loss
        steps = self.current_gradient_accumulation_steps
        total, reference_loss = self.reference_loss.add_to(loss, model, inputs, steps)
        for name, part in (("loss/rl", loss), ("loss/ce", reference_loss)):
            self.add_metric(name, self.accelerator.gather(part.detach() * steps).mean().item())
        self.reference_loss.log(self.add_metric, inputs)
        return total

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Log as TRL does, with a table of completions that fits the terminal."""
        with printed_shortly():
            super().log(*args, **kwargs)

    def evaluation_loop(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as [`~transformers.Trainer`] does, and estimate pass@k."""
        return self.held_out.run(super().evaluation_loop, self._metrics["eval"], dataloader, *args, **kwargs)

    # ------------------------------------------------------------------ batches and checkpoints

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        if self.model.training:
            if self.exact_resume.is_loaded:
                self._step, self._buffered_inputs = self.exact_resume.restore(self.state.global_step)
            if self.buffer_refresh is not None:
                return self.buffer_refresh.next_batch()
        return super()._prepare_inputs(generation_batch)

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """
        Train, as [`~transformers.Trainer.train`] does.

        Args:
            resume_from_checkpoint (`str` or `bool`, *optional*):
                Folder of a checkpoint to resume from, exactly where it was written; `True` takes the newest complete one
                in `output_dir`.
            *args, **kwargs:
                As in [`~transformers.Trainer.train`].

        Raises:
            ValueError: If there is no complete checkpoint, or it is damaged or from a run with other settings.
        """
        if resume_from_checkpoint in (True, "True", "true"):  # a command line gives text
            resume_from_checkpoint = newest_checkpoint(self.args.output_dir, not self.args.save_on_each_node)
        self.exact_resume.discard()
        self.discard_prefetched()
        # Logs of reward functions for a batch that was never finished.
        self._pending_extra_logs.clear()
        self._pending_metrics.clear()
        if self.prompt_order is not None:
            self.prompt_order.restart()
        if self.buffer_refresh is not None:
            self.buffer_refresh.restart()
        elif resume_from_checkpoint:
            self._completed_epochs = completed_epochs(str(resume_from_checkpoint))
        try:
            return super().train(resume_from_checkpoint, *args, **kwargs)
        finally:
            self._completed_epochs = 0
            self.reward_calls.close()

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        # A resumed run would shuffle as in the first epoch again.
        for _ in range(self._completed_epochs if sampler.shuffle else 0):
            torch.randperm(sampler.num_samples, generator=sampler.generator)
        return sampler

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # Before TRL's files, of which `trainer_state.json` is the last: a checkpoint that has it is complete.
        folder = f"{self._get_output_dir(trial=trial)}/checkpoint-{self.state.global_step}"
        self.exact_resume.save(folder, self._step, None if self._is_vlm else self._buffered_inputs)
        super()._save_checkpoint(model, trial)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.exact_resume.load(checkpoint)
