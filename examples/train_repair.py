# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
Let a model run the visible tests of a problem and repair its program. Hidden tests decide the reward.

    python examples/train_repair.py
    python examples/train_repair.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct --learning_rate 1e-6

Without a model, a tiny one first learns from conversations. Running it is the opt-in to running model-written code.
"""

import json
import random
from dataclasses import dataclass
from functools import partial

import torch
from transformers import HfArgumentParser
from trl.chat_template_utils import qwen2_5_chat_template as template

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction, make_mini_apps
from trl_rltf.environments import UnitTestEnvironment
from trl_rltf.mini import add_bug, make_mini_model
from trl_rltf.scripts import save_and_report, short_errors


@dataclass
class Arguments(RLTFConfig):
    output_dir: str = "outputs/repair"
    model_name_or_path: str = ""
    warm_start_steps: int = 240
    learning_rate: float = 1e-4


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
    write = partial(make_mini_model(problems)[1].apply_chat_template, chat_template=template, tokenize=False)
    texts = [write(make_conversation(row, environment), tools=[environment.run_tests]) for row in rows]
    data = [{"prompt": text, "solutions": []} for text in texts]
    model, tokenizer = make_mini_model(data, seed=args.seed, hidden_size=128, num_layers=2, vocab_size=1000)
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.chat_template, model.config.max_position_embeddings = template, 2048
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(args.warm_start_steps):
        model(**batch, labels=batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, tokenizer


def main(args):
    reward = UnitTestRewardFunction(allow_code_eval=True, token_feedback=None)
    problems, name = make_mini_apps(num_problems=4), args.model_name_or_path
    rows, make = problems.map(make_row), partial(UnitTestEnvironment, max_calls=2, runner=reward.runner)
    model, tokenizer = (name, None) if name else make_tiny_model(problems, rows, make(), args)
    trainer = RLTFTrainer(model, reward, args, rows, processing_class=tokenizer, environment_factory=make)
    trainer.train()
    save_and_report(trainer)


if __name__ == "__main__":
    with short_errors():
        main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
