"""Train a tiny model with a tracker: `trackers.py FOLDER trackio` or `wandb`. The environment says where the tracker writes."""

import sys
from pathlib import Path

import architectures

from trl_rltf import RLTFConfig, RLTFTrainer, TokenReward, make_mini_apps


def reward(completions, completion_ids, log_extra, log_metric, **columns):
    """Call the first token of each completion an error."""
    log_extra("outcome", ["FAILURE"] * len(completions))
    log_metric("outcome/failure", 1.0)
    log_metric("outcome/pass", 0.0)
    return [TokenReward(1.0, [0.25, *[1.0] * (len(ids) - 1)]) for ids in completion_ids]


def main(folder: Path, tracker: str) -> None:
    """Train for two steps."""
    model, tokenizer = architectures.make("llama")
    args = RLTFConfig(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=8,
        max_steps=2,
        logging_steps=1,
        log_completions=True,
        num_completions_to_print=1,
        report_to=tracker,
        run_name="tiny",
        project="tiny",
        ce_loss_weight=0.0,
        save_strategy="no",
        bf16=False,
        dataloader_pin_memory=False,
        use_cpu=True,
    )
    problems = make_mini_apps("train").select(range(8))
    RLTFTrainer(
        model=model, reward_funcs=reward, args=args, train_dataset=problems, processing_class=tokenizer
    ).train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
