# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
Reward tokens with your own function, in addition to the unit tests.

    python examples/custom_token_reward.py

A tiny model learns MiniAPPS on the CPU. The second reward function takes 0.1 from each token that contains a tab.
"""

from dataclasses import dataclass

from transformers import HfArgumentParser

from trl_rltf import RLTFConfig, RLTFTrainer, TokenReward, UnitTestRewardFunction, make_mini_apps
from trl_rltf.mini import make_mini_model


@dataclass
class Arguments:
    output_dir: str = "outputs/custom-token-reward"
    max_steps: int = 60


class TabPenalty:
    """Penalize tokens that contain a tab; the program as a whole gets 0."""

    __name__ = "tab_penalty"

    def __init__(self, tokenizer, weight=0.1):
        self.tokenizer, self.weight = tokenizer, weight

    def __call__(self, completions, completion_ids, **columns):
        rewards = []
        for ids in completion_ids:
            texts = self.tokenizer.batch_decode([[token] for token in ids])
            rewards.append(TokenReward(0.0, tokens=[-self.weight if "\t" in text else 0.0 for text in texts]))
        return rewards


def main(args):
    dataset = make_mini_apps()
    model, tokenizer = make_mini_model(dataset)
    trainer = RLTFTrainer(
        model=model,
        reward_funcs=[UnitTestRewardFunction(allow_code_eval=True), TabPenalty(tokenizer)],
        args=RLTFConfig(
            output_dir=args.output_dir,
            learning_rate=1e-4,
            max_steps=args.max_steps,
            max_completion_length=64,
            logging_steps=1,
            report_to="none",
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model(args.output_dir)


if __name__ == "__main__":
    main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
