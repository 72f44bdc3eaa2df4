"""One run of the ablation: a warm start, a critic, or an arm that starts from them."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback, TrainingArguments
from trl import GRPOConfig, GRPOTrainer, ModelConfig, RLOOConfig, RLOOTrainer

from trl_rltf import CriticRewardFunction, OnlineBuffer, RLTFConfig, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.critic import CriticTrainer
from trl_rltf.execution import LocalRunner
from trl_rltf.metrics import Evaluation, PolicySampler, evaluate
from trl_rltf.mini import make_mini_critic
from trl_rltf.mini.demo import DEMO_CRITIC_TRAINING, DEMO_TRAINING
from trl_rltf.presets import PAPER_REWARD, paper_reward
from trl_rltf.rewards.outcome import COARSE_REWARDS
from trl_rltf.scripts import RLTFScriptArguments, load_policy
from trl_rltf.scripts.train_critic import sample_and_grade
from trl_rltf.scripts.warm_start import warm_start
from trl_rltf.trainer.prompt_order import PromptOrder

from .arms import ARMS, Arm
from .problems import max_completion_length, sampling, script_arguments, train_and_test_problems, warmed_up_model


GROUP_SIZE: int = DEMO_TRAINING["num_generations"]


@dataclass(frozen=True)
class Scale:
    """
    Scale of all runs of an ablation.

    Args:
        max_steps (`int`): Optimizer steps.
        samples_per_step (`int`): Samples per step.
        eval_steps (`int`): Steps between evaluations on the held-out problems.
        eval_samples (`int`): Samples per held-out problem in these evaluations.
        final_samples (`int`): Samples per held-out problem at the start and at the end.
        eval_problems (`int`): Held-out problems.
        warm_start_steps (`int`): Supervised steps before RL.
        bug_share (`float`): Share of the programs of the warm start that have one bug.
        slip_share (`float`): Share of the lines of these programs that have a slip, instead of a bug per program.
        critic_steps (`int`): Steps of the critic's training.
        learning_rate (`float`): Learning rate of all arms that learn from rewards.
        warmup_steps (`int`): Steps in which the learning rate rises.
        supervised_learning_rate (`float`): Learning rate of the supervised arms.
        num_statements (`int`): Statements of a solution in MiniAPPS-L; 0 for MiniAPPS.
        wrong_share (`float`): Share of the kinds of stages of MiniAPPS-L that the warm start has with a mistake.
    """

    max_steps: int = 60
    samples_per_step: int = 16
    eval_steps: int = 15
    eval_samples: int = 4
    final_samples: int = 10
    eval_problems: int = 96
    warm_start_steps: int = 240
    bug_share: float = 0.75
    slip_share: float = 0.7
    critic_steps: int = 200
    learning_rate: float = 3e-5
    warmup_steps: int = 5
    supervised_learning_rate: float = 3e-4
    num_statements: int = 0
    wrong_share: float = 0.3

    def to_dict(self) -> dict[str, Any]:
        """Everything that a result depends on."""
        # Results on MiniAPPS are from before there were other problems.
        left_out = () if self.num_statements else _LONG_SCALE
        return {key: value for key, value in asdict(self).items() if key not in left_out}


# Settings that a warm start depends on, and those that a critic depends on in addition.
_LONG_SCALE = ("num_statements", "wrong_share")
_START_SCALE = (*_LONG_SCALE, "warm_start_steps", "bug_share", "slip_share", "eval_problems", "final_samples")
_CRITIC_SCALE = ("max_steps", "samples_per_step", "critic_steps")


@dataclass(frozen=True)
class Run:
    """
    One run.

    Args:
        folder (`str`): Folder of the ablation.
        arm (`str`): Name of an arm, or `"warm-start"` or `"critic"`.
        architecture (`str`): Class of the tiny model.
        seed (`int`): Seed of the model and of all sampling.
        scale (`Scale`): Scale of the ablation.
    """

    folder: str
    arm: str
    architecture: str
    seed: int
    scale: Scale

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        scale = self.scale.to_dict()
        if self.arm in ARMS:
            arm = {**ARMS[self.arm].to_dict(), "defaults": _defaults(ARMS[self.arm])}
        else:
            arm = {"name": self.arm}
            names = _START_SCALE + (_CRITIC_SCALE if self.arm == "critic" else ())
            scale = {key: scale[key] for key in names if key in scale}
        return {"arm": arm, "architecture": self.architecture, "seed": self.seed, "scale": scale}

    @property
    def name(self) -> str:
        """Name of the run's files. It depends on all settings, so that results of other settings are kept."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.architecture}-seed{self.seed}-{self.arm}-{digest}"

    @property
    def result_path(self) -> Path:
        """File with the evaluations of a finished run. A run with such a file is not run again."""
        return Path(self.folder) / "runs" / f"{self.name}.json"

    @property
    def start(self) -> Path:
        """Folder of the warmed-up model of this architecture and seed."""
        return Path(self.folder) / "starts" / replace(self, arm="warm-start").name

    @property
    def critic(self) -> Path:
        """Folder of the critic of this architecture and seed."""
        return Path(self.folder) / "starts" / replace(self, arm="critic").name

    def write(self, evaluations: list[dict[str, Any]], seconds: float) -> None:
        """Write the result, whole or not at all."""
        self.result_path.parent.mkdir(parents=True, exist_ok=True)
        part = self.result_path.with_suffix(".part")
        part.write_text(
            json.dumps({"settings": self.settings, "seconds": round(seconds, 1), "evaluations": evaluations})
        )
        os.replace(part, self.result_path)


