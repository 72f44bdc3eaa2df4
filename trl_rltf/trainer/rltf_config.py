"""Define the settings of a training run: all settings of TRL, and those of RLTF."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

import torch
from trl import GRPOConfig

from .baselines import Baseline
from .correction_settings import CorrectionTarget, check_correction_settings
from .held_out import check_best_metric, choose_eval_ks
from .prompt_limit import PromptOverflow


@dataclass
class RLTFConfig(GRPOConfig):
    """
    Configuration of [`RLTFTrainer`].

    It has all arguments of [`~trl.GRPOConfig`], and those below. [`~presets.paper_config`] gives the settings of the
    paper.

    Args:
        > Parameters that control the prompts

        max_prompt_length (`int`, *optional*):
            Maximum number of tokens of a prompt, chat template and special tokens included. Longer prompts lose the
            beginning of their content: of a text, or of the messages from the first one on. The template and the system
            message stay. If not set, prompts are not limited.
        prompt_overflow (`str`, *optional*, defaults to `"truncate"`):
            Treatment of prompts that are longer than `max_prompt_length`: `"truncate"` shortens them, `"drop"` drops their
            rows from training and evaluation sets. A warning at the start gives their number.

        > Parameters that control the sampling

        max_generation_batches (`int`, *optional*, defaults to `1`):
            Maximum number of generation batches that are sampled for one. Groups in which no completion and no token
            has another reward than the others teach nothing; with 2 or more, they are dropped and replaced by groups of
            the next prompts, until the batch is full or this limit is reached (dynamic sampling, DAPO). A refresh of an
            online buffer samples up to this number of times its batches. Not in the paper.
        curriculum_probability (`float`, *optional*, defaults to `1.0`):
            Probability with which a prompt comes up of whose last group all or none of the completions passed. `1.0` keeps
            the order of TRL. Not in the paper.

        > Parameters that control the rewards

        baseline (`str`, *optional*, defaults to `"group_mean"`):
            Baseline that is subtracted from the reward of a completion: `"group_mean"`, the mean reward of its group
            (GRPO); `"leave_one_out"`, the mean reward of the others in its group (RLOO); `"greedy"`, the reward of the
            greedy completion of the same prompt (the paper); `"none"`, no baseline.
        center_token_rewards (`bool`, *optional*, defaults to `False`):
            Whether to subtract, from the token rewards of a group, their mean over its completions, so that they move
            probability within the group only. Not in the paper.
        overlap_rewards (`bool`, *optional*, defaults to `True`):
            Whether to run reward functions in a thread while the next generation batch of an online buffer's refresh is
            generated. It does not change the sampled completions, unless a reward function draws random numbers from
            torch.

        > Parameters that control the loss

        ce_loss_weight (`float`, *optional*, defaults to `0.0`):
            Weight of the cross entropy of reference solutions in the loss. Rows of the training set are drawn at random;
            of the programs in their column `solutions`, the one that the policy finds likeliest is used. `0.0` leaves them
            out. The paper adds both losses (`1.0`). It helps where solutions are better than the programs of the model, and
            harms where they are not.

        correction_share (`float`, *optional*, defaults to `0.0`):
            Share of the rows of this cross entropy that are corrections of failing completions, instead of reference solutions:
            the longest beginning of a failing program from which a right continuation exists, and the continuation, from a
            passing completion of the same prompt or from a reference solution. Needs a `ce_loss_weight` above 0. Not in the paper.
        correction_target (`str`, *optional*, defaults to `"continuation"`):
            Part of a correction that is in the loss: `"continuation"`, the tokens after the beginning of the model;
            `"program"`, all tokens; `"solution"`, instead of the correction, the program that the continuation is from.

        > Parameters that control the evaluation

        eval_pass_at_k (`list[int]`, *optional*):
            The k of the metrics `eval_pass@k`, each at most `num_generations_eval`. If not set, the powers of two below
            `num_generations_eval`, and `num_generations_eval` itself.

        > Parameters that control the logs

        report_completions (`int`, *optional*, defaults to `2000`):
            Maximum number of completions of a training that are written to `output_dir` for `trl-rltf report`, spread over its
            steps. `0` writes none.

        > Parameters that control the precision

        bf16 (`bool`, *optional*):
            Whether to use bf16 mixed precision. If not set, it is used on an accelerator, unless `fp16` is set.

    Raises:
        ValueError: If a value is out of range, or two settings contradict each other.
    """

    max_prompt_length: int | None = field(
        default=None,
        metadata={
            "help": "Maximum number of tokens of a prompt, chat template and special tokens included. Longer prompts lose the "
            "beginning of their content: of a text, or of the messages from the first one on. The template and the system "
            "message stay. If not set, prompts are not limited."
        },
    )
    prompt_overflow: PromptOverflow = field(
        default="truncate",
        metadata={
            "help": "Treatment of prompts that are longer than `max_prompt_length`: 'truncate' shortens them, 'drop' drops their "
            "rows from training and evaluation sets. A warning at the start gives their number."
        },
    )
    max_generation_batches: int = field(
        default=1,
        metadata={
            "help": "Maximum number of generation batches that are sampled for one. Groups in which no completion and no token "
            "has another reward than the others teach nothing; with 2 or more, they are dropped and replaced by groups of the "
            "next prompts, until the batch is full or this limit is reached (dynamic sampling, DAPO). A refresh of an online "
            "buffer samples up to this number of times its batches. Not in the paper."
        },
    )
    curriculum_probability: float = field(
        default=1.0,
        metadata={
            "help": "Probability with which a prompt comes up of whose last group all or none of the completions passed. 1.0 "
            "keeps the order of TRL. Not in the paper."
        },
    )
    baseline: Baseline = field(
        default="group_mean",
        metadata={
            "help": "Baseline that is subtracted from the reward of a completion: 'group_mean', the mean reward of its group "
            "(GRPO); 'leave_one_out', the mean reward of the others in its group (RLOO); 'greedy', the reward of the greedy "
            "completion of the same prompt (the paper); 'none', no baseline."
        },
    )
    center_token_rewards: bool = field(
        default=False,
        metadata={
            "help": "Whether to subtract, from the token rewards of a group, their mean over its completions, so that they move "
            "probability within the group only. Not in the paper."
        },
    )
    overlap_rewards: bool = field(
        default=True,
        metadata={
            "help": "Whether to run reward functions in a thread while the next generation batch of an online buffer's refresh is "
            "generated. It does not change the sampled completions, unless a reward function draws random numbers from torch."
        },
    )
    ce_loss_weight: float = field(
        default=0.0,
        metadata={
            "help": "Weight of the cross entropy of reference solutions in the loss. Rows of the training set are drawn at "
            "random; of the programs in their column `solutions`, the one that the policy finds likeliest is used. 0.0 leaves "
            "them out. The paper adds both losses (1.0). It helps where solutions are better than the programs of the model, and "
            "harms where they are not."
        },
    )
    correction_share: float = field(
        default=0.0,
        metadata={
            "help": "Share of the rows of this cross entropy that are corrections of failing completions, instead of reference "
            "solutions: the longest beginning of a failing program from which a right continuation exists, and the "
            "continuation, from a passing completion of the same prompt or from a reference solution. Needs a `ce_loss_weight` "
            "above 0. Not in the paper."
        },
    )
    correction_target: CorrectionTarget = field(
        default="continuation",
        metadata={
            "help": "Part of a correction that is in the loss: 'continuation', the tokens after the beginning of the model; "
            "'program', all tokens; 'solution', instead of the correction, the program that the continuation is from."
        },
    )
    eval_pass_at_k: list[int] | None = field(
        default=None,
        metadata={
            "help": "The k of the metrics `eval_pass@k`, each at most `num_generations_eval`. If not set, the powers of two below "
            "`num_generations_eval`, and `num_generations_eval` itself."
        },
    )
    report_completions: int = field(
        default=2000,
        metadata={
            "help": "Maximum number of completions of a training that are written to `output_dir` for `trl-rltf report`, spread "
            "over its steps. 0 writes none."
        },
    )
    bf16: bool | None = field(
        default=None,
        metadata={
            "help": "Whether to use bf16 mixed precision. If not set, it is used on an accelerator, unless `fp16` is set."
        },
    )

    def __post_init__(self) -> None:
        if not torch.accelerator.is_available():
            self.use_cpu = True  # otherwise, several processes start no process group, and each trains alone
            if self.bf16 is None and not self.fp16:
                self.bf16 = False  # TRL's default is True, which Trainer refuses without an accelerator
        super().__post_init__()
        eval_ks = choose_eval_ks(self.eval_pass_at_k, self.num_generations_eval or self.num_generations)
        check_best_metric(self.metric_for_best_model, eval_ks)
        baselines = get_args(Baseline)
        if self.baseline not in baselines:
            raise ValueError(f"`baseline` is {self.baseline!r}, but must be one of {', '.join(map(repr, baselines))}.")
        if type(self.max_generation_batches) is not int or self.max_generation_batches < 1:
            raise ValueError(
                f"`max_generation_batches` is {self.max_generation_batches!r}, but must be a whole number of at least 1 "
                "(no dynamic sampling)."
            )
        if type(self.curriculum_probability) not in (int, float) or not 0 <= self.curriculum_probability <= 1:
            raise ValueError(
                f"`curriculum_probability` is {self.curriculum_probability!r}, but must be between 0 and 1 (no curriculum)."
            )
        if type(self.report_completions) is not int or self.report_completions < 0:
            raise ValueError(
                f"`report_completions` is {self.report_completions!r}, but must be a whole number of at least 0 (none)."
            )
        check_correction_settings(self.correction_share, self.correction_target)
        if not self.ce_loss_weight >= 0:
            raise ValueError(f"`ce_loss_weight` is {self.ce_loss_weight}, but must be 0 (off) or above.")
        if self.max_prompt_length is not None and self.max_prompt_length < 1:
            raise ValueError(f"`max_prompt_length` is {self.max_prompt_length}, but must be at least 1, or None.")
        if self.prompt_overflow not in get_args(PromptOverflow):
            raise ValueError(f"`prompt_overflow` is {self.prompt_overflow!r}, but must be 'truncate' or 'drop'.")
        if self.prompt_overflow == "drop" and self.max_prompt_length is None:
            raise ValueError("`prompt_overflow='drop'` needs a `max_prompt_length`, which is not set.")
        if self.baseline != "group_mean" and self.multi_objective_aggregation != "sum_then_normalize":
            raise ValueError(
                f"`baseline={self.baseline!r}` needs `multi_objective_aggregation='sum_then_normalize'`, but it is "
                f"{self.multi_objective_aggregation!r}, which always subtracts group means."
            )

    @property
    def orders_prompts(self) -> bool:
        """Whether the trainer orders the prompts, instead of TRL's data loader."""
        return self.max_generation_batches > 1 or self.curriculum_probability < 1
