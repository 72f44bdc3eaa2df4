"""The training script: the demo, models with and without adapters, problems, rewards and presets."""

import json
import re

import pytest
import torch
from source import ROOT
from transformers import AutoModelForCausalLM, AutoTokenizer, T5ForConditionalGeneration
from trl import ModelConfig

from trl_rltf import CriticRewardFunction, OnlineBuffer, UnitTestRewardFunction
from trl_rltf.mini import make_mini_critic
from trl_rltf.presets import paper_config, paper_reward
from trl_rltf.scripts import RLTFScriptArguments, load_policy, load_problems, train


QUICK = [
    *("--warm_start_steps", "2", "--max_steps", "2", "--per_device_train_batch_size", "4", "--num_generations", "2"),
    *("--max_completion_length", "16", "--eval_samples", "5", "--eval_problems", "2", "--logging_steps", "1"),
    *("--disable_tqdm", "True", "--warm_start_batch_size", "4"),
]
TINY = [
    *("--per_device_train_batch_size", "2", "--num_generations", "2", "--max_steps", "1", "--logging_steps", "1"),
    *("--max_completion_length", "8", "--eval_samples", "1", "--eval_problems", "2", "--report_to", "none"),
    *("--gradient_checkpointing", "False", "--dataloader_pin_memory", "False", "--disable_tqdm", "True"),
]


def logged(folder):
    """Log history of a finished training."""
    return json.loads((folder / "training_results.json").read_text())["history"]


def test_the_demo_ends_with_a_table_a_picture_and_a_model(run, tmp_path, few_problems):
    buffer = ("--use_buffer", "--buffer_capacity", "16", "--update_steps", "1")
    printed = run(train, *QUICK, *buffer, "--output_dir", tmp_path)
    assert re.search(r"pass@1.*%.*%.*[+-]\d+\.\d \[", printed)
    assert re.search(r"pass@5.*%.*%.*[+-]\d+\.\d \[", printed)
    assert re.search(r"SYNTAX_ERROR.*%", printed)
    assert re.search(r"step 2/2 .*tests \d+ % \| pass \d+ %", printed)
    assert "{'" not in printed
    assert any("buffer/size" in row for row in logged(tmp_path))
    assert (tmp_path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.num_parameters() > 1_000_000
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == model.config.vocab_size


def test_held_out_problems_and_audit_tests_are_followed_while_it_trains(run, tmp_path, few_problems):
    flags = ("--eval_strategy", "steps", "--eval_steps", "2", "--audit_tests", "0.4", "--max_generation_batches", "2")
    printed = run(train, *QUICK, *flags, "--curriculum_probability", "0.5", "--output_dir", tmp_path)
    assert re.search(r"step 2/2 .*held-out pass@1 \d+ %", printed)
    for name in ("eval_pass@1", "eval_pass@2", "audit/gap", "groups/generated", "prompts/seen"):
        assert any(name in row for row in logged(tmp_path)), name


def test_an_adapter_on_a_warm_start_is_loaded_with_the_weights_of_the_warm_start(run, tmp_path, few_problems):
    adapter = (
        "--use_peft",
        "--lora_target_modules",
        "q_proj",
        "v_proj",
        "--save_strategy",
        "steps",
        "--save_steps",
        "1",
    )
    run(train, *QUICK, *adapter, "--ce_loss_weight", "1", "--output_dir", tmp_path)
    warm = AutoModelForCausalLM.from_pretrained(tmp_path / "warm-start").state_dict()
    for folder in (tmp_path, tmp_path / "checkpoint-2"):
        model, tokenizer = load_policy(ModelConfig(model_name_or_path=str(folder), dtype="float32"))
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, warm[name])}
        assert changed
        assert all(re.search(r"[qv]_proj", name) for name in changed)
        assert len(tokenizer) == model.config.vocab_size


def test_an_encoder_decoder_is_warmed_up_trained_and_resumed(run, tmp_path, few_problems):
    flags = [
        *(*QUICK, "--architecture", "t5", "--output_dir", tmp_path, "--use_buffer", "--buffer_capacity", "16"),
        *("--ce_loss_weight", "1", "--baseline", "greedy", "--save_strategy", "steps", "--save_steps", "1"),
    ]
    run(train, *flags)
    warm = T5ForConditionalGeneration.from_pretrained(tmp_path / "warm-start").state_dict()
    trained = T5ForConditionalGeneration.from_pretrained(tmp_path).state_dict()
    assert all(not warm[name].equal(trained[name]) for name in warm)
    printed = run(train, *flags, "--resume_from_checkpoint", tmp_path / "checkpoint-1")
    assert set(re.findall(r"step (\d)/2", printed)) == {"2"}  # the second of two steps, and its evaluation
    resumed = T5ForConditionalGeneration.from_pretrained(tmp_path).state_dict()
    assert all(trained[name].equal(resumed[name]) for name in trained)


