# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Train a code model on MBPP from unit-test feedback, and measure pass@k on its test problems before and after.

    accelerate launch examples/train_mbpp.py --model_name_or_path HuggingFaceTB/SmolLM2-135M-Instruct --prompt_style chat \
        --use_peft --learning_rate 1e-4 --max_completion_length 256 --output_dir outputs/smollm2-mbpp

`--dataset_name` may be a local `mbpp.jsonl`. Problems 601 to 974 are for training, 11 to 510 for testing. Running it is the opt-in
to running model-written code, in the sandbox described in docs/execution.md.
"""

from trl import get_peft_config

from trl_rltf import RLTFTrainer
from trl_rltf.execution import LocalRunner
from trl_rltf.generation import Sampling
from trl_rltf.metrics import PolicySampler, evaluate
from trl_rltf.scripts import load_policy_and_warm_start, load_problems, report_training, short_errors
from trl_rltf.scripts.train import make_callbacks, make_parser, make_reward
from trl_rltf.trainer import add_progress_line


def main(script_args, training_args, model_args):
    ################
    # Dataset
    ################
    train_set, test_set = load_problems(script_args)

    ################
    # Model and trainer
    ################
    limits = {
        "max_prompt_length": training_args.max_prompt_length,
        "max_completion_length": training_args.max_completion_length,
    }
    model, tokenizer = load_policy_and_warm_start(
        script_args, training_args, model_args, train_set, **limits, prompt_overflow=training_args.prompt_overflow
    )
    runner = LocalRunner(timeout=script_args.test_timeout, allow_code_eval=True)
    trainer = RLTFTrainer(
        model=model,
        reward_funcs=make_reward(script_args, runner),  # or a UnitTestRewardFunction
        args=training_args,
        train_dataset=train_set,
        processing_class=tokenizer,
        callbacks=make_callbacks(script_args),
        peft_config=get_peft_config(model_args),
    )
    add_progress_line(trainer)

    ################
    # Training
    ################
    def evaluate_policy():
        policy = trainer.accelerator.unwrap_model(trainer.model)
        sampling = Sampling(training_args.temperature, training_args.top_p, **limits)
        sampler = PolicySampler(policy, tokenizer, sampling, batch_size=script_args.eval_batch_size)
        return evaluate(test_set, sampler, runner, script_args.eval_samples)

    before = evaluate_policy()
    trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
    after = evaluate_policy()
    trainer.save_model(training_args.output_dir)
    if trainer.accelerator.is_main_process:
        report_training(before, after, trainer.state.log_history, training_args.output_dir)
    trainer.accelerator.end_training()


if __name__ == "__main__":
    with short_errors():
        parser = make_parser()
        parser.set_defaults(benchmark="mbpp")
        main(*parser.parse_args_and_config())
