"""What the cross entropy of reference solutions is taken of."""

import copy
import json

import pytest
import torch
from support import Spy, by_length, history, made_up_rollout
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
    if buffer is None:
        assert all(len({tuple(ids) for ids in batch["prompt_ids"].tolist()}) == 1 for batch in spy.batches)


def test_every_row_that_has_some_gets_its_turn(make_trainer, problems, tokenizer):
    some = problems.select(range(8)).map(
        lambda row, i: {"solutions": row["solutions"] if i % 2 else None}, with_indices=True
    )
    trainer = make_trainer(by_length, ce_loss_weight=None, max_steps=6, dataset=some, max_completion_length=200)
    spy = Spy(trainer)
    trainer.train()
    assert {prompt for prompt, _ in references(spy.batches, tokenizer)} == set(some["prompt"][1::2])
    assert all(batch["reference_mask"].any(1).all() for batch in spy.batches)


def test_of_many_solutions_four_are_compared(make_trainer, problems):
    many = problems.map(lambda row: {"solutions": [f"print({number})" for number in range(6)]})
    trainer = make_trainer(by_length, ce_loss_weight=1.0, max_steps=2, dataset=many)
    compared = []
    original = trainer.references.token_losses

    def token_losses(model, batch):
        if not torch.is_grad_enabled():
            assert not model.training  # or dropout would have a say
            compared.append(batch["reference_ids"])
        return original(model, batch)

    trainer.references.token_losses = token_losses
    trainer.train()
    solutions = [tuple(row.tolist()) for ids in compared for row in ids]
    assert len(solutions) == 2 * 4 * 4
    assert all(len(set(solutions[start : start + 4])) == 4 for start in range(0, 32, 4))
    assert len(set(solutions)) == 6
    assert trainer.model.training


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


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
@pytest.mark.parametrize("weight", [None, 1.0])
def test_where_a_completion_depends_on_more_than_its_prompt_those_of_the_batch_are_taken(make_trainer, weight):
    trainer = make_trainer(by_length, ce_loss_weight=weight, max_steps=1, rollout_func=made_up_rollout)
    spy = Spy(trainer)
    trainer.train()
    assert ("reference_ids" in spy.batches[0]) == (weight is not None)
    assert "reference_prompt_ids" not in spy.batches[0]


def test_the_logged_parts_of_the_loss_add_up_where_some_batches_have_none(make_trainer, problems):
    rare = problems.to_iterable_dataset().map(
        lambda row, i: {"solutions": row["solutions"][: i % 2]}, with_indices=True
    )
    trainer = make_trainer(by_length, ce_loss_weight=1.0, max_steps=2, gradient_accumulation_steps=2, dataset=rare)
    trainer.train()
    parts = [history(trainer, name) for name in ("loss", "loss/rl", "loss/ce")]
    for total, reinforce, reference_loss in zip(*parts, strict=True):
        assert total == pytest.approx(reinforce + reference_loss, abs=1e-4)
        assert reference_loss > 3  # of an untrained model, however few there are


def test_that_they_are_in_the_loss_is_said_once(make_trainer, caplog):
    make_trainer(by_length, ce_loss_weight=None)
    (record,) = caplog.records
    assert "reference solutions" in record.message
    assert "`ce_loss_weight=0`" in record.message
    caplog.clear()
    make_trainer(by_length, ce_loss_weight=10.0)
    assert not caplog.records


@pytest.mark.parametrize("kind", ["no column", "numbers", "messages", "none of them", "a stream"])
def test_without_reference_solutions_training_goes_on_without_them(make_trainer, problems, kind):
    dataset = {
        "no column": lambda: problems.remove_columns("solutions"),
        "numbers": lambda: problems.map(lambda row: {"solutions": [1, 2]}),
        "messages": lambda: problems.map(lambda row: {"solutions": [[{"role": "assistant", "content": "1"}]]}),
        "none of them": lambda: problems.map(lambda row: {"solutions": []}),
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
    assert any(len({tuple(ids) for ids in batch["reference_ids"].tolist()}) > 1 for batch in spy.batches)
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


def _with_texts(problems, texts):
    texts = texts * (len(problems) // len(texts))
    return problems.remove_columns("solutions").add_column("solutions", texts)


@pytest.mark.parametrize("weight", [None, 1.0])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_program_as_text_or_a_list_as_json_text_is_read(make_trainer, problems, tokenizer, weight, is_stream):
    texts = ["print(1)\n", json.dumps(["print(2)", "", "print(3)"]), '[print(4) for _ in "a"]', json.dumps("print(5)")]
    dataset = _with_texts(problems, texts)
    if is_stream:
        dataset = dataset.to_iterable_dataset()
    if is_stream and weight is None:
        return  # nothing can be drawn from a stream unless somebody asks for it
    trainer = make_trainer(by_length, ce_loss_weight=weight, max_steps=8, dataset=dataset, max_completion_length=40)
    spy = Spy(trainer)
    trainer.train()
    found = {
        tokenizer.decode(ids, skip_special_tokens=True) for batch in spy.batches for ids in batch["reference_ids"]
    }
    assert found <= {"print(1)", "print(2)", "print(3)", '[print(4) for _ in "a"]', "print(5)"}
    assert len(found) > 2


def test_rows_with_empty_texts_have_no_solution(make_trainer, problems):
    trainer = make_trainer(
        by_length, ce_loss_weight=None, max_steps=1, dataset=_with_texts(problems, ["", None, "[]", " "])
    )
    trainer.train()
    assert history(trainer, "loss/ce") == []


@pytest.mark.parametrize("text", ['[{"code": "print(1)"}]', '{"python": "print(1)"}', "[1, 2]"])
def test_json_text_of_something_else_is_refused_with_the_row(make_trainer, problems, text):
    dataset = _with_texts(problems, ["print(1)", text])
    with pytest.raises(
        ValueError, match="Row 1 of the training set: Column `solutions` holds JSON text that is not a list"
    ):
        make_trainer(by_length, ce_loss_weight=None, dataset=dataset)
    make_trainer(by_length, ce_loss_weight=0.0, dataset=dataset)  # not read at all


def test_a_column_of_another_type_is_refused_if_it_is_needed_and_named_if_not(make_trainer, problems, caplog):
    numbers = problems.map(lambda row: {"solutions": [1, 2]})
    with pytest.raises(ValueError, match="`solutions` of the training set is of the type List"):
        make_trainer(by_length, ce_loss_weight=1.0, dataset=numbers)
    make_trainer(by_length, ce_loss_weight=None, dataset=numbers)
    assert "Column `solutions` is of the type List(Value('int64')), which is not read" in caplog.text
