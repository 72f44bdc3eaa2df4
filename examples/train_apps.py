# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Train a code model from unit-test feedback and measure pass@k on held-out problems before and after.

Without a flag, a tiny model learns MiniAPPS on the CPU; nothing is downloaded:

    accelerate launch examples/train_apps.py

The same with an encoder-decoder: `--architecture t5`. A model of the Hub on APPS (or a local folder in its layout), with LoRA:

    accelerate launch examples/train_apps.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --dataset_name codeparrot/apps \
        --use_peft --learning_rate 1e-5 --max_completion_length 512 --output_dir outputs/qwen-apps

The paper's settings for CodeT5-770M and CodeGen-2.7B are in examples/configs:

    accelerate launch --config_file examples/accelerate_configs/deepspeed_zero2.yaml examples/train_apps.py \
        --config examples/configs/codet5_770m.yaml

Running it is the opt-in to running model-written code, in the sandbox that docs/execution.md describes.
"""

from _training import ProblemArguments, load_apps_problems, load_start, prepared, settings_for, unit_test_reward
from _training_report import banner, report
from trl import ModelConfig, TrlParser, get_peft_config

from trl_rltf import CriticRewardFunction, OnlineBuffer, RLTFConfig, RLTFTrainer
from trl_rltf.execution import LocalRunner
from trl_rltf.metrics import evaluate_policy


def main(load_problems=load_apps_problems) -> None:
    parser = TrlParser((ProblemArguments, RLTFConfig, ModelConfig))
    script_args, training_args, model_args = settings_for(parser)
    train_set, test_set = prepared(load_problems(script_args), script_args)
    runner = LocalRunner(timeout=script_args.test_timeout, allow_code_eval=True)

    banner("1. Warm start")
    model, tokenizer = load_start(script_args, training_args, model_args, train_set, training_args.max_prompt_length)

    sampling = {
        "num_samples": script_args.eval_samples,
        "temperature": training_args.temperature,
        "top_p": training_args.top_p,
        "max_completion_length": training_args.max_completion_length,
        "max_prompt_length": training_args.max_prompt_length,
        "batch_size": script_args.eval_batch_size,
    }
    reward = unit_test_reward(script_args, runner)
    if script_args.critic_model_name_or_path is not None:
        reward = CriticRewardFunction(reward, script_args.critic_model_name_or_path)
    buffer = OnlineBuffer(script_args.buffer_capacity, script_args.update_steps)
    trainer = RLTFTrainer(
        model=model,
        reward_funcs=reward,
        args=training_args,
        train_dataset=train_set,
        processing_class=tokenizer,
        callbacks=[buffer] if script_args.use_buffer else None,
        peft_config=get_peft_config(model_args),
    )

    def evaluate():
        policy = trainer.accelerator.unwrap_model(trainer.model)
        return evaluate_policy(policy, trainer.processing_class, test_set, runner, **sampling)

    before = evaluate()
    banner("2. Reinforcement learning from unit-test feedback")
    trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)

    banner("3. Held-out problems")
    after = evaluate()
    trainer.save_model(training_args.output_dir)
    if trainer.accelerator.is_main_process:
        report(before, after, trainer.state.log_history, training_args.output_dir)
    trainer.accelerator.end_training()


if __name__ == "__main__":
    main()
