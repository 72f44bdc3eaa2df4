# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
Let a model run the visible tests of a problem and repair its program. Hidden tests decide the reward.

    python examples/train_repair.py
    python examples/train_repair.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct --max_completion_length 512

Without a model, a tiny one first learns from conversations. Running it is the opt-in to running model-written code.
"""

import json
import random
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import trl
from transformers import HfArgumentParser, TrainerCallback

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction, make_mini_apps
from trl_rltf.environments import UnitTestEnvironment
from trl_rltf.execution import LocalRunner
from trl_rltf.mini import add_bug, make_mini_model


# Defaults for the tiny model.
TINY = {"learning_rate": 1e-4, "per_device_train_batch_size": 16, "max_completion_length": 192, "logging_steps": 1}


@dataclass
class Arguments(RLTFConfig):
    output_dir: str = "outputs/repair"
    model_name_or_path: str = ""
    warm_start_steps: int = 240
    max_steps: int = 20


class Gauge(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **kwargs):
        if "reward" in (logs or {}):
            share, reward = logs["rewards/calls_tool/mean"], logs["rewards/unit_test_reward/mean"]
            print(f"step {state.global_step}: {share:.0%} of the completions call the tool; reward {reward:.2f}")


def calls_tool(completions, **columns):
    """Whether a completion calls the tool. It is logged, and does not count in the reward."""
    return [float(any(message.get("tool_calls") for message in completion)) for completion in completions]


def make_row(row):
    visible = {key: part[:2] if isinstance(part, list) else part for key, part in json.loads(row["tests"]).items()}
    return {"prompt": [{"role": "user", "content": row["prompt"]}], "visible_tests": json.dumps(visible)}


def make_conversation(row, environment):
    wrong, right = add_bug(row["solutions"][0], random.Random(0)), row["solutions"][0]
    environment.reset(**row)
    call = {"type": "function", "function": {"name": "run_tests", "arguments": {"code": wrong}}}
    report = {"role": "tool", "name": "run_tests", "content": environment.run_tests(wrong)}
    draft = {"role": "assistant", "content": "", "tool_calls": [call]}
    return [*row["prompt"], draft, report, {"role": "assistant", "content": f"```python\n{right}```"}]


def make_tiny_model(problems, rows, environment, args):
    template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text()
    write = partial(make_mini_model(problems)[1].apply_chat_template, chat_template=template, tokenize=False)
    texts = [write(make_conversation(row, environment), tools=[environment.run_tests]) for row in rows]
    model, tokenizer = make_mini_model(
        [{"prompt": text, "solutions": []} for text in texts],
        seed=args.seed,
        hidden_size=128,
        num_layers=2,
        vocab_size=1000,
    )
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.chat_template, model.config.max_position_embeddings = template, 2048
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(args.warm_start_steps):
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, tokenizer


def main(args):
    runner, problems = LocalRunner(allow_code_eval=True), make_mini_apps(num_problems=4)
    rows, make = problems.map(make_row), partial(UnitTestEnvironment, max_calls=2, runner=runner)
    name, args.reward_weights = args.model_name_or_path, [1.0, 0.0]
    # The lines of a program in a call have no tokens that could be rewarded.
    rewards = [UnitTestRewardFunction(runner, token_feedback=None), calls_tool]
    model, tokenizer = (name, None) if name else make_tiny_model(problems, rows, make(), args)
    trainer = RLTFTrainer(
        *(model, rewards, args, rows), processing_class=tokenizer, environment_factory=make, callbacks=[Gauge()]
    )
    trainer.train()
    trainer.save_model(args.output_dir)


if __name__ == "__main__":
    parser = HfArgumentParser(Arguments)
    if "--model_name_or_path" not in sys.argv:
        parser.set_defaults(**TINY)
    main(*parser.parse_args_into_dataclasses())
