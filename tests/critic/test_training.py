"""Training a critic on graded samples, and its accuracy."""

import json
import random

import pytest
import torch
from datasets import Dataset
from transformers import TrainingArguments

from trl_rltf.critic import Critic
from trl_rltf.critic.model import LABELS
from trl_rltf.critic.training import CriticTrainer, evaluate_critic, graded_only, read_graded_samples, split_by_problem
from trl_rltf.mini import make_mini_critic


SAMPLE = {"prompt": "Add.", "completion": "x = 1\n", "outcome": "FAILURE", "problem_id": "p"}


def separable(number, seed):
    """Programs with a line in the middle that decides their outcome."""
    rng = random.Random(seed)
    words = dict(zip(("for for\n", "x[9]\n", "print(5)\n", "x = 1\n"), LABELS, strict=True))
    rows = []
    for _ in range(number):
        word = rng.choices(list(words), [1, 1, 1, 2])[0]
        lines = [rng.choice(("y = 2\n", "z = [3]\n")) for _ in range(4)]
        rows.append({"prompt": "Add.", "completion": "".join([*lines[:2], word, *lines[2:]])})
        rows[-1]["outcome"] = words[word]
    return Dataset.from_list(rows)


@pytest.fixture
def train(tmp_path, tokenizer):
    def run(samples, steps=100, model=None, **options):
        args = TrainingArguments(
            output_dir=str(tmp_path), max_steps=steps, per_device_train_batch_size=16, learning_rate=3e-3, report_to="none",
            save_strategy="no", disable_tqdm=True, use_cpu=True, dataloader_pin_memory=False,
        )  # fmt: skip
        model = model or make_mini_critic(tokenizer, hidden_size=64, num_layers=1)
        trainer = CriticTrainer(model, args, samples, tokenizer, **options)
        if steps:
            trainer.train()
        return trainer

    return run


@pytest.mark.parametrize("pooling", ["last", "max"])
def test_a_critic_learns_outcomes_that_the_program_shows(train, tokenizer, pooling):
    trainer = train(separable(200, 0), pooling=pooling)
    result = evaluate_critic(Critic(trainer.model, tokenizer), separable(80, 1))
    assert result.majority < 0.6
    assert result.accuracy > 0.9
    assert sum(result.counts.values()) == 80


def test_the_probability_of_an_error_is_high_only_after_its_line(train, tokenizer):
    critic = Critic(train(separable(200, 0)).model, tokenizer)
    text = "y = 2\nz = [3]\nx[9]\ny = 2\n"
    (output,) = critic([""], [text])
    before, after = output.at_tokens([(text.index("z"), text.index("z") + 1), (len(text) - 2, len(text))], 1)
    assert before < 0.6
    assert after > 0.9


def test_the_tokens_of_the_completion_and_its_end_are_labelled_with_the_outcome(train, tokenizer):
    trainer = train(Dataset.from_list([SAMPLE]), steps=0)
    (row,) = list(trainer.train_dataset)
    completion = tokenizer("x = 1\n")["input_ids"]
    assert row["input_ids"] == [
        tokenizer.bos_token_id, *tokenizer("Add.")["input_ids"], *completion, tokenizer.eos_token_id
    ]  # fmt: skip
    num_prompt = len(row["input_ids"]) - len(completion) - 1
    assert row["labels"] == [-100] * num_prompt + [LABELS.index("FAILURE")] * (len(completion) + 1)


@pytest.mark.parametrize("pooling", ["last", "max"])
def test_the_loss_is_the_one_worked_out_by_hand(train, tokenizer, pooling):
    rows = [SAMPLE, SAMPLE | {"completion": "y = 22 + 33\n", "outcome": "PASS"}]
    trainer = train(Dataset.from_list(rows), steps=0, pooling=pooling)
    trainer.model.eval()
    batch = trainer.data_collator(list(trainer.train_dataset))
    loss = trainer.compute_loss(trainer.model, dict(batch))
    losses = []
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        ids, labels = ids[ids != tokenizer.pad_token_id], labels[: int((ids != tokenizer.pad_token_id).sum())]
        logits = trainer.model(ids[None]).logits[0][labels != -100]
        label = labels[-1]
        each = -logits.log_softmax(-1)[:, label] if pooling == "last" else -logits.amax(0).log_softmax(-1)[label, None]
        losses.append(each)
    torch.testing.assert_close(loss, torch.cat(losses).mean())


def test_pooling_is_saved_with_the_model(train, tmp_path, tokenizer):
    trainer = train(Dataset.from_list([SAMPLE]), steps=1, pooling="max")
    trainer.save_model(str(tmp_path / "critic"))
    assert Critic(str(tmp_path / "critic")).pooling == "max"


