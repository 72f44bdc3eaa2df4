"""The examples, started as a user starts them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
LAUNCH = [
    *(sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", str(ROOT / "examples" / "train_apps.py")),
]
QUICK = [
    *("--warm_start_steps", "2", "--max_steps", "2", "--per_device_train_batch_size", "4", "--num_generations", "2"),
    *("--max_completion_length", "16", "--eval_samples", "5", "--eval_problems", "2", "--logging_steps", "1"),
]


def launch(*flags):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    return subprocess.run([*LAUNCH, *flags], env=environment, capture_output=True, text=True, timeout=280, check=False)


def test_the_embedded_default_ends_with_a_table_a_picture_and_a_model(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = launch(
        *QUICK, "--output_dir", str(tmp_path), "--use_buffer", "--buffer_capacity", "16", "--update_steps", "1"
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert re.search(r"pass@1.*%.*%.*points", result.stdout)
    assert re.search(r"pass@5.*%.*%.*points", result.stdout)
    assert re.search(r"SYNTAX_ERROR.*%", result.stdout)
    assert (tmp_path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.num_parameters() > 1_000_000
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == model.config.vocab_size


@pytest.fixture
def pretrained(tmp_path, model, tokenizer):
    """A local model, as a stand-in for one from the Hub."""
    folder = tmp_path / "start"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_any_causal_model_trains_with_lora_on_a_folder_in_the_layout_of_apps(tmp_path, pretrained, shared_data):
    import json

    result = launch(
        *("--model_name_or_path", str(pretrained), "--dataset_name", str(shared_data / "apps"), "--use_peft"),
        *("--lora_target_modules", "q_proj", "v_proj", "--difficulties", "introductory", "--max_prompt_length", "64"),
        *("--per_device_train_batch_size", "2", "--num_generations", "2", "--max_steps", "1", "--logging_steps", "1"),
        *("--max_completion_length", "8", "--eval_samples", "1", "--eval_problems", "2", "--report_to", "none"),
        *("--output_dir", str(tmp_path / "out")),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "has no split 'test'" in result.stdout
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["peft_type"] == "LORA"


def test_a_folder_that_is_not_there_ends_with_a_sentence(tmp_path, pretrained):
    result = launch(
        "--model_name_or_path", str(pretrained), "--dataset_name", "./nowhere", "--output_dir", str(tmp_path)
    )
    assert result.returncode != 0
    assert "there is no folder 'nowhere'" in result.stderr


def test_the_benchmark_of_the_trainer_runs(tmp_path):
    command = [
        sys.executable,
        str(ROOT / "examples" / "bench_trainer.py"),
        "--rounds",
        "1",
        "--steps",
        "3",
        "--num_batches",
        "2",
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "step of RLTFTrainer / step of GRPOTrainer" in result.stdout
    assert "localise" in result.stdout
