"""
Train a code model from unit-test feedback, and measure pass@k before and after.

Without a model, this is the demo: a tiny model learns MiniAPPS on the CPU.

    trl-rltf train --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --dataset_name codeparrot/apps --use_peft
    accelerate launch -m trl_rltf.scripts.train

Running the script is the opt-in to running model-written code, in the sandbox described in docs/execution.md.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from trl import ModelConfig, get_peft_config

from ..critic import CriticRewardFunction
from ..execution import Runner
from ..generation import Sampling
from ..metrics import Evaluation, PolicySampler, evaluate
from ..mini.demo import DEMO_EVALUATION, DEMO_MAX_STEPS, DEMO_TRAINING
from ..presets import PAPER_BUFFER, PAPER_CONFIG, paper_reward
from ..rewards import UnitTestRewardFunction
from ..trainer import OnlineBuffer, RLTFConfig, RLTFTrainer, add_progress_line
from ..trainer.loss_parts import describe_loss
from .arguments import RLTFScriptArguments
from .bad_input import short_errors
from .next_commands import evaluation_command
from .parser import ScriptParser
from .problems import check_problems_are_named, load_problems
from .runners import runner_of
from .tables import banner, console, explain, report_training
from .training_results import save_and_report
from .warm_start import load_policy_and_warm_start


def main(script_args: RLTFScriptArguments, training_args: RLTFConfig, model_args: ModelConfig) -> None:
    """
    Warm up, train and evaluate a policy.

    Args:
        script_args ([`RLTFScriptArguments`]): Problems, warm start, rewards, buffer and evaluation.
        training_args ([`RLTFConfig`]): Arguments of the trainer.
        model_args ([`~trl.ModelConfig`]): The model. Without a name, a tiny one for MiniAPPS is made.

    Raises:
        ValueError: If there are problems but no model, a model but no problems, or two arguments contradict each other.
    """
    check_problems_are_named(script_args, model_args.model_name_or_path)
    if script_args.no_eval and training_args.eval_strategy != "no":
        raise ValueError(
            f"`no_eval` holds no problems out, but `eval_strategy` is {str(training_args.eval_strategy)!r}, which evaluates on them. "
            "Leave one of the two out."
        )
    train_set, test_set = load_problems(script_args)
    runner = runner_of(script_args)

    is_demo = model_args.model_name_or_path is None
    if is_demo:
        explain(
            f"A tiny model, made here, learns to write Python programs: {len(train_set)} problems for training, and "
            f"{len(test_set)} held-out problems that it never sees. A problem has tests; a program is right if it passes all of them."
        )
    banner("1. Warm start")
    if is_demo:
        explain(
            "The model learns from reference solutions. Most of them have one bug, put in on purpose, so that the model makes "
            "careless errors which unit tests can correct."
        )
    model, tokenizer = load_policy_and_warm_start(
        script_args,
        training_args,
        model_args,
        train_set,
        max_prompt_length=training_args.max_prompt_length,
        max_completion_length=training_args.max_completion_length,
        prompt_overflow=training_args.prompt_overflow,
    )
    trainer = RLTFTrainer(
        model=model,
        reward_funcs=make_reward(script_args, runner),
        args=training_args,
        train_dataset=train_set,
        eval_dataset=None if training_args.eval_strategy == "no" else test_set,
        processing_class=tokenizer,
        callbacks=make_callbacks(script_args),
        peft_config=get_peft_config(model_args),
    )
    add_progress_line(trainer)

    is_main, number = trainer.accelerator.is_main_process, len(test_set) * script_args.eval_samples

    def evaluate_policy() -> Evaluation | None:
        if script_args.no_eval:
            return None
        policy = trainer.accelerator.unwrap_model(trainer.model)
        sampling = Sampling(
            temperature=training_args.temperature,
            top_p=training_args.top_p,
            max_completion_length=training_args.max_completion_length,
            max_prompt_length=training_args.max_prompt_length,
        )
        sampler = PolicySampler(
            policy,
            trainer.processing_class,
            sampling,
            batch_size=script_args.eval_batch_size,
            description="held-out problems" if is_main and not training_args.disable_tqdm else None,
        )
        return evaluate(test_set, sampler, runner, script_args.eval_samples)

    if is_main:
        console.print(describe_loss(trainer), soft_wrap=True, highlight=False)
        if not script_args.no_eval:
            console.print(
                f"Evaluation, before and after training: {len(test_set)} held-out problems x {script_args.eval_samples} samples = "
                f"{number:,} programs each time, of at most {training_args.max_completion_length} tokens. `--eval_problems` and "
                "`--eval_samples` change this, `--no_eval` leaves it out.",
                soft_wrap=True,
                highlight=False,
            )
    if is_demo:
        explain(
            f"How many held-out problems can it solve now? It writes {script_args.eval_samples} programs for each."
        )
    before = evaluate_policy()
    banner("2. Reinforcement learning from unit-test feedback")
    if is_demo:
        explain(
            f"The model writes {training_args.num_generations} programs per problem. They run in a sandbox, and their tests are the only "
            "teacher: programs that pass become more likely, and errors in a line make the tokens of that line less likely. The line "
            "shows the tests passed and the outcomes of the programs: pass, wrong answer, crash, syntax error."
        )
    trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)

    if not script_args.no_eval:
        banner("3. Held-out problems")
        if is_demo:
            explain("The same held-out problems again, after the training:")
    after = evaluate_policy()
    if before is None or after is None:
        save_and_report(trainer)
    else:
        trainer.save_model(training_args.output_dir)
        if is_main:
            start = "warm start" if (Path(training_args.output_dir) / "warm-start").is_dir() else "before"
            report_training(before, after, trainer.state.log_history, training_args.output_dir, start_name=start)
    if is_main and not script_args.no_eval:
        command = evaluation_command(script_args, training_args, model_args, test_set)
        console.print(f"To evaluate this model:\n{command}", soft_wrap=True, highlight=False, markup=False)
    trainer.accelerator.end_training()


def make_reward(script_args: RLTFScriptArguments, runner: Runner) -> Any:
    """
    Make the reward function that the arguments describe.

    Args:
        script_args ([`RLTFScriptArguments`]): Feedback, weights and critic.
        runner ([`~execution.Runner`]): Runs the tests.

    Returns:
        [`UnitTestRewardFunction`] or [`CriticRewardFunction`]: The reward function.
    """
    settings: dict[str, Any] = {name: getattr(script_args, name) for name in ("adaptive_weight", "audit_tests")}
    for name in ("token_feedback", "token_weight"):
        if getattr(script_args, name) is not None:
            settings[name] = getattr(script_args, name)
    make = paper_reward if script_args.paper_feedback else UnitTestRewardFunction
    reward = make(runner, **settings)
    critic = script_args.critic_model_name_or_path
    return reward if critic is None else CriticRewardFunction(reward, critic)


def make_callbacks(script_args: RLTFScriptArguments) -> list[OnlineBuffer] | None:
    """
    Make the callbacks that the arguments describe.

    Args:
        script_args ([`RLTFScriptArguments`]): Whether there is an online buffer, its capacity and its refreshes.

    Returns:
        `list[OnlineBuffer]` or `None`: The online buffer, if there is one.
    """
    if not script_args.use_buffer:
        return None
    return [OnlineBuffer(script_args.buffer_capacity, update_steps=script_args.update_steps)]


def make_parser(prog: str | None = None) -> ScriptParser:
    """
    Make the parser of the script.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        [`~trl.TrlParser`]: It parses [`RLTFScriptArguments`], [`RLTFConfig`] and [`~trl.ModelConfig`].
    """
    return ScriptParser((RLTFScriptArguments, RLTFConfig, ModelConfig), choose_defaults, prog=prog)


def choose_defaults(chosen: Namespace) -> dict[str, Any]:
    """
    Choose the defaults of a training run.

    These are the settings of the preset and, without a model, the settings of the demo.

    Args:
        chosen (`Namespace`): The parsed arguments.

    Returns:
        `dict`: Defaults by name of the argument.
    """
    defaults: dict[str, Any] = {}
    if chosen.preset == "paper":
        buffer = {"buffer_capacity": PAPER_BUFFER["capacity"], "update_steps": PAPER_BUFFER["update_steps"]}
        defaults |= {**PAPER_CONFIG, **buffer, "use_buffer": True, "paper_feedback": True}
    if chosen.model_name_or_path is None:
        defaults = {**defaults, **DEMO_TRAINING, **DEMO_EVALUATION, "max_steps": DEMO_MAX_STEPS}
    return defaults


if __name__ == "__main__":
    # As in TRL's scripts: a configuration file may have arguments of `accelerate launch`, which `trl-rltf` passes on.
    with short_errors("trl-rltf train"):
        main(*make_parser().parse_args_and_config(fail_with_unknown_args=False))
