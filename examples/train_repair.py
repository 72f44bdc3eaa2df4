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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import trl
from transformers import HfArgumentParser

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction, make_mini_apps
from trl_rltf.environments import UnitTestEnvironment
from trl_rltf.mini import add_bug, make_mini_model
from trl_rltf.scripts import save_and_report


@dataclass
class Arguments(RLTFConfig):
    output_dir: str = "outputs/repair"
    model_name_or_path: str = ""
    warm_start_steps: int = 600
    max_steps: int = 20


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


def make_tiny_model(problems, rows, environment, steps):
    template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text()
    write = partial(make_mini_model(problems)[1].apply_chat_template, chat_template=template, tokenize=False)
    texts = [write(make_conversation(row, environment), tools=[environment.run_tests]) for row in rows]
    model, tokenizer = make_mini_model([{"prompt": text, "solutions": []} for text in texts])
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.chat_template, model.config.max_position_embeddings = template, 2048
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(steps):
        ids = tokenizer(texts[step % len(texts)], return_tensors="pt")["input_ids"]
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, tokenizer


def main(args):
    problems, reward = make_mini_apps(num_problems=8), UnitTestRewardFunction(allow_code_eval=True)
    rows, make = problems.map(make_row), partial(UnitTestEnvironment, max_calls=2, runner=reward.runner)
    name = args.model_name_or_path
    model, tokenizer = (name, None) if name else make_tiny_model(problems, rows, make(), args.warm_start_steps)
    trainer = RLTFTrainer(model, reward, args, rows, processing_class=tokenizer, environment_factory=make)
    trainer.train()
    save_and_report(trainer)


if __name__ == "__main__":
    main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
