"""Train for 14 steps with a checkpoint after each; a slow run leaves time to kill it."""

import sys
import time
import warnings

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, TokenReward, make_mini_apps


def train(start: str, output: str, resume: bool, seconds: float) -> None:
    """Train the model in the folder `start`, and write its weights to the folder `output`."""

    def reward(completions, completion_ids, **columns):
        time.sleep(seconds)
        return [
            TokenReward(len(set(ids)) / 10, [len(set(ids)) / 10 - 0.1 * (t % 3) for t in range(len(ids))])
            for ids in completion_ids
        ]

    trainer = RLTFTrainer(
        model=AutoModelForCausalLM.from_pretrained(start),
        reward_funcs=reward,
        args=RLTFConfig(
            output_dir=output,
            per_device_train_batch_size=2,
            gradient_accumulation_steps=2,
            num_generations=4,
            use_cpu=True,
            max_completion_length=6,
            max_steps=14,
            save_strategy="steps",
            save_steps=1,
            save_total_limit=3,
            report_to="none",
            disable_tqdm=True,
            gradient_checkpointing=False,
            learning_rate=1e-3,
            ce_loss_weight=0.1,
            logging_steps=1,
        ),
        train_dataset=make_mini_apps("train", num_problems=16),
        processing_class=AutoTokenizer.from_pretrained(start),
        callbacks=[OnlineBuffer(capacity=16, update_steps=3)],
    )
    trainer.train(resume_from_checkpoint=resume or None)
    torch.save(dict(trainer.model.state_dict()), f"{output}/weights.pt")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    train(sys.argv[1], sys.argv[2], resume=sys.argv[3] == "resume", seconds=float(sys.argv[4]))
