"""What the cross entropy of reference solutions is taken of."""

import copy
import json

import pytest
import torch
from support import Spy, by_length, history
from torch.nn.functional import cross_entropy

from trl_rltf import OnlineBuffer, UnitTestRewardFunction


def references(batches, tokenizer):
    """Prompt and solution of each reference in these batches, as text."""
    return [
        tuple(
            tokenizer.decode(batch[f"{name}_ids"][row][batch[f"{name}_mask"][row].bool()], skip_special_tokens=True)
            for name in ("reference_prompt", "reference")
        )
        for batch in batches
        for row in range(len(batch["reference_ids"]))
    ]


@pytest.fixture
def pairs(problems):
    """Prompt and solution of each reference solution of the problems."""
    return {(row["prompt"], solution) for row in problems for solution in row["solutions"]}


@pytest.mark.parametrize("buffer", [None, OnlineBuffer(capacity=8, update_steps=2)])
def test_they_come_from_all_of_the_training_set(make_trainer, problems, tokenizer, pairs, buffer):
    """One prompt a batch, but references of many, each with its own prompt, also after they have waited in a buffer."""
    callbacks = None if buffer is None else [buffer]
    trainer = make_trainer(by_length, callbacks, ce_loss_weight=1.0, max_steps=6, max_completion_length=200)
    spy = Spy(trainer)
    trainer.train()
    found = references(spy.batches, tokenizer)
    assert set(found) <= pairs
    assert len({prompt for prompt, _ in found}) > 6
    assert all(len(set(batch["prompt_ids"].tolist()[0])) > 1 for batch in spy.batches)


def test_of_each_problem_the_solution_is_taken_that_the_policy_is_nearest_to(make_trainer, model, problems, tokenizer):
    policy = copy.deepcopy(model)

    def loss(prompt, solution):
        begin, ids = (tokenizer(text, return_tensors="pt")["input_ids"] for text in (prompt, solution))
        ids = torch.cat([ids, torch.tensor([[tokenizer.eos_token_id]])], 1)
        logits = policy(input_ids=torch.cat([begin, ids], 1)).logits[0, begin.size(1) - 1 : -1]
        return cross_entropy(logits, ids[0]).item()

    trainer = make_trainer(by_length, ce_loss_weight=1.0, max_steps=1, max_completion_length=200)
    spy = Spy(trainer)
    trainer.train()
    solutions = dict(zip(problems["prompt"], problems["solutions"], strict=True))
    found = references(spy.batches, tokenizer)
    assert len(found) == 4
    for prompt, solution in found:
        losses = {candidate: loss(prompt, candidate) for candidate in solutions[prompt]}
        assert len(losses) == 3
        assert losses[solution] == min(losses.values())


def test_they_are_in_the_loss_unless_somebody_says_otherwise(make_trainer, model):
    logged = {}
    for weight in (None, 10.0, 0.0):
        trainer = make_trainer(by_length, ce_loss_weight=weight, max_steps=1, model_override=copy.deepcopy(model))
        trainer.train()
        logged[weight] = history(trainer, "loss/ce"), history(trainer, "loss/rl"), history(trainer, "loss")
    assert logged[None] == logged[10.0]
    (reference_loss,), (reinforce,), (total,) = logged[None]
    assert total == pytest.approx(reinforce + 10 * reference_loss, rel=1e-4)
    assert logged[0.0][:2] == ([], [])


@pytest.mark.parametrize("kind", ["no column", "text", "a stream"])
def test_without_reference_solutions_training_goes_on_without_them(make_trainer, problems, kind):
    dataset = {
        "no column": lambda: problems.remove_columns("solutions"),
        "text": lambda: problems.map(lambda row: {"solutions": json.dumps(row["solutions"])}),
        "a stream": lambda: problems.to_iterable_dataset(),
    }[kind]()
    trainer = make_trainer(by_length, ce_loss_weight=None, max_steps=1, dataset=dataset)
    trainer.train()
    assert history(trainer, "loss/ce") == []


def test_those_of_a_stream_are_those_of_the_batch(make_trainer, problems, tokenizer):
    trainer = make_trainer(
        by_length, ce_loss_weight=1.0, max_steps=2, dataset=problems.to_iterable_dataset(), max_completion_length=200
    )
    spy = Spy(trainer)
    trainer.train()
    solutions = dict(zip(problems["prompt"], problems["solutions"], strict=True))
    for batch in spy.batches:
        assert "reference_prompt_ids" not in batch
        prompt = tokenizer.decode(batch["prompt_ids"][0][batch["prompt_mask"][0].bool()], skip_special_tokens=True)
        for ids in batch["reference_ids"]:
            assert tokenizer.decode(ids, skip_special_tokens=True) in solutions[prompt]


def test_the_cross_entropy_needs_reference_solutions(make_trainer, runner, problems):
    with pytest.raises(ValueError, match="needs a column `solutions`"):
        make_trainer(UnitTestRewardFunction(runner), dataset=problems.remove_columns("solutions"), ce_loss_weight=1.0)


def test_a_reference_solution_that_is_cut_off_does_not_teach_to_stop(make_trainer, tokenizer):
    trainer = make_trainer(by_length, ce_loss_weight=1.0, max_steps=1, max_completion_length=5)
    spy = Spy(trainer)
    trainer.train()
    assert spy.batches[0]["reference_ids"].size(1) == 5
    assert tokenizer.eos_token_id not in spy.batches[0]["reference_ids"]


def test_rows_without_solutions_add_nothing_to_the_cross_entropy(make_trainer, problems):
    empty = problems.map(lambda row: {"solutions": []})
    trainer = make_trainer(by_length, ce_loss_weight=1.0, max_steps=1, dataset=empty)
    trainer.train()
    assert history(trainer, "loss/ce") == [0.0]


def test_solutions_as_text_are_refused(make_trainer, problems):
    text = problems.remove_columns("solutions").add_column("solutions", [json.dumps(s) for s in problems["solutions"]])
    with pytest.raises(ValueError, match="`solutions` of the training set holds a str"):
        make_trainer(by_length, ce_loss_weight=1.0, dataset=text)
