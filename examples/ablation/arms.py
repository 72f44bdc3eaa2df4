"""The arms of the ablation, and the tables that compare them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


_OFF = [("sample_factor", 1), ("supervised_share", 0.0), ("step_share", 1.0)]


@dataclass(frozen=True)
class Arm:
    """
    One way to train.

    Args:
        name (`str`): Name in tables and on the command line.
        summary (`str`): Description in a few words.
        method (`str`, *optional*, defaults to `"rltf"`): `"rltf"`, `RLTFTrainer`; `"grpo"` or `"rloo"`, TRL's trainer (for an
            encoder-decoder, which TRL refuses, `RLTFTrainer` with the same baseline); `"ppocoder"`, `RLTFTrainer` with the
            reward of PPOCoder; `"supervised"`.
        paper_feedback (`bool`, *optional*, defaults to `False`): Whether the reward is that of `paper_reward`.
        feedback (`dict`, *optional*): Arguments of `UnitTestRewardFunction`, or of `paper_reward`.
        settings (`dict`, *optional*): Settings of the trainer's configuration.
        buffer (`dict`, *optional*): Arguments of `OnlineBuffer`; without it, training is on-policy.
        critic (`bool`, *optional*, defaults to `False`): Whether a critic weights the tokens.
        clean (`bool`, *optional*, defaults to `False`): Whether supervised programs are free of the bugs of the warm start.
        sample_factor (`int`, *optional*, defaults to `1`): Samples per step, as a multiple of those of the scale.
        supervised_share (`float`, *optional*, defaults to `0.0`): Supervised steps on reference solutions before the arm itself,
            as a share of the steps of the scale.
        step_share (`float`, *optional*, defaults to `1.0`): Steps of the arm itself, as a share of the steps of the scale.
    """

    name: str
    summary: str
    method: str = "rltf"
    paper_feedback: bool = False
    feedback: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    buffer: dict[str, Any] | None = None
    critic: bool = False
    clean: bool = False
    sample_factor: int = 1
    supervised_share: float = 0.0
    step_share: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Everything that a result depends on."""
        # A field that came later is left out where it changes nothing: earlier results are still valid.
        return {key: value for key, value in asdict(self).items() if key != "summary" and (key, value) not in _OFF}


# The paper's settings, at this scale: its learning rate, schedule and batch are for a model 400 times as large.
_PAPER: dict[str, Any] = {
    "baseline": "greedy",
    "ce_loss_weight": 1.0,
    "loss_type": "grpo",
    "scale_rewards": "none",
    "beta": 0.0,
}
_REFRESH = {"update_steps": 10}
_COARSE: dict[str, Any] = {"adaptive_weight": 0.0, "token_weight": 0.0}
_PPO: dict[str, Any] = {"beta": 0.05, "epsilon": 0.2, "steps_per_generation": 2, "loss_type": "grpo"}
# The penalty of the paper on top of the share of tests passed.
_PENALTY: dict[str, Any] = {"token_weight": 0.3, "token_feedback": "statement_penalty"}
_SCALAR = {"token_weight": 0.0}  # the share of tests passed and nothing else
# With reference solutions in the loss, training is stable at a learning rate at which the other arms diverge.
_REFERENCES = {"learning_rate": 1e-4, "ce_loss_weight": 10.0}
_NO_REFERENCES = {"ce_loss_weight": 0.0}

