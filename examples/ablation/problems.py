"""Problems and warm starts of the ablation: MiniAPPS, or MiniAPPS-L with persistent gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import ModelConfig, SFTConfig

from trl_rltf import RLTFConfig, make_mini_apps_long
from trl_rltf.generation import Sampling
from trl_rltf.mini import make_gapped_examples, make_mini_model
from trl_rltf.mini.demo import DEMO_TRAINING
from trl_rltf.scripts import RLTFScriptArguments, load_policy_and_warm_start, load_problems
from trl_rltf.scripts.warm_start import warm_start


if TYPE_CHECKING:
    from .run import Run, Scale


_NUM_LONG_PROBLEMS = 1000
_NUM_LONG_EXAMPLES = 2000  # of the warm start, before rare ones are left out
_LONG_VOCABULARY = 1000
_LONG_WARM_START = {"warm_start_batch_size": 32, "warm_start_learning_rate": 1e-3, "warm_start_solutions": 4}
_TOKENS_PER_STATEMENT = 32


def max_completion_length(scale: Scale) -> int:
    """Maximum number of tokens of a completion."""
    length: int = DEMO_TRAINING["max_completion_length"]
    return max(128, _TOKENS_PER_STATEMENT * scale.num_statements) if scale.num_statements else length


def sampling(scale: Scale) -> Sampling:
    """All arms are evaluated in the same way, at the same temperature."""
    return Sampling(temperature=DEMO_TRAINING["temperature"], max_completion_length=max_completion_length(scale))


def script_arguments(run: Run) -> RLTFScriptArguments:
    """Arguments of the warm start and of the problems."""
    scale = run.scale
    is_long = scale.num_statements > 0
    return RLTFScriptArguments(
        architecture=run.architecture,
        warm_start_steps=scale.warm_start_steps,
        warm_start_bug_share=0.0 if is_long else scale.bug_share,
        warm_start_slip_share=0.0 if is_long else scale.slip_share,
        eval_problems=scale.eval_problems,
        **(_LONG_WARM_START if is_long else {}),
    )


def train_and_test_problems(run: Run) -> tuple[Dataset, Dataset]:
    """Training problems, and held-out ones."""
    scale = run.scale
    if not scale.num_statements:
        return load_problems(script_arguments(run))
    return (
        make_mini_apps_long("train", num_problems=_NUM_LONG_PROBLEMS, num_statements=scale.num_statements),
        make_mini_apps_long("test", num_problems=scale.eval_problems, num_statements=scale.num_statements),
    )


def warmed_up_model(run: Run, train_set: Dataset) -> tuple[Any, Any]:
    """Make a tiny model, train it on programs, and save it in the folder of the start."""
    script_args = script_arguments(run)
    if not run.scale.num_statements:
        args = RLTFConfig(**{**DEMO_TRAINING, "output_dir": str(run.start), "seed": run.seed})
        return load_policy_and_warm_start(
            script_args, args, ModelConfig(), train_set, max_completion_length=args.max_completion_length
        )
    # The stages with gaps are the same for all seeds: they belong to the problems.
    examples = make_gapped_examples(
        num_problems=_NUM_LONG_EXAMPLES, num_statements=run.scale.num_statements, wrong_share=run.scale.wrong_share
    )
    model, tokenizer = make_mini_model(
        examples, seed=run.seed, vocab_size=_LONG_VOCABULARY, architecture=run.architecture
    )
    folder = str(run.start / "warm-start")
    training = SFTConfig(folder, seed=run.seed, use_cpu=True, bf16=False, gradient_checkpointing=False)
    warm_start(
        model,
        tokenizer,
        examples,
        script_args,
        training,
        folder=folder,
        max_completion_length=max_completion_length(run.scale),
    )
    return model, tokenizer
