"""The reward function that TRL's command line can name."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.rewards import unit_test_reward


SYNTAX_ERROR = "a = = 1\n"


def test_it_gives_the_share_of_tests_passed_and_credits_lines(tokenizer):
    sources = [SUM_PROGRAM, SYNTAX_ERROR]
    ids = [tokenizer(source)["input_ids"] for source in sources]
    rewards = unit_test_reward(
        prompts=["p", "p"],
        completions=sources,
        completion_ids=ids,
        tests=[SUM_TESTS] * 2,
        processing_class=tokenizer,
    )
    assert rewards == [1.0, 0.0]
    assert set(rewards[1].tokens) == {-0.5}  # its line did not parse; that of one in two programs did


def test_it_needs_the_opt_in_at_each_call(monkeypatch):
    assert unit_test_reward(completions=[SUM_PROGRAM], tests=[SUM_TESTS]) == [1.0]
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL")
    with pytest.raises(ValueError, match="`HF_ALLOW_CODE_EVAL=1`"):
        unit_test_reward(completions=[SUM_PROGRAM], tests=[SUM_TESTS])


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="no column `tests`"):
        unit_test_reward(completions=[SUM_PROGRAM])


@pytest.mark.slow
def test_trl_trains_with_it_by_its_path(tmp_path, problems, model, tokenizer):
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "data").mkdir()
    problems.to_json(tmp_path / "data" / "train.jsonl")
    command = [
        *(Path(sysconfig.get_path("scripts")) / "trl", "grpo", "--reward_funcs", "trl_rltf.rewards.unit_test_reward"),
        *("--dataset_name", "data", "--model_name_or_path", "model", "--output_dir", "out", "--max_steps", "2"),
        *("--per_device_train_batch_size", "4", "--num_generations", "2", "--max_completion_length", "16"),
        *("--logging_steps", "1", "--report_to", "none", "--use_cpu", "true", "--bf16", "false"),
    ]
    environment = {**os.environ, "HF_ALLOW_CODE_EVAL": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), environment.get("PYTHONPATH", "")])
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("'rewards/unit_test_reward/mean'") == 2
    assert result.stdout.count("'outcome/pass_ratio'") == 2
    assert (tmp_path / "out" / "model.safetensors").is_file()