# Options of the reward that came later, and the values with which they change nothing: earlier results are still valid.
_OFF = {"test_weights": "uniform"}


def _defaults(arm: Arm) -> dict[str, Any]:
    """Defaults that an arm does not set. If they change, its results change."""
    names = ("baseline", "ce_loss_weight", "center_token_rewards", "loss_type", "scale_rewards", "beta")
    feedback = {
        **{
            p.name: p.default
            for p in inspect.signature(UnitTestRewardFunction).parameters.values()
            if (p.name, p.default) not in _OFF.items()
        },
        "coarse_rewards": COARSE_REWARDS,
        **(PAPER_REWARD if arm.paper_feedback else {}),
    }
    coarse_rewards = {outcome.name: reward for outcome, reward in feedback.pop("coarse_rewards").items()}
    return {
        **{field.name: field.default for field in fields(RLTFConfig) if field.name in names},
        **{name: value for name, value in feedback.items() if isinstance(value, (bool, int, float, str))},
        "coarse_rewards": coarse_rewards,
    }


class Evaluations(TrainerCallback):
    """
    Evaluate the policy on held-out problems while it is trained.

    Args:
        run (`Run`): The run.
        problems (`Dataset`): Held-out problems.
        runner (`LocalRunner`): Runs the tests.
    """

    def __init__(self, run: Run, problems: Dataset, runner: LocalRunner):
        self.run, self.problems, self.runner = run, problems, runner
        self.prompt_order: PromptOrder | None = None  # of a trainer that samples more than it trains on
        self.rows: list[dict[str, Any]] = []
        arm = ARMS.get(run.arm)
        # A longer arm is evaluated as often, so that curves can be compared point by point.
        self.stretch = 1.0 if arm is None else arm.supervised_share + arm.step_share
        self.num_steps_before = 0  # of an earlier phase

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any, processing_class: Any, **kwargs: Any):
        """Evaluate at the end and every `eval_steps` steps."""
        scale, step = self.run.scale, self.num_steps_before + state.global_step
        last = round(scale.max_steps * self.stretch)
        if step == last or step % round(scale.eval_steps * self.stretch) == 0:
            num_samples = scale.final_samples if step == last else scale.eval_samples
            self.add(model, processing_class, step, num_samples)

    def add(self, model: Any, tokenizer: Any, step: int, num_samples: int) -> None:
        """Evaluate now."""
        sampler = PolicySampler(model, tokenizer, sampling(self.run.scale), description="evaluating")
        # The seed depends on the step, not on the arm: arms differ in their policy only.
        result = evaluate(self.problems, sampler, self.runner, num_samples, seed=self.run.seed * 1000 + step)
        order = self.prompt_order
        factor = ARMS[self.run.arm].sample_factor if self.run.arm in ARMS else 1
        train_samples = step * self.run.scale.samples_per_step * factor if order is None else order.num_samples
        self.rows.append(_row(step, train_samples, result, self.problems))


def _row(step: int, train_samples: int, result: Evaluation, problems: Dataset) -> dict[str, Any]:
    return {
        "step": step,
        "train_samples": train_samples,
        "num_samples": result.num_samples,
        "problem_ids": list(problems["problem_id"]),
        "num_correct": list(result.num_correct),
        "outcome_shares": result.outcome_shares,
    }


def execute(run: Run) -> None:
    """Train, evaluate and write the result."""
    began = time.monotonic()
    train_set, test_set = train_and_test_problems(run)
    runner = LocalRunner(timeout=script_arguments(run).test_timeout, allow_code_eval=True)
    evaluations = Evaluations(run, test_set, runner)
    with tempfile.TemporaryDirectory() as scratch:
        if run.arm == "warm-start":
            model, tokenizer = warmed_up_model(run, train_set)
            evaluations.add(model, tokenizer, 0, run.scale.final_samples)
        else:
            model, tokenizer = load_policy(ModelConfig(str(run.start / "warm-start"), dtype="float32"))
            if run.arm == "critic":
                _train_critic(run, model, tokenizer, train_set, runner, scratch)
            else:
                _train_arm(run, ARMS[run.arm], model, tokenizer, train_set, runner, evaluations, scratch)
    run.write(evaluations.rows, time.monotonic() - began)