_ARMS = (
    # The main table.
    Arm(
        "rltf",
        "share of tests passed, line credit, reference solutions with a weight of 10",
        settings=_REFERENCES,
    ),
    Arm("rltf-no-fine", "the same without line credit", feedback=_SCALAR, settings=_REFERENCES),
    Arm(
        "rltf-no-ce",
        "without reference solutions, at the learning rate of grpo",
        settings=_NO_REFERENCES,
    ),
    Arm("grpo", "TRL's GRPOTrainer, share of tests passed", method="grpo", feedback=_SCALAR),
    Arm("rloo", "TRL's RLOOTrainer, share of tests passed", method="rloo", feedback=_SCALAR),
    Arm(
        "rltf-paper",
        "the paper: its feedback, online buffer, greedy baseline, CE loss",
        paper_feedback=True,
        settings=_PAPER,
        buffer=_REFRESH,
    ),
    Arm(
        "coderl",
        "CodeRL: offline samples, coarse, critic, greedy baseline, CE loss",
        paper_feedback=True,
        feedback=_COARSE,
        settings=_PAPER,
        buffer={"offline": True},
        critic=True,
    ),
    Arm(
        "ppocoder",
        "PPOCoder: outcome, AST and data-flow match, KL, clipping",
        method="ppocoder",
        paper_feedback=True,
        feedback=_COARSE,
        settings=_PPO,
    ),
    Arm("supervised", "more of the warm start, on drafts with errors", method="supervised"),
    Arm("supervised-clean", "supervised on reference solutions", method="supervised", clean=True),
    # Controls: what the same samples, or the same solutions, give without feedback below the level of the sample.
    Arm("grpo-twice", "TRL's GRPOTrainer, twice the samples", method="grpo", feedback=_SCALAR, sample_factor=2),
    Arm(
        "supervised-grpo",
        "half of the steps supervised on reference solutions, then GRPO",
        method="grpo",
        feedback=_SCALAR,
        supervised_share=0.5,
        step_share=0.5,
    ),
    Arm(
        "supervised-grpo-twice",
        "all steps supervised on reference solutions, then GRPO for as many",
        method="grpo",
        feedback=_SCALAR,
        supervised_share=1.0,
    ),
    # Feedback that says what to write instead.
    Arm(
        "corrections",
        "half of the solutions are continuations of failing programs",
        feedback=_SCALAR,
        settings={"correction_share": 0.5, **_REFERENCES},
    ),
    Arm(
        "corrections-only",
        "all of them, where there are enough",
        feedback=_SCALAR,
        settings={"correction_share": 1.0, **_REFERENCES},
    ),
    Arm(
        "corrections-solution",
        "whole right programs for the prompts that fail, instead of half",
        feedback=_SCALAR,
        settings={"correction_share": 0.5, "correction_target": "solution", **_REFERENCES},
    ),
    # Ablations, each around the default or around the paper.
    Arm("online-buffer", "an online buffer", settings=_REFERENCES, buffer=_REFRESH),
    Arm(
        "online-buffer-ratio",
        "an online buffer, with clipped ratios",
        settings=_REFERENCES,
        buffer={**_REFRESH, "importance_sampling": True},
    ),
    Arm("offline", "samples of the warm start only", settings=_REFERENCES, buffer={"offline": True}),
    Arm(
        "coarse",
        "the paper's outcome classes",
        paper_feedback=True,
        feedback=_COARSE,
        settings=_NO_REFERENCES,
    ),
    Arm(
        "coarse-fine",
        "outcome classes, and a penalty on the failing statement",
        paper_feedback=True,
        feedback={"adaptive_weight": 0.0},
        settings=_NO_REFERENCES,
    ),
    Arm(
        "coarse-adaptive",
        "outcome classes, and the share of tests passed",
        paper_feedback=True,
        feedback={"token_weight": 0.0},
        settings=_NO_REFERENCES,
    ),
    Arm(
        "coarse-adaptive-fine",
        "all feedback of the paper",
        paper_feedback=True,
        settings=_NO_REFERENCES,
    ),
    Arm(
        "coarse-adaptive-expression",
        "all feedback of the paper, at the sub-expression",
        paper_feedback=True,
        feedback={"token_feedback": "expression_penalty"},
        settings=_NO_REFERENCES,
    ),
    Arm("weight-0.3", "line credit, lower weight", feedback={"token_weight": 0.3}, settings=_NO_REFERENCES),
    Arm("weight-2", "line credit, higher weight", feedback={"token_weight": 2.0}, settings=_NO_REFERENCES),
    Arm(
        "penalty-line",
        "share of tests passed, a penalty on the failing statement",
        feedback=_PENALTY,
        settings=_NO_REFERENCES,
    ),
    Arm(
        "penalty-expression",
        "share of tests passed, a penalty on the sub-expression",
        feedback={**_PENALTY, "token_feedback": "expression_penalty"},
        settings=_NO_REFERENCES,
    ),
    Arm(
        "penalty-normalized",
        "a penalty on the sub-expression, the same for short and long ones",
        feedback={**_PENALTY, "token_feedback": "expression_penalty", "normalize_span": True},
        settings=_NO_REFERENCES,
    ),
    Arm(
        "penalty-centered",
        "a penalty of 1 on the sub-expression, minus its mean in the group",
        feedback={**_PENALTY, "token_feedback": "expression_penalty", "token_weight": 1.0},
        settings={"center_token_rewards": True, **_NO_REFERENCES},
    ),
    Arm(
        "grpo-rarity",
        "tests weighted by how few programs of the group pass them",
        feedback={**_SCALAR, "test_weights": "rarity"},
        settings=_NO_REFERENCES,
    ),
    Arm("groups-of-4", "line credit, twice the prompts", settings={"num_generations": 4, **_NO_REFERENCES}),
    Arm(
        "grpo-groups-of-4",
        "TRL's GRPOTrainer, twice the prompts",
        method="grpo",
        feedback=_SCALAR,
        settings={"num_generations": 4},
    ),
    Arm("ce-weight-1", "reference solutions, lower weight", settings={**_REFERENCES, "ce_loss_weight": 1.0}),
    Arm(
        "baseline-greedy", "minus the reward of the greedy completion", settings={"baseline": "greedy", **_REFERENCES}
    ),
    Arm(
        "baseline-leave-one-out",
        "minus the mean of the others",
        settings={"baseline": "leave_one_out", **_REFERENCES},
    ),
    Arm(
        "scaled-by-batch",
        "divided by the deviation of the batch",
        settings={"scale_rewards": "batch", **_REFERENCES},
    ),
    Arm(
        "grpo-refill",
        "groups without a signal are replaced",
        feedback=_SCALAR,
        settings={"max_generation_batches": 4, **_NO_REFERENCES},
    ),
    Arm(
        "grpo-curriculum",
        "prompts that always or never pass come up rarely",
        feedback=_SCALAR,
        settings={"curriculum_probability": 0.1, **_NO_REFERENCES},
    ),
    Arm(
        "grpo-refill-curriculum",
        "both",
        feedback=_SCALAR,
        settings={"max_generation_batches": 4, "curriculum_probability": 0.1, **_NO_REFERENCES},
    ),
    Arm("temperature-0.4", "sampled at 0.4", settings={"temperature": 0.4, **_REFERENCES}),
    Arm("temperature-0.8", "sampled at 0.8", settings={"temperature": 0.8, **_REFERENCES}),
    Arm("temperature-1.0", "sampled at 1.0", settings={"temperature": 1.0, **_REFERENCES}),
)
ARMS = {arm.name: arm for arm in _ARMS}


