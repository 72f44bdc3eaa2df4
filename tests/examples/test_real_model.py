"""The training of a real model: both arms on a tiny one, and a run that is continued."""

import copy
import json
import sys

import architectures
import pytest
import torch
import trl.trainer.utils
from benchmarks import real_model
from benchmarks.head_on_cpu import FullLogits

from trl_rltf import RLTFTrainer


@pytest.fixture
def train(tmp_path, monkeypatch, write_problems):
    """Run the command on a tiny model and two short problems; a third has a long prompt."""
    model, tokenizer = architectures.make("llama")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    write_problems(tmp_path / "mbpp.jsonl", ["Add.", "Add one.", "Add. " * 200])
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    # The command changes TRL for the process, which runs other tests too: these are restored.
    for name in ("_use_triton", "_ChunkedLogProbFunction"):
        monkeypatch.setattr(trl.trainer.utils, name, getattr(trl.trainer.utils, name))

    def run(*flags):
        command = ["--model_name_or_path", tmp_path / "model", "--dataset_name", tmp_path / "mbpp.jsonl"]
        command += ["--output_dir", tmp_path / "run", "--samples_per_step", 4, "--num_generations", 2]
        command += ["--micro_batch_size", 2, "--max_completion_length", 8, "--save_steps", 1, *flags]
        monkeypatch.setattr(sys, "argv", ["train_real_model.py", *map(str, command)])
        real_model.main()
        checkpoints = sorted(path.name for path in (tmp_path / "run").glob("checkpoint-*"))
        state = json.loads((tmp_path / "run" / checkpoints[-1] / "trainer_state.json").read_text())
        return checkpoints, state["log_history"]

    return run


def test_plain_grpo_learns_from_a_number_and_has_no_reference_solutions(train):
    _, log = train("--arm", "grpo", "--max_steps", 1)
    assert "outcome/syntax_error" in log[0]
    assert not any(name.startswith("loss/ce") for name in log[0])


def test_the_same_command_with_more_steps_continues_the_run(train):
    checkpoints, _ = train("--ce_loss_weight", 10, "--max_steps", 1)
    assert checkpoints == ["checkpoint-1"]
    checkpoints, log = train("--ce_loss_weight", 10, "--max_steps", 2)
    assert checkpoints == ["checkpoint-1", "checkpoint-2"]
    assert [row["step"] for row in log] == [1, 2]
    assert all(row["loss/ce"] > 0 for row in log)


def test_adapters_of_the_default_trainer_are_trained_on_short_prompts(train, monkeypatch):
    trainers = []
    monkeypatch.setattr(RLTFTrainer, "train", lambda trainer, **_: trainers.append(trainer))
    with pytest.raises(IndexError):  # nothing is saved
        train("--max_steps", 1)
    (trainer,) = trainers
    assert len(trainer.train_dataset) == 2
    assert {name.split(".")[-4] for name, weight in trainer.model.named_parameters() if weight.requires_grad} == {
        "q_proj", "k_proj", "v_proj", "o_proj",
    }  # fmt: skip


def test_a_batch_that_cannot_be_divided_is_refused(train):
    with pytest.raises(SystemExit, match="must be a multiple"):
        train("--samples_per_step", 5)


def test_the_answer_of_an_instruction_model_begins_with_a_code_block(tmp_path, write_problems):
    tokenizer = copy.deepcopy(architectures.make("llama")[1])  # other tests share it
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    write_problems(tmp_path / "mbpp.jsonl", ["Add one."])
    args = real_model.RealModelArguments(dataset_name=str(tmp_path / "mbpp.jsonl"))
    (prompt,) = real_model.load_prompts(args, tokenizer)["prompt"]
    assert prompt.startswith("<user>Solve this problem with one Python program in a Markdown code block.\n\n")
    assert prompt.endswith("assert f(1) == 2</s><assistant>```python\n")


def test_log_probs_from_full_logits_are_those_of_trl():
    """Also the entropies, and the gradients of the hidden states."""
    generator = torch.Generator().manual_seed(0)
    hidden, weight, gradient = (torch.randn(*shape, generator=generator) for shape in ((5, 8), (40, 8), (5,)))
    targets = torch.randint(40, (5,), generator=generator)
    found = []
    for function in (trl.trainer.utils._ChunkedLogProbFunction, FullLogits):
        states = hidden.clone().requires_grad_()
        log_probs, entropies, *_ = function.apply(
            states, weight, None, targets, 0.7, 16, None, 1.0, ("log_probs", "entropy")
        )
        log_probs.backward(gradient)
        found.append((log_probs.detach(), entropies.detach(), states.grad))
    for expected, value in zip(*found, strict=True):
        torch.testing.assert_close(value, expected)


def test_outputs_that_full_logits_lack_are_refused():
    with pytest.raises(NotImplementedError, match="other than log-probabilities and entropies"):
        FullLogits.apply(torch.ones(1, 2), torch.ones(3, 2), None, torch.tensor([0]), 1.0, 4, None, 1.0, ("is_top1",))
