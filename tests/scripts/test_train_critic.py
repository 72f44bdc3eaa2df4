"""The example that trains a critic, and its critic in a run."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from trl_rltf.critic import Critic
from trl_rltf.mini import make_mini_critic


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_without_a_flag_a_tiny_critic_learns(tmp_path):
    flags = (
        "--warm_start_steps", "1", "--max_steps", "1", "--num_samples", "1", "--eval_problems", "3",
        "--max_completion_length", "8", "--output_dir", str(tmp_path / "critic"),
    )  # fmt: skip
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "train_critic.py"), *flags],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert re.search(r"SYNTAX_ERROR.*3.*%", result.stdout)
    assert re.search(r"always the most frequent one.*%", result.stdout)
    rows = [json.loads(line) for line in (tmp_path / "critic" / "samples-train.jsonl").read_text().splitlines()]
    assert len(rows) == 416
    assert {"prompt", "completion", "outcome", "problem_id"} == set(rows[0])
    assert Critic(str(tmp_path / "critic"))([""], ["x"])[0].verdict.sum().item() == pytest.approx(1.0)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example in this process, which has everything imported already, and return what it printed."""

    def start(script, *flags):
        monkeypatch.setattr(sys, "argv", [script, *map(str, flags), "--report_to", "none", "--disable_tqdm", "True"])
        monkeypatch.syspath_prepend(str(EXAMPLES))
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out

    return start


def test_a_critic_starts_from_the_weights_of_the_policy_and_weighs_its_rewards(tmp_path, model, tokenizer, run):
    model.save_pretrained(tmp_path / "policy")
    tokenizer.save_pretrained(tmp_path / "policy")
    common = ("--model_name_or_path", tmp_path / "policy", "--max_completion_length", 8, "--max_steps", 1)
    printed = run(
        "train_critic.py", *common, "--num_samples", 1, "--eval_problems", 2, "--use_cpu", "--output_dir", tmp_path / "critic"
    )  # fmt: skip
    assert "2 samples of held-out problems" in printed
    config = json.loads((tmp_path / "critic" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForTokenClassification"]
    printed = run(
        "train_apps.py", *common, "--critic_model_name_or_path", tmp_path / "critic", "--num_generations", 2,
        "--per_device_train_batch_size", 4, "--eval_samples", 1, "--eval_problems", 2, "--logging_steps", 1,
        "--output_dir", tmp_path / "out",
    )  # fmt: skip
    assert "'critic/accuracy'" in printed
    assert "'token_weights/mean'" in printed


def test_a_critic_learns_from_a_file_of_samples(tmp_path, tokenizer, run):
    make_mini_critic(tokenizer, hidden_size=32, num_layers=1).save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    rows = [
        {"prompt": f"problem {i % 5}", "completion": f"print({i})", "outcome": "PASS" if i % 2 else "FAILURE"}
        for i in range(20)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    flags = ("--samples", path, "--max_steps", 1, "--use_cpu", "--pooling", "max", "--max_length", 32)
    printed = run(
        "train_critic.py",
        *flags,
        "--critic_model_name_or_path",
        tmp_path / "start",
        "--output_dir",
        tmp_path / "critic",
    )
    assert "4 samples of held-out problems" in printed
    assert Critic(str(tmp_path / "critic")).pooling == "max"
    with pytest.raises(SystemExit, match="--samples needs --critic_model_name_or_path"):
        run("train_critic.py", *flags, "--output_dir", tmp_path / "other")