@dataclass(frozen=True)
class Comparison:
    """
    A table of arms.

    Args:
        title (`str`): Title of the table.
        reference (`str`): Arm that the other arms are compared with.
        arms (`list[str]`): The other arms.
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
        [
            "rloo",
            "supervised",
            "supervised-clean",
            "coderl",
            "ppocoder",
            "rltf-paper",
            "rltf-no-ce",
            "rltf-no-fine",
            "rltf",
        ],
    ),
    "corrections": Comparison(
        "Corrections, and controls with equal samples or equal solutions",
        "rltf-no-fine",
        [
            "grpo",
            "grpo-twice",
            "supervised-clean",
            "supervised-grpo",
            "supervised-grpo-twice",
            "corrections-solution",
            "corrections",
            "corrections-only",
        ],
    ),
    "buffer": Comparison("Where samples come from", "rltf", ["online-buffer", "online-buffer-ratio", "offline"]),
    "feedback": Comparison(
        "Kinds of feedback",
        "coarse",
        ["coarse-fine", "coarse-adaptive", "coarse-adaptive-fine", "coarse-adaptive-expression", "rltf-no-ce"],
    ),
    "token-rewards": Comparison(
        "Token rewards on top of the reward of GRPO",
        "grpo",
        [
            "rltf-no-ce",
            "weight-0.3",
            "weight-2",
            "penalty-line",
            "penalty-expression",
            "penalty-normalized",
            "penalty-centered",
            "grpo-groups-of-4",
            "groups-of-4",
        ],
    ),
    "loss": Comparison(
        "Losses and baselines",
        "rltf",
        ["rltf-no-ce", "ce-weight-1", "baseline-greedy", "baseline-leave-one-out", "scaled-by-batch"],
    ),
    "dynamic-sampling": Comparison(
        "Groups without a signal", "grpo", ["grpo-refill", "grpo-curriculum", "grpo-refill-curriculum"]
    ),
    "test-weights": Comparison("Weights of tests", "grpo", ["grpo-rarity"]),
    "temperature": Comparison(
        "Sampling temperature", "rltf", ["temperature-0.4", "temperature-0.8", "temperature-1.0"]
    ),
}
