"""The recipe of the paper: its values, and how they are replaced."""

import pytest

from trl_rltf import OnlineBuffer, RLTFTrainer
from trl_rltf.execution import Outcome
from trl_rltf.mini import make_mini_model
from trl_rltf.presets import paper, paper_buffer, paper_config, paper_reward


def test_the_configuration_has_the_values_of_the_paper(tmp_path):
    config = paper_config(str(tmp_path))
    assert config.output_dir == str(tmp_path)
    assert (config.baseline, config.ce_loss_weight, config.beta, config.scale_rewards) == ("greedy", 1.0, 0.0, "none")
    assert (config.learning_rate, config.weight_decay, config.warmup_steps) == (2e-6, 0.05, 500)
    assert (config.loss_type, config.lr_scheduler_type) == ("grpo", "polynomial")
    assert (config.temperature, config.top_p, config.num_generations) == (0.6, 0.95, 20)
    assert (config.max_prompt_length, config.max_completion_length) == (800, 512)
    assert config.disable_dropout
    assert config.generation_batch_size % config.num_generations == 0


def test_the_reward_has_the_values_of_the_paper(runner):
    reward = paper_reward(runner)
    assert reward.runner is runner
    assert reward.outcome_reward.coarse_rewards == {
        Outcome.PASS: 1.0,
        Outcome.FAILURE: -0.3,
        Outcome.RUNTIME_ERROR: -0.6,
        Outcome.SYNTAX_ERROR: -1.0,
    }
    assert (reward.outcome_reward.coarse_weight, reward.outcome_reward.adaptive_weight) == (1.0, 1.0)
    assert not reward.outcome_reward.adaptive_runtime_errors
    assert (reward.token_feedback, reward.token_weight, reward.normalize_span) == ("statement_penalty", 0.3, False)


def test_the_buffer_has_the_values_of_the_paper():
    buffer = paper_buffer()
    assert (buffer.capacity, buffer.update_steps, buffer.importance_sampling) == (6400, 50, False)


def test_each_value_can_be_replaced(tmp_path, runner):
    assert paper_config(str(tmp_path), learning_rate=1e-5).learning_rate == 1e-5
    assert paper_reward(runner, token_feedback="expression_penalty").token_feedback == "expression_penalty"
    assert paper_buffer(capacity=100).capacity == 100
    assert paper(str(tmp_path), runner=runner, max_steps=3)["args"].max_steps == 3


def test_the_trainer_takes_the_recipe(tmp_path, runner, problems):
    model, tokenizer = make_mini_model(problems, hidden_size=32, num_layers=1, vocab_size=400, architecture="t5")
    trainer = RLTFTrainer(
        model=model,
        train_dataset=problems,
        processing_class=tokenizer,
        **paper(str(tmp_path), runner=runner, report_to="none"),
    )
    assert trainer.args.learning_rate == 2e-6
    assert trainer.reward_func_names == ["unit_test_reward"]
    assert [type(callback) for callback in trainer.callback_handler.callbacks].count(OnlineBuffer) == 1


def test_the_recipe_needs_the_opt_in(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL"):
        paper(str(tmp_path))
    assert paper(str(tmp_path), allow_code_eval=True)["reward_funcs"].token_weight == 0.3
