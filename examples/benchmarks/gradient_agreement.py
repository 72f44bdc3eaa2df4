# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Measure how much the gradients of independent batches agree: whether unit tests can teach a policy anything.

    accelerate launch examples/benchmarks/gradient_agreement.py --warm_start_bug_share 0 --warm_start_steps 150

It takes the arguments of train_apps.py, runs the warm start, and prints pass@1 of the samples and the mean cosine between the
gradients of 12 batches of prompts, with its standard error over batches. Around 0, a step of RL is mostly noise.
"""

import torch

from trl_rltf import RLTFTrainer
from trl_rltf.execution import LocalRunner
from trl_rltf.scripts import load_policy_and_warm_start, load_problems
from trl_rltf.scripts.train import make_callbacks, make_parser, make_reward


NUM_BATCHES = 12


class GradientRecorder(RLTFTrainer):
    """Keep the gradient of each step."""

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        parameters = [p.grad.flatten() for p in self.model.parameters() if p.grad is not None]
        self.gradients.append(torch.cat(parameters).clone())
        return loss


def main() -> None:
    script_args, training_args, model_args = make_parser().parse_args_and_config()
    train_set, _ = load_problems(script_args)
    model, tokenizer = load_policy_and_warm_start(
        script_args,
        training_args,
        model_args,
        train_set,
        max_prompt_length=training_args.max_prompt_length,
        max_completion_length=training_args.max_completion_length,
    )
    training_args.max_steps = NUM_BATCHES
    training_args.learning_rate = 0.0  # all gradients are of the same weights
    training_args.ce_loss_weight = 0.0  # and of the rewards only
    runner = LocalRunner(timeout=script_args.test_timeout, allow_code_eval=True)
    trainer = GradientRecorder(
        model=model,
        reward_funcs=make_reward(script_args, runner),
        args=training_args,
        train_dataset=train_set,
        processing_class=tokenizer,
        callbacks=make_callbacks(script_args),
    )
    trainer.gradients = []
    trainer.train()
    gradients = torch.nn.functional.normalize(torch.stack(trainer.gradients), dim=1)
    cosines = gradients @ gradients.T
    off_diagonal = (cosines.sum(1) - cosines.diagonal()) / (NUM_BATCHES - 1)
    passes = [row["outcome/pass"] for row in trainer.state.log_history if "outcome/pass" in row]
    print(f"pass@1 of the training samples: {sum(passes) / len(passes):.1%}")
    print(f"mean cosine: {off_diagonal.mean():.3f} (standard error {off_diagonal.std() / NUM_BATCHES**0.5:.3f})")


if __name__ == "__main__":
    main()
