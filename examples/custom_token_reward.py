# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
Reward parts of a text, without code and without tests.

    python examples/custom_token_reward.py

A tiny untrained model learns on the CPU to write lower-case letters in short lines. docs/token_rewards.md explains the rewards.
"""

import re
import statistics
from dataclasses import dataclass

from datasets import Dataset
from transformers import HfArgumentParser

from trl_rltf import RLTFConfig, RLTFTrainer, TokenReward
from trl_rltf.mini import make_mini_model
from trl_rltf.scripts import save_and_report, short_errors


@dataclass
class Arguments:
    output_dir: str = "outputs/custom-token-reward"
    max_steps: int = 60
    seed: int = 0


def lower_case(completions, completion_ids, processing_class, log_metric, **columns):
    """Text spans: a character that is neither a lower-case letter nor a blank costs its token 1."""
    rewards, shares = [], []
    for text, ids in zip(completions, completion_ids, strict=True):
        wrong = [(*match.span(), -1.0) for match in re.finditer(r"[^a-z\s]", text)]
        rewards.append(TokenReward.from_spans(0.0, wrong, text, ids, processing_class))
        shares.append(1 - len(wrong) / max(1, len(text)))
    log_metric("lower_case/share", statistics.fmean(shares))
    return rewards


def short_lines(prompts, completions, completion_ids, processing_class, **columns):
    """Process rewards per line as advantages: compared with all lines for the prompt, and summed from each line on."""
    lines = [[(*m.span(), -abs(len(m[0]) - 8) / 8) for m in re.finditer(r"[^\n]+\n*", text)] for text in completions]
    rewards = []
    for prompt, text, ids, own in zip(prompts, completions, completion_ids, lines, strict=True):
        group = [value for other, row in zip(prompts, lines, strict=True) if other == prompt for *_, value in row]
        mean, std = (statistics.fmean(group), statistics.pstdev(group)) if group else (0.0, 0.0)
        spans, to_go = [], 0.0
        for start, end, value in reversed(own):
            to_go += (value - mean) / (std + 1e-4)
            spans.append((start, end, to_go))
        rewards.append(TokenReward.from_spans(0.0, spans, text, ids, processing_class))
    return rewards


def main(args):
    words = "autumn breeze cherry dew evening frog garden heron iris jasmine".split()
    dataset = Dataset.from_list([{"prompt": f"Write about {word}.\n", "solutions": []} for word in words])
    model, tokenizer = make_mini_model(dataset, seed=args.seed, hidden_size=96, num_layers=2, vocab_size=300)
    config = RLTFConfig(
        output_dir=args.output_dir,
        learning_rate=1e-3,
        max_steps=args.max_steps,
        seed=args.seed,
        per_device_train_batch_size=32,
        max_completion_length=32,
        reward_weights=[1.0, 0.1],
        logging_steps=1,
        report_to="none",
    )
    trainer = RLTFTrainer(model, [lower_case, short_lines], config, dataset, processing_class=tokenizer)
    trainer.train()
    save_and_report(trainer)


if __name__ == "__main__":
    with short_errors():
        main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
