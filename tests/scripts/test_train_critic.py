"""The script that trains a critic, and its critic in a training run."""

import json
import re

import pytest
from transformers import AutoTokenizer

from trl_rltf.critic import Critic
from trl_rltf.mini import make_mini_critic
from trl_rltf.scripts import train, train_critic


QUIET = ("--report_to", "none", "--disable_tqdm", "True", "--max_steps", 1)


@pytest.mark.parametrize("architecture", ["llama", "t5"])
def test_the_demo_samples_from_a_tiny_policy_and_trains_a_tiny_critic(tmp_path, run, architecture, few_problems):
    printed = run(
        train_critic,
        *(*QUIET, "--architecture", architecture, "--warm_start_steps", 1, "--warm_start_batch_size", 4),
        *("--num_samples", 1, "--eval_problems", 3, "--max_completion_length", 8, "--output_dir", tmp_path),
    )
    assert re.search(r"SYNTAX_ERROR.*3.*%", printed)
    assert re.search(r"always the most frequent one.*%", printed)
    rows = [json.loads(line) for line in (tmp_path / "samples-train.jsonl").read_text().splitlines()]
    assert len(rows) == 24
    assert {"prompt", "completion", "outcome", "problem_id"} == set(rows[0])
    assert Critic(str(tmp_path))([""], ["x"])[0].verdict.sum().item() == pytest.approx(1.0)


def test_a_critic_starts_from_the_weights_of_the_policy_and_weights_its_rewards(
    tmp_path, model, tokenizer, run, few_problems
):
    model.save_pretrained(tmp_path / "policy")
    tokenizer.save_pretrained(tmp_path / "policy")
    common = (*QUIET, "--model_name_or_path", tmp_path / "policy", "--max_completion_length", 8, "--eval_problems", 2)
    common += ("--dataset_name", "mini_apps")
    printed = run(train_critic, *common, "--num_samples", 1, "--use_cpu", "--output_dir", tmp_path / "critic")
    assert "2 samples of held-out problems" in printed
    config = json.loads((tmp_path / "critic" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForTokenClassification"]
    run(
        train,
        *(*common, "--critic_model_name_or_path", tmp_path / "critic", "--num_generations", 2, "--eval_samples", 1),
        *("--per_device_train_batch_size", 4, "--logging_steps", 1, "--output_dir", tmp_path / "out"),
    )
    history = json.loads((tmp_path / "out" / "training_results.json").read_text())["history"]
    assert {"critic/accuracy", "token_weights/mean"} <= {name for row in history for name in row}


def test_a_critic_learns_from_a_file_of_samples(tmp_path, tokenizer, run):
    make_mini_critic(tokenizer, hidden_size=32, num_layers=1).save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    rows = [
        {"prompt": f"problem {i % 5}", "completion": f"print({i})", "outcome": "PASS" if i % 2 else "FAILURE"}
        for i in range(20)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    flags = (*QUIET, "--samples", path, "--use_cpu", "--pooling", "max", "--max_length", 32)
    start = ("--critic_model_name_or_path", tmp_path / "start")
    printed = run(train_critic, *flags, *start, "--output_dir", tmp_path / "critic")
    assert "4 samples of held-out problems" in printed
    assert Critic(str(tmp_path / "critic")).pooling == "max"
    assert len(AutoTokenizer.from_pretrained(tmp_path / "critic")) == len(tokenizer)
    with pytest.raises(ValueError, match="--samples needs --critic_model_name_or_path"):
        run(train_critic, *flags, "--output_dir", tmp_path / "other")
