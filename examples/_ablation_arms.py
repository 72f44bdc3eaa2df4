"""The arms of the ablation: what each one trains with, and the tables that they stand in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from trl_rltf.rewards.feedback import ADAPTIVE_RANGE


@dataclass(frozen=True)
class Arm:
    """
    One way to train.

    Args:
        name (`str`): Name in tables and on the command line.
        summary (`str`): What it is, in a few words.
        method (`str`, *optional*, defaults to `"rltf"`): `"rltf"`, `RLTFTrainer`; `"grpo"` or `"rloo"`, TRL's own trainer (for an
            encoder-decoder, which these refuse, `RLTFTrainer` with the same baseline); `"ppocoder"`, `RLTFTrainer` with the
            reward of PPOCoder; `"supervised"`.
        feedback (`dict`, *optional*): Arguments of `UnitTestRewardFunction`.
        settings (`dict`, *optional*): Settings of the trainer's configuration.
        buffer (`dict`, *optional*): Arguments of `OnlineBuffer`; without it, training is on-policy.
        critic (`bool`, *optional*, defaults to `False`): Whether a critic weighs the tokens.
        clean (`bool`, *optional*, defaults to `False`): Whether supervised programs are free of the bugs of the warm start.
    """

    name: str
    summary: str
    method: str = "rltf"
    feedback: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    buffer: dict[str, Any] | None = None
    critic: bool = False
    clean: bool = False

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

# The share of tests passed and nothing else, and with the penalty on the error.
_PASS_RATIO: dict[str, Any] = {
    "coarse_rewards": {"PASS": 1.0, "FAILURE": 0.0, "RUNTIME_ERROR": 0.0, "SYNTAX_ERROR": 0.0},
    "adaptive_weight": 1 / ADAPTIVE_RANGE,
    "adaptive_runtime_errors": True,
}
_SCALAR = {**_PASS_RATIO, "fine_weight": 0.0}
_EXPRESSION = {**_PASS_RATIO, "granularity": "expression"}

_ARMS = (
    # The main table.
    Arm("rltf", "the defaults of RLTFTrainer and UnitTestRewardFunction"),
    Arm("grpo", "TRL's GRPOTrainer, share of tests passed", method="grpo", feedback=_SCALAR),
    Arm("rloo", "TRL's RLOOTrainer, share of tests passed", method="rloo", feedback=_SCALAR),
    Arm(
        "rltf-paper",
        "the paper: online buffer, greedy baseline, CE loss",
        feedback={"adaptive_weight": 1.0, "fine_weight": 0.3, "granularity": "line"},
        settings=_PAPER,
        buffer=_REFRESH,
    ),
    Arm(
        "coderl",
        "CodeRL: offline samples, coarse, critic, greedy baseline, CE loss",
        feedback=_COARSE,
        settings=_PAPER,
        buffer={"offline": True},
        critic=True,
    ),
    Arm(
        "ppocoder",
        "PPOCoder: outcome, AST and data-flow match, KL, clipping",
        method="ppocoder",
        feedback=_COARSE,
        settings=_PPO,
    ),
    Arm("supervised", "more of the warm start, on drafts with bugs", method="supervised"),
    Arm("supervised-clean", "supervised on reference solutions", method="supervised", clean=True),
    # Ablations, each around the default or around the paper.
    Arm("online-buffer", "an online buffer", buffer=_REFRESH),
    Arm("online-buffer-ratio", "the same, with clipped ratios", buffer={**_REFRESH, "importance_sampling": True}),
    Arm("offline", "samples of the warm start only", buffer={"offline": True}),
    Arm("coarse", "outcome class", feedback=_COARSE),
    Arm("coarse-fine", "outcome class and error", feedback={"adaptive_weight": 0.0}),
    Arm("coarse-adaptive", "outcome class and share of tests passed", feedback={"fine_weight": 0.0}),
    Arm("fine-expression", "the default, error at the sub-expression", feedback={"granularity": "expression"}),
    Arm("ce-loss", "with the cross entropy of reference solutions", settings={"ce_loss_weight": 1.0}),
    Arm("baseline-greedy", "minus the reward of the greedy completion", settings={"baseline": "greedy"}),
    Arm("baseline-leave-one-out", "minus the mean of the others", settings={"baseline": "leave_one_out"}),
    Arm("pass-ratio-line", "share of tests passed, error at the statement", feedback=_PASS_RATIO),
    Arm(
        "pass-ratio-expression",
        "share of tests passed, error at the sub-expression",
        feedback=_EXPRESSION,
    ),
    Arm(
        "pass-ratio-normalized",
        "the same, as much weight for short errors as for long ones",
        feedback={**_EXPRESSION, "normalize_span": True},
    ),
    Arm(
        "pass-ratio-ce",
        "share of tests passed, error at the sub-expression, cross entropy of reference solutions",
        feedback=_EXPRESSION,
        settings={"ce_loss_weight": 1.0},
    ),
    Arm(
        "pass-ratio-batch",
        "share of tests passed, error at the sub-expression, scaled by the batch",
        feedback=_EXPRESSION,
        settings={"scale_rewards": "batch"},
    ),
    Arm(
        "pass-ratio-groups-of-4",
        "share of tests passed, error at the sub-expression, twice the prompts",
        feedback=_EXPRESSION,
        settings={"num_generations": 4},
    ),
    Arm(
        "grpo-groups-of-4",
        "TRL's GRPOTrainer, twice the prompts",
        method="grpo",
        feedback=_SCALAR,
        settings={"num_generations": 4},
    ),
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
        "Kinds of feedback", "coarse", ["coarse-fine", "coarse-adaptive", "fine-expression", "rltf"]
    ),
    "token-rewards": Comparison(
        "Token rewards on top of what GRPO gets",
        "grpo",
        ["pass-ratio-line", "pass-ratio-expression", "pass-ratio-normalized"],
    ),
    "loss": Comparison("Losses and baselines", "rltf", ["ce-loss", "baseline-greedy", "baseline-leave-one-out"]),
    "temperature": Comparison(
        "Sampling temperature", "rltf", ["temperature-0.4", "temperature-0.8", "temperature-1.0"]
    ),
}
