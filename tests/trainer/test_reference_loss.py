"""The cross entropy of reference solutions: rows that are drawn, solutions that are chosen, and the loss."""

import copy
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from support import Spy, by_length, history, made_up_rollout
from torch.nn.functional import cross_entropy

from trl_rltf import OnlineBuffer, RLTFConfig
from trl_rltf.trainer.reference_loss import ReferenceLoss, tokenize_solutions


CHAT = [{"role": "user", "content": "x"}]


# ---------------------------------------------------------------------- by itself


def texts(ids, mask, tokenizer):
    return [tokenizer.decode(row[is_token.bool()]) for row, is_token in zip(ids, mask, strict=True)]


def tokenize(rows, tokenizer, num_candidates=1, max_length=50, choice=0.5):
    choices = torch.full((len(rows),), choice)
    return tokenize_solutions(rows, choices, num_candidates, tokenizer, max_length, is_encoder_decoder=False)


def test_solutions_end_with_the_end_token_and_are_padded_on_the_right(tokenizer):
    rows = [{"prompt": "x", "solutions": ["a = 1"]}, {"prompt": "y", "solutions": ["b = 22 + 3"]}]
    ids, mask = tokenize(rows, tokenizer)
    assert texts(ids, mask, tokenizer) == [f"{row['solutions'][0]}{tokenizer.eos_token}" for row in rows]
    assert mask.diff(dim=1).max() <= 0  # ones, then zeros
    assert (ids[mask == 0] == tokenizer.pad_token_id).all()


def test_a_solution_that_is_cut_off_does_not_teach_to_stop(tokenizer):
    ids, mask = tokenize([{"prompt": "x", "solutions": ["a = 1 + 2 + 3 + 4"]}], tokenizer, max_length=3)
    assert mask.tolist() == [[1, 1, 1]]
    assert tokenizer.eos_token_id not in ids


def test_the_answer_to_a_chat_is_in_a_code_block(tokenizer):
    found = texts(*tokenize([{"prompt": CHAT, "solutions": ["a = 1"]}], tokenizer), tokenizer)
    assert found == [f"```python\na = 1\n```{tokenizer.eos_token}"]


def test_a_row_without_a_solution_is_masked_out(tokenizer):
    _, mask = tokenize([{"prompt": "x"}, {"prompt": "y", "solutions": ["a"]}], tokenizer, num_candidates=2)
    assert mask.any(1).tolist() == [False, False, True, True]


def test_candidates_of_a_row_differ_and_come_again_only_if_there_are_too_few(tokenizer):
    row = {"prompt": "x", "solutions": [f"a = {number}" for number in range(6)]}
    found = texts(*tokenize([row], tokenizer, num_candidates=4), tokenizer)
    assert len(set(found)) == 4
    row["solutions"] = row["solutions"][:3]
    found = texts(*tokenize([row], tokenizer, num_candidates=4), tokenizer)
    assert len(set(found)) == 3


def test_which_solution_is_used_depends_on_the_random_number_of_the_row_alone(tokenizer):
    row = {"prompt": "x", "solutions": [f"a = {number}" for number in range(6)]}
    found = [texts(*tokenize([row], tokenizer, choice=choice), tokenizer)[0] for choice in (0.1, 0.2, 0.3, 0.4, 0.1)]
    assert found[0] == found[-1]
    assert len(set(found)) > 1