def test_a_causal_model_trains_with_lora_on_a_folder_in_the_layout_of_apps(
    run, tmp_path, pretrained, shared_data, caplog
):
    flags = (
        *("--model_name_or_path", pretrained, "--dataset_name", shared_data / "apps", "--use_peft", *TINY),
        *("--lora_target_modules", "q_proj", "v_proj", "--difficulties", "introductory", "--max_prompt_length", "64"),
    )
    printed = run(train, *flags, "--output_dir", tmp_path / "out")
    assert "prompts of `train_dataset` have more than `max_prompt_length=64` tokens" in caplog.text
    assert "has no split 'test'" in printed
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["peft_type"] == "LORA"


def test_an_instruction_model_is_warmed_up_and_trained_on_mbpp_with_chat_prompts(
    run, tmp_path, pretrained, shared_data
):
    tokenizer = AutoTokenizer.from_pretrained(pretrained)
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}"
    tokenizer.save_pretrained(pretrained)
    printed = run(
        train,
        *(
            "--benchmark",
            "mbpp",
            "--dataset_name",
            shared_data / "mbpp" / "mbpp.jsonl",
            "--prompt_style",
            "chat",
            *TINY,
        ),
        *("--model_name_or_path", pretrained, "--warm_start_steps", "1", "--warm_start_batch_size", "2"),
        *("--output_dir", tmp_path / "out"),
    )
    assert "2 held-out problems" in printed


@pytest.mark.parametrize("problems", [("--dataset_name", "problems"), ("--benchmark", "mbpp")])
def test_problems_without_a_model_are_refused(run, tmp_path, problems):
    with pytest.raises(ValueError, match="no `model_name_or_path`"):
        run(train, *problems, "--output_dir", tmp_path)


def test_a_missing_folder_of_problems_is_named(run, tmp_path, pretrained):
    with pytest.raises(FileNotFoundError, match="there is no file or folder 'nowhere'"):
        run(train, "--model_name_or_path", pretrained, "--dataset_name", "./nowhere", "--output_dir", tmp_path)


def test_problems_of_a_difficulty_are_a_part_of_mini_apps():
    everything, _ = load_problems(RLTFScriptArguments())
    train_set, test_set = load_problems(RLTFScriptArguments(difficulties=["interview"], eval_problems=3))
    assert set(train_set["difficulty"]) == set(test_set["difficulty"]) == {"interview"}
    assert set(train_set["problem_id"]) < set(everything["problem_id"])
    assert len(test_set) == 3
    with pytest.raises(ValueError, match="'hard'"):
        load_problems(RLTFScriptArguments(difficulties=["hard"]))


def rules(reward):
    return reward.outcome_reward, reward.token_feedback, reward.token_weight


def test_the_rewards_are_those_of_the_arguments(runner, tokenizer, tmp_path):
    reward = train.make_reward(RLTFScriptArguments(), runner)
    assert isinstance(reward, UnitTestRewardFunction)
    assert rules(reward) == rules(UnitTestRewardFunction(runner))
    reward = train.make_reward(RLTFScriptArguments(token_weight=0.0, adaptive_weight=0.5), runner)
    assert (reward.token_weight, reward.outcome_reward.adaptive_weight) == (0.0, 0.5)
    for paper_feedback in (False, True):
        reward = train.make_reward(RLTFScriptArguments(audit_tests=0.3, paper_feedback=paper_feedback), runner)
        assert reward.audit_tests == 0.3
    reward = train.make_reward(RLTFScriptArguments(paper_feedback=True), runner)
    assert rules(reward) == rules(paper_reward(runner))
    reward = train.make_reward(RLTFScriptArguments(paper_feedback=True, token_feedback="expression_penalty"), runner)
    assert rules(reward) == rules(paper_reward(runner, token_feedback="expression_penalty"))
    make_mini_critic(tokenizer, hidden_size=32, num_layers=1).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reward = train.make_reward(RLTFScriptArguments(critic_model_name_or_path=str(tmp_path)), runner)
    assert isinstance(reward, CriticRewardFunction)


def test_there_is_a_buffer_if_the_arguments_ask_for_one():
    assert train.make_callbacks(RLTFScriptArguments()) is None
    (buffer,) = train.make_callbacks(RLTFScriptArguments(use_buffer=True, buffer_capacity=40, update_steps=3))
    assert isinstance(buffer, OnlineBuffer)
    assert (buffer.capacity, buffer.update_steps) == (40, 3)


@pytest.mark.parametrize("name", ["codet5_770m", "codegen_2.7b"])
def test_the_configuration_files_have_the_settings_of_the_paper(name, tmp_path, runner):
    config = ROOT / "examples" / "cli_configs" / f"{name}.yaml"
    arguments = ["--config", str(config), "--output_dir", str(tmp_path)]
    script_args, training_args, _ = train.make_parser().parse_args_and_config(arguments)
    paper = paper_config(output_dir=str(tmp_path))
    given = (
        "baseline ce_loss_weight loss_type scale_rewards beta learning_rate weight_decay lr_scheduler_type warmup_steps "
        "temperature top_p num_generations max_completion_length"
    )
    for setting in given.split():
        assert getattr(training_args, setting) == getattr(paper, setting), setting
    assert (script_args.buffer_capacity, script_args.update_steps) == (6400, 50)
    assert rules(train.make_reward(script_args, runner)) == rules(paper_reward(runner))
    whole_groups = training_args.per_device_train_batch_size * training_args.steps_per_generation
    assert whole_groups % training_args.num_generations == 0
