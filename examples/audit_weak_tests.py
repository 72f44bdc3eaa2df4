# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
See a policy pass the tests without solving the problem.

    python examples/audit_weak_tests.py
    python examples/audit_weak_tests.py --audit_tests 0.2

The problem has five tests. With the first command one of them is rewarded, and a tiny model learns to print what it expects; the four
tests that audit the reward show that. With the second command four tests are rewarded, and no constant passes them all.
"""

import random
from dataclasses import dataclass

from datasets import Dataset
from transformers import HfArgumentParser, TrainerCallback
from trl import SFTConfig, SFTTrainer

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction, make_mini_apps
from trl_rltf.mini import add_bug, make_mini_model


@dataclass
class Arguments:
    output_dir: str = "outputs/audit-weak-tests"
    audit_tests: float = 0.8
    warm_start_steps: int = 60
    max_steps: int = 40


class Gauge(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **kwargs):
        if "audit/gap" in (logs or {}):
            shares = [logs[name] for name in ("outcome/pass_ratio", "audit/pass_ratio", "audit/gap")]
            print(
                "step {}: {:.2f} of the rewarded tests, {:.2f} of the others, gap {:.2f}".format(
                    state.global_step, *shares
                )
            )


def main(args):
    shared = {"report_to": "none", "use_cpu": True, "save_strategy": "no", "disable_tqdm": True}
    problem = make_mini_apps(num_problems=1, difficulties=["introductory"])
    row, rng = problem[0], random.Random(0)
    # The policy starts as one that writes solutions with a bug, or gives up and prints a number.
    drafts = [add_bug(solution, rng) for solution in row["solutions"] for _ in range(30)]
    drafts += [f"print({number})\n" for number in range(-20, 70)]
    model, tokenizer = make_mini_model(Dataset.from_list([{**row, "solutions": drafts}]), hidden_size=96, num_layers=2)
    warm_start = SFTConfig(
        args.output_dir, max_steps=args.warm_start_steps, learning_rate=3e-3, per_device_train_batch_size=32, **shared
    )
    pairs = Dataset.from_list([{"prompt": row["prompt"], "completion": draft} for draft in drafts])
    SFTTrainer(model, warm_start, train_dataset=pairs, processing_class=tokenizer).train()

    config = RLTFConfig(
        args.output_dir,
        learning_rate=3e-4,
        max_steps=args.max_steps,
        per_device_train_batch_size=64,
        num_generations=64,
        max_completion_length=64,
        logging_steps=5,
        **shared,
    )
    reward = UnitTestRewardFunction(audit_tests=args.audit_tests, allow_code_eval=True)
    trainer = RLTFTrainer(model, reward, config, problem, processing_class=tokenizer, callbacks=[Gauge()])
    trainer.train()
    prompt = tokenizer(row["prompt"], return_tensors="pt")
    completion = model.generate(**prompt, max_new_tokens=64, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    print(f"The model answers:\n{tokenizer.decode(completion, skip_special_tokens=True)}")


if __name__ == "__main__":
    main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