def _train_arm(
    run: Run,
    arm: Arm,
    model: Any,
    tokenizer: Any,
    train_set: Dataset,
    runner: LocalRunner,
    evaluations: Evaluations,
    scratch: str,
) -> None:
    """Train in one or two phases."""
    if arm.method == "supervised":
        _train_supervised(run, model, tokenizer, train_set, evaluations, scratch, run.scale.max_steps, arm.clean)
        return
    if arm.supervised_share:
        num_steps = round(run.scale.max_steps * arm.supervised_share)
        _train_supervised(run, model, tokenizer, train_set, evaluations, scratch, num_steps, is_clean=True)
        evaluations.num_steps_before = num_steps
    _trainer(run, arm, model, tokenizer, train_set, runner, evaluations, scratch).train()


def _trainer(
    run: Run,
    arm: Arm,
    model: Any,
    tokenizer: Any,
    train_set: Dataset,
    runner: LocalRunner,
    evaluations: Evaluations,
    scratch: str,
) -> Any:
    """Make the trainer of an arm that learns from rewards."""
    callbacks: list[Any] = [evaluations]
    if arm.buffer is not None:
        drawn = run.scale.max_steps * run.scale.samples_per_step
        callbacks.append(OnlineBuffer(**{"capacity": drawn, **arm.buffer}))
    settings = {
        **DEMO_TRAINING,
        "output_dir": scratch,
        "seed": run.seed,
        "max_steps": round(run.scale.max_steps * arm.step_share),
        "max_completion_length": max_completion_length(run.scale),
        "learning_rate": run.scale.learning_rate,
        "warmup_steps": run.scale.warmup_steps,
        "per_device_train_batch_size": run.scale.samples_per_step * arm.sample_factor,
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
    }
    trainer_class, config_class = RLTFTrainer, RLTFConfig
    if arm.method == "rloo":
        if model.config.is_encoder_decoder:
            settings |= {"baseline": "leave_one_out", "scale_rewards": "none", "beta": 0.05}
        else:
            trainer_class, config_class = RLOOTrainer, RLOOConfig
    elif arm.method == "grpo" and not model.config.is_encoder_decoder:
        trainer_class, config_class = GRPOTrainer, GRPOConfig
    if arm.method != "rltf" and config_class is RLTFConfig:
        settings["ce_loss_weight"] = 0.0  # these methods have no reference solutions
    trainer = trainer_class(
        model=model,
        reward_funcs=_reward(run, arm, runner),
        args=config_class(**{**settings, **arm.settings}),
        train_dataset=train_set,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    if isinstance(trainer, RLTFTrainer):
        evaluations.prompt_order = trainer.prompt_order
    return trainer


def _reward(run: Run, arm: Arm, runner: LocalRunner) -> Any:
    make_reward = paper_reward if arm.paper_feedback else UnitTestRewardFunction
    unit_tests = make_reward(runner, **arm.feedback)
    if arm.method == "ppocoder":
        from .ppocoder import PPOCoderReward  # tree-sitter, which the other arms do not need

        return PPOCoderReward(unit_tests)
    return CriticRewardFunction(unit_tests, str(run.critic)) if arm.critic else unit_tests


def _train_supervised(
    run: Run,
    model: Any,
    tokenizer: Any,
    train_set: Dataset,
    evaluations: Evaluations,
    scratch: str,
    num_steps: int,
    is_clean: bool,
) -> None:
    """Train with as many examples per step, on programs instead of rewards."""
    script_args = RLTFScriptArguments(
        warm_start_steps=num_steps,
        warm_start_batch_size=run.scale.samples_per_step,
        warm_start_learning_rate=run.scale.supervised_learning_rate,
        warm_start_bug_share=0.0 if is_clean else run.scale.bug_share,
        warm_start_slip_share=0.0 if is_clean else run.scale.slip_share,
    )
    # Not the seed of the warm start, which would repeat its order of examples.
    length = {"max_completion_length": max_completion_length(run.scale)}
    args = RLTFConfig(**{**DEMO_TRAINING, **length, "output_dir": scratch, "seed": run.seed + 1000})
    warm_start(
        model,
        tokenizer,
        train_set,
        script_args,
        args,
        folder=scratch,
        max_completion_length=args.max_completion_length,
        callbacks=[evaluations],
    )


def _train_critic(run: Run, model: Any, tokenizer: Any, train_set: Dataset, runner: LocalRunner, scratch: str) -> None:
    """Train a critic on programs of the warm start, as many as an arm uses samples."""
    num_groups = run.scale.max_steps * run.scale.samples_per_step // GROUP_SIZE
    problems = train_set.select([index % len(train_set) for index in range(num_groups)])
    samples = sample_and_grade(
        model, tokenizer, problems, runner, sampling(run.scale), num_samples=GROUP_SIZE, seed=run.seed
    )
    args = TrainingArguments(
        **{
            **DEMO_CRITIC_TRAINING,
            "output_dir": scratch,
            "max_steps": run.scale.critic_steps,
            "seed": run.seed,
            "disable_tqdm": True,
        }
    )
    trainer = CriticTrainer(
        make_mini_critic(tokenizer, seed=run.seed), args, Dataset.from_list(samples), processing_class=tokenizer
    )
    trainer.train()
    trainer.save_model(str(run.critic))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    execute(Run(**{**given, "scale": Scale(**given["scale"])}))
