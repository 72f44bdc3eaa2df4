"""The arms of the ablation: what each one trains with, and the tables that they stand in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """
    One way to train.

    Args:
        name (`str`): Name in tables and on the command line.
        summary (`str`): What it is, in a few words.
        method (`str`, *optional*, defaults to `"rltf"`): `"rltf"`, `RLTFTrainer`; `"grpo"` or `"rloo"`, TRL's own trainer (for an
            encoder-decoder, which these refuse, `RLTFTrainer` with the same loss and baseline); `"supervised"`.
        reward (`str`, *optional*, defaults to `"unit_tests"`): `"unit_tests"`; `"pass_ratio"`, the share of tests passed and
            nothing else; `"ppocoder"`.
        feedback (`dict`, *optional*): Arguments of `UnitTestRewardFunction`.
        settings (`dict`, *optional*): Settings of the trainer's configuration.
        buffer (`dict`, *optional*): Arguments of `OnlineBuffer`; without it, training is on-policy.
        critic (`bool`, *optional*, defaults to `False`): Whether a critic weighs the tokens.
        bug_share (`float`, *optional*, defaults to `0.0`): Share of the supervised programs that have a bug.
    """

    name: str
    summary: str
    method: str = "rltf"
    reward: str = "unit_tests"
    feedback: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    buffer: dict[str, Any] | None = None
    critic: bool = False
    bug_share: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """All that a result depends on."""
        return {key: value for key, value in asdict(self).items() if key != "summary"}


# The paper's settings, at this scale: its learning rate, schedule and batch are for a model 400 times as large.
_PAPER: dict[str, Any] = {
    "baseline": "greedy",
    "ce_loss_weight": 1.0,
    "loss_type": "grpo",
    "scale_rewards": "none",
    "beta": 0.0,
}
_REFRESH = {"update_steps": 10}
_COARSE: dict[str, Any] = {"adaptive_weight": 0.0, "fine_weight": 0.0}
_PPO: dict[str, Any] = {"beta": 0.05, "epsilon": 0.2, "steps_per_generation": 2, "loss_type": "grpo"}

_ARMS = (
    # The main table.
    Arm("rltf", "the defaults of RLTFTrainer and UnitTestRewardFunction"),
    Arm("grpo", "TRL's GRPOTrainer, share of tests passed", method="grpo", reward="pass_ratio"),
    Arm("rloo", "TRL's RLOOTrainer, share of tests passed", method="rloo", reward="pass_ratio"),
    Arm("rltf-paper", "the paper: online buffer, greedy baseline, CE loss", settings=_PAPER, buffer=_REFRESH),
    Arm(
        "coderl",
        "CodeRL: offline samples, coarse, critic, greedy baseline, CE loss",
        feedback=_COARSE,
        settings=_PAPER,
        buffer={"offline": True},
        critic=True,
    ),
    Arm("ppocoder", "PPOCoder: outcome, AST and data-flow match, KL, clipping", reward="ppocoder", settings=_PPO),
    Arm("supervised", "more of the warm start: drafts, three in four with a bug", method="supervised", bug_share=0.75),
    Arm("supervised-clean", "reference solutions without bugs", method="supervised"),
    # Ablations, each around the default or around the paper.
    Arm("online-buffer", "an online buffer", buffer=_REFRESH),
    Arm("online-buffer-ratio", "the same, with clipped ratios", buffer={**_REFRESH, "importance_sampling": True}),
    Arm("offline", "samples of the warm start only", buffer={"offline": True}),
    Arm("coarse", "outcome class", feedback=_COARSE),
    Arm("coarse-fine", "outcome class and error", feedback={"adaptive_weight": 0.0}),
    Arm("coarse-adaptive", "outcome class and share of tests passed", feedback={"fine_weight": 0.0}),
    Arm("fine-expression", "error at the sub-expression", feedback={"granularity": "expression"}),
    Arm("fine-line", "error at the statement", feedback={"granularity": "line"}),
    Arm("ce-loss", "with the cross entropy of reference solutions", settings={"ce_loss_weight": 1.0}),
    Arm("baseline-greedy", "minus the reward of the greedy completion", settings={"baseline": "greedy"}),
    Arm("baseline-leave-one-out", "minus the mean of the others", settings={"baseline": "leave_one_out"}),
    Arm("temperature-0.4", "sampled at 0.4", settings={"temperature": 0.4}),
    Arm("temperature-0.8", "sampled at 0.8", settings={"temperature": 0.8}),
    Arm("temperature-1.0", "sampled at 1.0", settings={"temperature": 1.0}),
)
ARMS = {arm.name: arm for arm in _ARMS}


@dataclass(frozen=True)
class Comparison:
    """
    A table of arms.

    Args:
        title (`str`): What is compared.
        reference (`str`): Arm that the others are compared with.
        arms (`list[str]`): The others.
    """

    title: str
    reference: str
    arms: list[str]

    @property
    def all_arms(self) -> list[str]:
        """All arms of the table, the reference first."""
        return [self.reference, *self.arms]


TABLES = {
    "main": Comparison(
        "Ways to train",
        "grpo",
        ["rloo", "supervised", "supervised-clean", "coderl", "ppocoder", "rltf-paper", "rltf"],
    ),
    "buffer": Comparison("Where samples come from", "rltf", ["online-buffer", "online-buffer-ratio", "offline"]),
    "feedback": Comparison(
        "Kinds of feedback", "coarse", ["coarse-fine", "coarse-adaptive", "fine-line", "fine-expression", "rltf"]
    ),
    "loss": Comparison("Losses and baselines", "rltf", ["ce-loss", "baseline-greedy", "baseline-leave-one-out"]),
    "temperature": Comparison(
        "Sampling temperature", "rltf", ["temperature-0.4", "temperature-0.8", "temperature-1.0"]
    ),
}
