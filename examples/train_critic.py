# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples]"]
# ///
"""
Train a critic, which tells from a program what its unit tests will find, and measure it on held-out problems.

Without a flag, a tiny policy is made and warmed up, writes programs for MiniAPPS, and a tiny critic learns from them:

    python examples/train_critic.py

From samples that have been graded (JSON Lines with prompt, completion and outcome), or sampled from a model:

    python examples/train_critic.py --samples samples.jsonl --critic_model_name_or_path Salesforce/codet5-base \
        --num_train_epochs 3 --output_dir outputs/critic
    python examples/train_critic.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --dataset_name codeparrot/apps \
        --max_completion_length 512 --output_dir outputs/critic

Then: `examples/train_apps.py --critic_model_name_or_path outputs/critic`. Sampling runs model-written code, in the sandbox.
"""

from _critic_run import CriticArguments, load_critic, load_samples, report, settings_for
from _training_report import banner
from transformers import TrainingArguments
from trl import ModelConfig, TrlParser

from trl_rltf.critic import Critic
from trl_rltf.critic.training import CriticTrainer, evaluate_critic


def main() -> None:
    parser = TrlParser((CriticArguments, TrainingArguments, ModelConfig))
    script_args, training_args, model_args = settings_for(parser)

    banner("1. Graded samples")
    train_set, test_set, tokenizer = load_samples(script_args, training_args, model_args)
    model, tokenizer = load_critic(script_args, model_args, tokenizer, training_args.seed)

    banner(f"2. The critic learns from {len(train_set)} samples")
    trainer = CriticTrainer(
        model,
        training_args,
        train_set,
        processing_class=tokenizer,
        pooling=script_args.pooling,
        max_length=script_args.max_length,
    )
    trainer.train()
    trainer.save_model(training_args.output_dir)

    banner("3. Held-out problems")
    critic = Critic(trainer.model, tokenizer, max_length=script_args.max_length)
    if trainer.accelerator.is_main_process:
        report(evaluate_critic(critic, test_set))
        print(f"Critic: {training_args.output_dir}")


if __name__ == "__main__":
    main()