@pytest.fixture
def make_loss(tmp_path, tokenizer):
    """Build a loss on a dataset, with a policy for which each token is likely by its id alone."""

    def make(rows, weight=1.0, num_processes=1, process_index=0, can_draw_rows=True, is_stream=False):
        calls = []

        def logits(model, prompts, solutions):
            calls.append(solutions[0])
            assert not model.training or torch.is_grad_enabled()  # dropout would make the choice random
            scores = -0.01 * torch.arange(len(tokenizer), dtype=torch.float32)
            return scores.expand(*solutions[0].shape, -1)

        def padded_prompts(prompts):
            return torch.tensor([[len(prompt)] for prompt in prompts]), torch.ones(len(prompts), 1, dtype=torch.long)

        loss = ReferenceLoss(
            Dataset.from_list(rows).to_iterable_dataset() if is_stream else Dataset.from_list(rows),
            RLTFConfig(str(tmp_path), ce_loss_weight=weight, max_completion_length=20, per_device_train_batch_size=8),
            SimpleNamespace(
                device=torch.device("cpu"),
                num_processes=num_processes,
                process_index=process_index,
                is_main_process=True,
                gather=lambda tensor: tensor.expand(num_processes, *tensor.shape),
            ),
            tokenizer,
            logits=logits,
            tokenize_prompts=padded_prompts,
            can_draw_rows=can_draw_rows,
            is_encoder_decoder=False,
        )
        return loss, calls

    return make


def test_rows_with_solutions_are_drawn_with_their_prompts(make_loss, tokenizer):
    rows = [{"prompt": "x" * i, "solutions": [f"a = {i}"] if i % 2 else []} for i in range(8)]
    loss, _ = make_loss(rows)
    drawn = [loss.draw(rows[:4], torch.nn.Linear(1, 1)) for _ in range(10)]
    found = {
        (length.item(), text)
        for batch in drawn
        for length, text in zip(
            batch["reference_prompt_ids"],
            texts(batch["reference_ids"], batch["reference_mask"], tokenizer),
            strict=True,
        )
    }
    assert found == {(i, f"a = {i}{tokenizer.eos_token}") for i in (1, 3, 5, 7)}
    assert all(batch["num_reference_tokens"] == batch["reference_mask"].sum() for batch in drawn)


def test_of_up_to_four_candidates_the_likeliest_per_token_is_used(make_loss, tokenizer):
    solutions = [f"a = {number}" for number in range(6)]
    loss, calls = make_loss([{"prompt": "x", "solutions": solutions}])
    batch = loss.draw([{"prompt": "x"}] * 3, torch.nn.Linear(1, 1))
    candidates = torch.cat(calls)
    assert len(candidates) == 3 * 4
    for row, group in zip(batch["reference_ids"], candidates.view(3, 4, -1), strict=True):
        means = [ids[ids != tokenizer.pad_token_id].float().mean() for ids in group]  # the lower, the likelier
        assert len({tuple(ids.tolist()) for ids in group}) == 4
        assert torch.equal(row, group[means.index(min(means))])


def test_several_processes_draw_the_rows_of_one(make_loss):
    rows = [{"prompt": "x" * i, "solutions": [f"a = {i}"]} for i in range(9)]
    alone, _ = make_loss(rows)
    together = [make_loss(rows, num_processes=2, process_index=index)[0] for index in range(2)]
    for _ in range(3):
        expected = alone.draw(rows[:4], torch.nn.Linear(1, 1))["reference_prompt_ids"]
        found = [loss.draw(rows[:2], torch.nn.Linear(1, 1))["reference_prompt_ids"] for loss in together]
        assert torch.equal(torch.cat(found), expected)


def test_where_rows_cannot_be_drawn_those_of_the_batch_are_used(make_loss, tokenizer):
    loss, calls = make_loss([{"prompt": "x", "solutions": ["a"]}], can_draw_rows=False)
    batch = loss.draw([{"prompt": "y", "solutions": ["b", "c"]}, {"prompt": "z"}], torch.nn.Linear(1, 1))
    assert set(batch) == {"reference_ids", "reference_mask", "num_reference_tokens"}
    assert texts(batch["reference_ids"], batch["reference_mask"], tokenizer)[0][0] in "bc"
    assert not batch["reference_mask"][1].any()
    assert calls == []


