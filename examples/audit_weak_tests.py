# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
See a policy pass the tests without solving the problem.

    python examples/audit_weak_tests.py --seed 0

The problem has five tests, and one of them is rewarded. A tiny model learns to print the number that this test expects; the other
four, which audit the reward, show it: the gap between both kinds of tests grows towards 1.
"""

import json
from dataclasses import dataclass

from datasets import Dataset
from transformers import HfArgumentParser, TrainerCallback
from trl import SFTConfig, SFTTrainer

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.mini import make_mini_model
from trl_rltf.scripts import short_errors


@dataclass
class Arguments:
    output_dir: str = "outputs/audit-weak-tests"
    warm_start_steps: int = 60
    max_steps: int = 60
    seed: int = 0


class Gauge(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **kwargs):
        if "audit/gap" in (logs or {}):
            rewarded, audit, gap = (logs[name] for name in ("outcome/pass_ratio", "audit/pass_ratio", "audit/gap"))
            print(
                f"step {state.global_step}: passes {rewarded:.0%} of the rewarded tests, {audit:.0%} of the others; gap {gap:.2f}"
            )


def main(args):
    shared = {"report_to": "none", "use_cpu": True, "save_strategy": "no", "disable_tqdm": True, "seed": args.seed}
    tests = {"inputs": ["1 2", "2 5", "0 1", "4 5", "3 3"], "outputs": ["3", "7", "1", "9", "6"]}
    prompt = "Read two numbers and print their sum.\n"
    # At first the policy prints any number below 10, without reading the input.
    drafts = [f"print({number})\n" for number in range(10)]
    problem = Dataset.from_list([{"prompt": prompt, "tests": json.dumps(tests), "solutions": drafts}])
    model, tokenizer = make_mini_model(problem, seed=args.seed, hidden_size=64, num_layers=2, vocab_size=320)
    warm_start = SFTConfig(
        args.output_dir, max_steps=args.warm_start_steps, learning_rate=3e-3, per_device_train_batch_size=10, **shared
    )
    pairs = Dataset.from_list([{"prompt": prompt, "completion": draft} for draft in drafts])
    SFTTrainer(model, warm_start, train_dataset=pairs, processing_class=tokenizer).train()

    config = RLTFConfig(
        args.output_dir,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        ce_loss_weight=0,
        gradient_checkpointing=False,
        max_steps=args.max_steps,
        per_device_train_batch_size=32,
        num_generations=32,
        max_completion_length=16,
        logging_steps=5,
        **shared,
    )
    reward = UnitTestRewardFunction(audit_tests=0.8, token_feedback=None, allow_code_eval=True)
    trainer = RLTFTrainer(model, reward, config, problem, processing_class=tokenizer, callbacks=[Gauge()])
    trainer.train()
    ids = tokenizer(prompt, return_tensors="pt")
    completion = model.generate(**ids, max_new_tokens=16, do_sample=False)[0, ids["input_ids"].shape[1] :]
    print(f"The model answers:\n{tokenizer.decode(completion, skip_special_tokens=True)}")


if __name__ == "__main__":
    with short_errors():
        main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
