"""Settings of a training run: TRL's own, and what RLTF adds to them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from trl import GRPOConfig


BASELINES = ("group_mean", "leave_one_out", "greedy", "none")
PROMPT_OVERFLOWS = ("truncate", "drop")


@dataclass
class RLTFConfig(GRPOConfig):
    """
    Configuration of [`RLTFTrainer`]: all of [`~trl.GRPOConfig`], and the arguments below. [`~presets.paper_config`] gives the
    settings of the paper.

    Args:
        bf16 (`bool`, *optional*):
            Whether to use bf16 mixed precision. If not set, it is used where there is an accelerator and `fp16` is not set.
        baseline (`str`, *optional*, defaults to `"group_mean"`):
            What is subtracted from the reward of a completion: `"group_mean"`, the mean reward of its group (GRPO);
            `"leave_one_out"`, the mean of the others in its group (RLOO); `"greedy"`, the reward of the greedy completion
            of the same prompt (the paper); `"none"`, nothing.
        ce_loss_weight (`float`, *optional*):
            Weight of the cross entropy of reference solutions in the loss: of rows of the training set, drawn at random, and of
            the list of programs in their column `solutions` the one that the policy is nearest to. `0.0` switches it off. If not
            set, it is 10.0 if the training set is a [`~datasets.Dataset`] with solutions, else 0.0.
        center_token_rewards (`bool`, *optional*, defaults to `False`):
            Subtract from the advantages of a group the mean, over its completions, of the token rewards that come on top
            of the sequence reward, so that they move probability within a group only. Not in the paper.
        overlap_rewards (`bool`, *optional*, defaults to `True`):
            Run reward functions in a thread while the next generation batch of an online buffer's refresh is generated. It
            changes when things happen, not what is sampled, unless a reward function draws random numbers from torch.
        max_prompt_length (`int`, *optional*):
            Number of tokens that a prompt may have, chat template and special tokens included. Of longer ones the beginning of
            the content is cut: of a text, or of the messages from the first one on; the template and the instructions of the
            system stay. `None` keeps prompts whole.
        prompt_overflow (`str`, *optional*, defaults to `"truncate"`):
            What becomes of prompts that are longer than `max_prompt_length`: `"truncate"` cuts them; `"drop"` leaves their rows
            out of training and evaluation sets. A warning at the start tells how many there are.

    Raises:
        ValueError: If a value is out of range, or two settings contradict each other.
    """

    bf16: bool | None = field(
        default=None,
        metadata={
            "help": "Whether to use bf16 mixed precision. If not set, it is used where there is an accelerator and `fp16` is "
            "not set."
        },
    )
    baseline: str = field(
        default="group_mean",
        metadata={
            "help": "What is subtracted from the reward of a completion: 'group_mean', the mean reward of its group (GRPO); "
            "'leave_one_out', the mean of the others in its group (RLOO); 'greedy', the reward of the greedy completion of "
            "the same prompt (the paper); 'none', nothing."
        },
    )
    ce_loss_weight: float | None = field(
        default=None,
        metadata={
            "help": "Weight of the cross entropy of reference solutions (column 'solutions') in the loss. 0.0 switches it "
            "off. If not set, it is 10.0 if the training set is a Dataset with solutions, else 0.0."
        },
    )
    center_token_rewards: bool = field(
        default=False,
        metadata={
            "help": "Subtract from the advantages of a group the mean, over its completions, of the token rewards that come "
            "on top of the sequence reward, so that they move probability within a group only. Not in the paper."
        },
    )
    overlap_rewards: bool = field(
        default=True,
        metadata={
            "help": "Run reward functions in a thread while the next generation batch of an online buffer's refresh is "
            "generated. It changes when things happen, not what is sampled, unless a reward function draws random numbers from torch."
        },
    )
    max_prompt_length: int | None = field(
        default=None,
        metadata={
            "help": "Number of tokens that a prompt may have, chat template and special tokens included. Of longer ones the "
            "beginning of the content is cut: of a text, or of the messages from the first one on; the template and the "
            "instructions of the system stay. None keeps prompts whole."
        },
    )
    prompt_overflow: str = field(
        default="truncate",
        metadata={
            "help": "What becomes of prompts that are longer than max_prompt_length: 'truncate' cuts them; 'drop' leaves their "
            "rows out of training and evaluation sets. A warning at the start tells how many there are."
        },
    )

    def __post_init__(self) -> None:
        if not torch.accelerator.is_available():
            self.use_cpu = True  # or several processes would each train alone, because none starts a process group
            if self.bf16 is None and not self.fp16:
                self.bf16 = False  # TRL's default is True, which Trainer refuses on a machine without an accelerator
        super().__post_init__()
        if self.baseline not in BASELINES:
            raise ValueError(f"`baseline` is {self.baseline!r}, but must be one of {', '.join(map(repr, BASELINES))}.")
        if self.ce_loss_weight is not None and not self.ce_loss_weight >= 0:
            raise ValueError(f"`ce_loss_weight` is {self.ce_loss_weight}, but must be 0 (off) or above.")
        if self.max_prompt_length is not None and self.max_prompt_length < 1:
            raise ValueError(f"`max_prompt_length` is {self.max_prompt_length}, but must be at least 1, or None.")
        if self.prompt_overflow not in PROMPT_OVERFLOWS:
            raise ValueError(f"`prompt_overflow` is {self.prompt_overflow!r}, but must be 'truncate' or 'drop'.")
        if self.prompt_overflow == "drop" and self.max_prompt_length is None:
            raise ValueError("`prompt_overflow='drop'` needs a `max_prompt_length`, which is not set.")
        if self.baseline != "group_mean" and self.multi_objective_aggregation != "sum_then_normalize":
            raise ValueError(
                f"`baseline={self.baseline!r}` needs `multi_objective_aggregation='sum_then_normalize'`, but it is "
                f"{self.multi_objective_aggregation!r}, which always subtracts group means."
            )
        if self.baseline == "greedy" and self.use_vllm:
            raise ValueError(
                "`baseline='greedy'` decodes with transformers and does not work with `use_vllm=True`. Use 'group_mean' or "
                "'leave_one_out', which cost no extra generation."
            )