def test_the_cross_entropy_is_the_mean_over_the_tokens_of_a_step(make_loss, tokenizer):
    """Two tokens of 5 over two processes; the loss of a batch is its part of that mean, times the weight."""
    loss, _ = make_loss([{"prompt": "x", "solutions": ["a"]}], weight=3.0, num_processes=2)
    batch = {
        "prompt_ids": torch.ones(1, 1),
        "prompt_mask": torch.ones(1, 1),
        "reference_ids": torch.tensor([[5, 7, 0]]),
        "reference_mask": torch.tensor([[1, 1, 0]]),
        "num_reference_tokens": torch.tensor(5.0),
    }
    normaliser = torch.logsumexp(-0.01 * torch.arange(len(tokenizer), dtype=torch.float32), 0).item()
    expected = (2 * normaliser + 0.05 + 0.07) / (5 / 2)
    total, part = loss.add_to(torch.tensor(1.0), torch.nn.Linear(1, 1), batch, accumulation_steps=1)
    assert part.item() == pytest.approx(expected, rel=1e-5)
    assert total.item() == pytest.approx(1.0 + 3 * expected, rel=1e-5)


def test_a_batch_without_solutions_adds_nothing(make_loss):
    loss, _ = make_loss([{"prompt": "x", "solutions": ["a"]}])
    rows = [{"prompt": "y"}]
    batch = {
        "prompt_ids": torch.ones(1, 1),
        "prompt_mask": torch.ones(1, 1),
        "reference_ids": torch.tensor([[0]]),
        "reference_mask": torch.tensor([[0]]),
        "num_reference_tokens": torch.tensor(0),
    }
    assert loss.add_to(torch.tensor(1.0), torch.nn.Linear(1, 1), batch, len(rows))[0] == 1.0


def test_solutions_that_are_not_in_the_loss_are_not_read(make_loss):
    rows = [{"prompt": "x", "solutions": '{"no": "program"}'}]
    make_loss(rows, weight=0.0)
    with pytest.raises(ValueError, match="Row 0 of the training set"):
        make_loss(rows, weight=1.0)


def test_a_column_of_another_type_is_named(make_loss, caplog):
    make_loss([{"prompt": "x", "solutions": [1, 2]}])
    assert "Column `solutions` is of the type List(Value('int64')), which is not read" in caplog.text


# ---------------------------------------------------------------------- in a training run


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
def test_solutions_are_drawn_from_the_whole_training_set(make_trainer, problems, tokenizer, pairs, buffer):
    """One prompt per batch, but references of many, each with its prompt, also after they have waited in a buffer."""
    callbacks = None if buffer is None else [buffer]
    trainer = make_trainer(by_length, callbacks, ce_loss_weight=1.0, max_steps=3, max_completion_length=200)
    spy = Spy(trainer)
    trainer.train()
    found = references(spy.batches, tokenizer)
    assert set(found) <= pairs
    assert len({prompt for prompt, _ in found}) > 3
    if buffer is None:
        assert all(len({tuple(ids) for ids in batch["prompt_ids"].tolist()}) == 1 for batch in spy.batches)


def test_the_solution_that_the_policy_finds_likeliest_is_used(make_trainer, model, problems, tokenizer):
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


def test_solutions_are_in_the_loss_if_they_have_a_weight(make_trainer, model):
    assert RLTFConfig("unused").ce_loss_weight == 0.0
    logged = {}
    for weight in (10.0, 0.0):
        trainer = make_trainer(by_length, ce_loss_weight=weight, max_steps=1, model_override=copy.deepcopy(model))
        trainer.train()
        logged[weight] = history(trainer, "loss/ce"), history(trainer, "loss/rl"), history(trainer, "loss")
    (reference_loss,), (reinforce,), (total,) = logged[10.0]
    assert total == pytest.approx(reinforce + 10 * reference_loss, rel=1e-4)
    assert logged[0.0][:2] == ([], [])


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_with_a_rollout_function_the_solutions_of_the_batch_are_used(make_trainer, weight):
    trainer = make_trainer(by_length, ce_loss_weight=weight, max_steps=1, rollout_func=made_up_rollout)
    spy = Spy(trainer)
    trainer.train()
    assert ("reference_ids" in spy.batches[0]) == (weight > 0)
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


def test_with_a_stream_the_solutions_of_the_batch_are_used(make_trainer, problems, tokenizer):
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