def test_every_parameter_of_the_critic_moves(train, tokenizer):
    model = make_mini_critic(tokenizer, hidden_size=32, num_layers=2)
    before = [value.detach().clone() for value in model.parameters()]
    trainer = train(separable(16, 0), steps=1, model=model)
    assert not any(map(torch.equal, before, trainer.model.parameters()))


def test_accumulated_batches_give_the_same_step(tmp_path, tokenizer):
    weights = []
    samples = Dataset.from_list([SAMPLE | {"outcome": label} for label in LABELS])
    for size, steps in ((4, 1), (2, 2)):
        model = make_mini_critic(tokenizer, hidden_size=32, num_layers=1).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        args = TrainingArguments(
            output_dir=str(tmp_path), max_steps=1, per_device_train_batch_size=size, gradient_accumulation_steps=steps,
            learning_rate=0.1, optim="sgd", max_grad_norm=0.0, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=True,
            dataloader_pin_memory=False,
        )  # fmt: skip
        CriticTrainer(model, args, samples, tokenizer).train()
        weights.append(torch.cat([value.detach().flatten() for value in model.parameters()]))
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-6)


def test_samples_come_from_a_file(tmp_path):
    chat = {
        "prompt": [{"role": "user", "content": "Add."}],
        "completion": [{"role": "assistant", "content": "x"}],
        "outcome": "NOT_GRADABLE",
        "other": 3,
    }
    path = tmp_path / "samples.jsonl"
    path.write_text(f"{json.dumps(SAMPLE)}\n\n{json.dumps(chat)}\n")
    samples = read_graded_samples(path)
    assert samples[0] == SAMPLE
    assert (samples[1]["prompt"], samples[1]["completion"]) == ("Add.", "x")
    assert [row["outcome"] for row in graded_only(samples)] == ["FAILURE"]


def test_a_sample_without_a_prompt_gets_that_of_its_problem(tmp_path):
    rows = [{key: value for key, value in SAMPLE.items() if key != "prompt"}, SAMPLE]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    samples = read_graded_samples(path, {"p": "The prompt of p."})
    assert samples["prompt"][:] == ["The prompt of p.", "Add."]
    with pytest.raises(ValueError, match="line 1 has no prompt"):
        read_graded_samples(path, {"q": ""})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"prompt": "", "completion": ""}',
            "line 2 has no outcome; it has .*A sample needs prompt, completion, outcome",
        ),
        (
            '{"prompt": "", "completion": "", "outcome": "passed"}',
            "line 2: the outcome is 'passed', but must be one of SYNTAX",
        ),
        ("prompt", "line 2: .*must be a JSON object"),
        ('["prompt"]', "line 2: found a list, but each line must be a JSON object"),
    ],
)
def test_an_invalid_line_is_named(tmp_path, line, message):
    path = tmp_path / "samples.jsonl"
    path.write_text(f"{json.dumps(SAMPLE)}\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_graded_samples(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "binary.jsonl").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"binary\.jsonl: not UTF-8 text"):
        read_graded_samples(tmp_path / "binary.jsonl")
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*missing.jsonl'. Give graded samples"):
        read_graded_samples(tmp_path / "missing.jsonl")


def test_samples_without_a_graded_one_are_refused(train):
    with pytest.raises(ValueError, match="None of the 1 samples has been graded"):
        train(Dataset.from_list([SAMPLE | {"outcome": "NOT_GRADABLE"}]))


def test_held_out_samples_are_of_other_problems():
    samples = Dataset.from_list([SAMPLE | {"problem_id": f"p{i % 10}"} for i in range(40)])
    train_set, test_set = split_by_problem(samples, test_size=0.2, seed=3)
    assert (len(train_set), len(test_set)) == (32, 8)
    assert not set(train_set["problem_id"]) & set(test_set["problem_id"])
    assert split_by_problem(samples, test_size=0.2, seed=3)[1]["problem_id"] == test_set["problem_id"]
    with pytest.raises(ValueError, match="of one problem"):
        split_by_problem(samples.select([0, 10]))


def test_an_unknown_pooling_and_other_labels_are_refused(train, tokenizer):
    with pytest.raises(ValueError, match="`pooling` is 'mean'"):
        train(Dataset.from_list([SAMPLE]), pooling="mean")
    model = make_mini_critic(tokenizer, hidden_size=32, num_layers=1)
    model.config.label2id = {"LABEL_0": 0, "LABEL_1": 1}
    with pytest.raises(ValueError, match="but must have SYNTAX_ERROR"):
        train(Dataset.from_list([SAMPLE]), model=model)
