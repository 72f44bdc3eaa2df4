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
    *("--mixed_precision", "no", "--dynamo_backend", "no"),
]
QUICK = [
    *("--warm_start_steps", "2", "--max_steps", "2", "--per_device_train_batch_size", "4", "--num_generations", "2"),
    *("--max_completion_length", "16", "--eval_samples", "5", "--eval_problems", "2", "--logging_steps", "1"),
]


def launch(*flags, script="train_apps.py"):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    return subprocess.run(
        [*LAUNCH, str(ROOT / "examples" / script), *flags],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_the_embedded_default_ends_with_a_table_a_picture_and_a_model(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = launch(
        *QUICK, "--output_dir", str(tmp_path), "--use_buffer", "--buffer_capacity", "16", "--update_steps", "1"
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert re.search(r"pass@1.*%.*%.*[+-]\d+\.\d \[", result.stdout)
    assert re.search(r"pass@5.*%.*%.*[+-]\d+\.\d \[", result.stdout)
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
    assert "prompts of `train_dataset` have more than `max_prompt_length=64` tokens" in result.stderr
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["peft_type"] == "LORA"


def test_an_adapter_on_a_warm_start_is_loaded_with_the_weights_of_the_warm_start(tmp_path, monkeypatch):
    """Not with those of the model that the warm start began from, nor without any."""
    import torch
    from transformers import AutoModelForCausalLM
    from trl import ModelConfig

    flags = [
        "--use_peft",
        "--lora_target_modules",
        "q_proj",
        "v_proj",
        "--save_strategy",
        "steps",
        "--save_steps",
        "1",
    ]
    result = launch(*QUICK, *flags, "--output_dir", str(tmp_path))
    assert result.returncode == 0, result.stderr[-3000:]
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from _models import load_policy

    warm = AutoModelForCausalLM.from_pretrained(tmp_path / "warm-start").state_dict()
    for folder in (tmp_path, tmp_path / "checkpoint-2"):
        model, tokenizer = load_policy(ModelConfig(model_name_or_path=str(folder), dtype="float32"))
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, warm[name])}
        assert changed
        assert all(re.search(r"[qv]_proj", name) for name in changed)
        assert len(tokenizer) == model.config.vocab_size


def test_an_encoder_decoder_goes_through_both_stages_and_resumes_from_its_warm_start(tmp_path):
    from transformers import T5ForConditionalGeneration

    flags = [
        *(*QUICK, "--architecture", "t5", "--output_dir", str(tmp_path), "--use_buffer", "--buffer_capacity", "16"),
        *("--ce_loss_weight", "1", "--baseline", "greedy", "--save_strategy", "steps", "--save_steps", "1"),
    ]
    result = launch(*flags)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "240" not in result.stdout
    warm = T5ForConditionalGeneration.from_pretrained(tmp_path / "warm-start").state_dict()
    trained = T5ForConditionalGeneration.from_pretrained(tmp_path).state_dict()
    assert all(not warm[name].equal(trained[name]) for name in warm)
    again = launch(*flags, "--resume_from_checkpoint", str(tmp_path / "checkpoint-1"))
    assert again.returncode == 0, again.stderr[-3000:]
    assert "/2 [" in again.stderr
    resumed = T5ForConditionalGeneration.from_pretrained(tmp_path).state_dict()
    assert all(trained[name].equal(resumed[name]) for name in trained)


def test_an_instruction_model_trains_on_mbpp_with_chat_prompts(tmp_path, pretrained, tokenizer, shared_data):
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}"
    try:
        tokenizer.save_pretrained(pretrained)
    finally:
        tokenizer.chat_template = None
    result = launch(
        *("--model_name_or_path", str(pretrained), "--dataset_name", str(shared_data / "mbpp" / "mbpp.jsonl")),
        *(
            "--prompt_style",
            "chat",
            "--per_device_train_batch_size",
            "2",
            "--num_generations",
            "2",
            "--max_steps",
            "1",
        ),
        *("--max_completion_length", "8", "--eval_samples", "1", "--eval_problems", "2", "--report_to", "none"),
        *("--warm_start_steps", "1", "--warm_start_batch_size", "2", "--output_dir", str(tmp_path / "out")),
        script="train_mbpp.py",
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert re.search(r"2 held-out problems", result.stdout)


@pytest.mark.parametrize("name", ["codet5_770m", "codegen_2.7b"])
def test_the_presets_are_the_settings_of_the_paper(name, tmp_path, monkeypatch, runner):
    from trl import ModelConfig, TrlParser

    from trl_rltf import RLTFConfig
    from trl_rltf.presets import paper_config, paper_reward

    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from _training import ProblemArguments, unit_test_reward

    parser = TrlParser((ProblemArguments, RLTFConfig, ModelConfig))
    config = str(ROOT / "examples" / "configs" / f"{name}.yaml")
    script_args, training_args, _ = parser.parse_args_and_config(["--config", config, "--output_dir", str(tmp_path)])
    paper = paper_config(output_dir=str(tmp_path))
    given = (
        "baseline ce_loss_weight loss_type scale_rewards beta learning_rate weight_decay lr_scheduler_type warmup_steps "
        "temperature top_p num_generations max_completion_length"
    )
    for setting in given.split():
        assert getattr(training_args, setting) == getattr(paper, setting), setting
    assert (script_args.buffer_capacity, script_args.update_steps) == (6400, 50)
    reward, expected = vars(unit_test_reward(script_args, runner)), vars(paper_reward(runner))
    assert reward == expected
    whole_groups = training_args.per_device_train_batch_size * training_args.steps_per_generation
    assert whole_groups % training_args.num_generations == 0


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
