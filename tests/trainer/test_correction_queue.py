"""Corrections of failing completions: found by running tests, queued, drawn, and in the loss."""

import copy
import json

import architectures
import pytest
import torch
from datasets import Dataset
from support import Spy, by_length, history, snapshot

from trl_rltf import OnlineBuffer, UnitTestRewardFunction
from trl_rltf.completions.program import extract_program
from trl_rltf.corrections import Correction
from trl_rltf.trainer.corrected_tokens import corrected_tokens
from trl_rltf.trainer.correction_queue import QueuedCorrection, find_reward_function, replace_references


PROMPTS = [f"Task {i}:\n" for i in range(6)]
TESTS = json.dumps({"asserts": ["assert f(1) == 4", "assert f(5) == 12"]})
SOLUTION = "def f(x):\n    z = x + 1\n    return z * 2\n"
WRONG = "def f(x):\n    y = x + 1\n    return y\n"
BEGINNING = "def f(x):\n    y = x + 1\n"
REST = "    return y * 2\n"
DATASET = Dataset.from_list([{"prompt": prompt, "tests": TESTS, "solutions": [SOLUTION]} for prompt in PROMPTS])
SETTINGS = {"ce_loss_weight": 1.0, "correction_share": 1.0, "max_completion_length": 60}


@pytest.fixture
def train(make_trainer, tokenizer, model, runner):
    """Train with made-up completions, and return the trainer and its batches."""

    def run(completions, buffer=None, resume=None, policy=None, **settings):
        trainer = make_trainer(
            UnitTestRewardFunction(runner),
            None if buffer is None else [buffer],
            dataset=settings.pop("dataset", DATASET),
            model_override=copy.deepcopy(model) if policy is None else policy[0],
            tokenizer_override=None if policy is None else policy[1],
            peft_config=settings.pop("peft_config", None),
            **{**SETTINGS, **settings},
        )
        encode = trainer.processing_class
        texts = [encode(text, add_special_tokens=False)["input_ids"] + [encode.eos_token_id] for text in completions]
        trainer._generate_single_turn = lambda prompts, *rest, **kw: (
            [list(texts[i % len(texts)]) for i in range(len(prompts))],
            None,
        )
        spy = Spy(trainer)
        trainer.train(resume_from_checkpoint=resume)
        return trainer, spy.batches

    return run


def parts(batch, tokenizer):
    """Prompt, tokens that are kept and tokens in the loss of each reference of a batch, as text."""
    found = []
    for row, in_loss in enumerate(batch["reference_loss_mask"].bool()):
        is_token, ids = batch["reference_mask"][row].bool(), batch["reference_ids"][row]
        prompt = batch["reference_prompt_ids"][row][batch["reference_prompt_mask"][row].bool()]
        found.append(tuple(tokenizer.decode(part) for part in (prompt, ids[is_token & ~in_loss], ids[in_loss])))
    return found


# ---------------------------------------------------------------------- the tokens of a correction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRONG, BEGINNING + REST),
        (f"```python\n{WRONG}```\nIt adds one.", f"```python\n{BEGINNING}{REST}```"),
        (f"{WRONG}```", f"{BEGINNING}{REST}```"),  # the prompt opened the block
        (f"Here:\n```python\n{WRONG}", f"Here:\n```python\n{BEGINNING}{REST}```"),  # cut off
    ],
)
def test_a_correction_keeps_the_tokens_of_the_completion_up_to_the_continuation(tokenizer, text, expected):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    correction = Correction(BEGINNING, REST, 0)
    target, num_kept = corrected_tokens(extract_program(text), text, ids, correction, tokenizer)
    assert tokenizer.decode(target) == expected + tokenizer.eos_token
    assert target[:num_kept] == ids[:num_kept]
    kept = tokenizer.decode(target[:num_kept])
    cut = expected.index(REST)
    assert expected.startswith(kept)
    assert cut - len("\n") <= len(kept) <= cut  # the line break may be one token with the indent


def test_a_tokenizer_that_begins_texts_with_a_blank_gets_the_whole_text(sentencepiece_tokenizer):
    tokenizer = sentencepiece_tokenizer
    text = "def f(x): y = x\nreturn y"
    program = extract_program(text)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    first = program.source.splitlines(keepends=True)[0]
    target, num_kept = corrected_tokens(program, text, ids, Correction(first, "return x", 0), tokenizer)
    assert target[:-1] == tokenizer(first + "return x", add_special_tokens=False)["input_ids"]
    assert target[:num_kept] == ids[:num_kept]
    assert 0 < num_kept < len(target)


def test_corrections_replace_solutions_and_have_a_mask_of_their_own():
    drawn = {
        "reference_ids": torch.tensor([[5, 6], [7, 0]]),
        "reference_mask": torch.tensor([[1, 1], [1, 0]]),
        "reference_prompt_ids": torch.tensor([[1], [2]]),
    }
    found = replace_references(drawn, [None, QueuedCorrection("x", [3, 4, 9], 2, 0)], pad_token_id=0)
    assert found["reference_ids"].tolist() == [[5, 6, 0], [3, 4, 9]]
    assert found["reference_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert found["reference_loss_mask"].tolist() == [[1, 1, 0], [0, 0, 1]]
    assert found["reference_prompt_ids"] is drawn["reference_prompt_ids"]


# ---------------------------------------------------------------------- in a training run


def test_the_loss_is_on_the_continuation_of_the_own_beginning(train, tokenizer):
    trainer, batches = train([WRONG], max_steps=2)
    for batch in batches:
        for prompt, kept, in_loss in parts(batch, tokenizer):
            assert prompt in PROMPTS
            assert kept + in_loss == BEGINNING + REST + tokenizer.eos_token
            assert kept.rstrip("\n") == BEGINNING.rstrip("\n")
        assert batch["num_reference_tokens"] == batch["reference_loss_mask"].sum()
    assert history(trainer, "corrections/found") == [1.0, 1.0]
    assert history(trainer, "corrections/kept") == [pytest.approx(2 / 3)] * 2


def test_gradients_fall_on_the_tokens_of_the_continuation_only(train):
    trainer, _ = train([WRONG], max_steps=1)
    batch = {
        "reference_ids": torch.tensor([[5, 6, 7, 8]]),
        "reference_mask": torch.ones(1, 4, dtype=torch.long),
        "reference_loss_mask": torch.tensor([[0, 0, 1, 1]]),
        "reference_prompt_ids": torch.tensor([[3, 4]]),
        "reference_prompt_mask": torch.ones(1, 2, dtype=torch.long),
    }
    losses = trainer.reference_loss.token_losses(trainer.model, batch)
    whole = trainer.reference_loss.token_losses(trainer.model, {**batch, "reference_loss_mask": torch.ones(1, 4)})
    assert losses[0, :2].tolist() == [0, 0]
    assert torch.equal(losses[0, 2:], whole[0, 2:])
    assert (whole > 0).all()


@pytest.mark.parametrize(
    ("target", "in_loss"), [("program", BEGINNING + REST), ("solution", SOLUTION), ("continuation", None)]
)
def test_the_target_decides_what_is_in_the_loss(train, tokenizer, target, in_loss):
    _, batches = train([WRONG], max_steps=1, correction_target=target)
    for _, kept, learned in parts(batches[0], tokenizer):
        assert learned == (REST if in_loss is None else in_loss) + tokenizer.eos_token or in_loss is None
        assert (kept == "") == (target != "continuation")


def test_a_passing_completion_is_preferred_to_a_solution(train, tokenizer):
    passing = "def f(x):\n    w = x + 1\n    return w + w\n"
    _, batches = train([WRONG, passing], max_steps=1)
    assert {kept + learned for _, kept, learned in parts(batches[0], tokenizer)} == {
        f"{BEGINNING}    return y + y\n{tokenizer.eos_token}"
    }


def test_without_a_correction_the_rows_are_reference_solutions(train, tokenizer):
    trainer, batches = train(["def f(x):\n    return 'never'\n"], max_steps=1)
    assert {learned for _, _, learned in parts(batches[0], tokenizer)} == {SOLUTION + tokenizer.eos_token}
    assert history(trainer, "corrections/found") == [0.0]
    assert history(trainer, "corrections/kept") == []


def test_without_solutions_corrections_come_from_passing_completions(train, tokenizer):
    passing = "def f(x):\n    w = x + 1\n    return w + w\n"
    trainer, batches = train([WRONG, passing], max_steps=2, dataset=DATASET.remove_columns("solutions"))
    for batch in batches:
        for prompt, kept, in_loss in parts(batch, tokenizer):
            assert prompt in PROMPTS
            assert kept + in_loss == f"{BEGINNING}    return y + y\n{tokenizer.eos_token}"
    trainer, batches = train([WRONG], max_steps=1, dataset=DATASET.remove_columns("solutions"))
    assert not batches[0]["reference_loss_mask"].any()
    assert history(trainer, "loss/ce") == [0.0]


def test_the_share_is_that_of_the_rows(train, tokenizer):
    _, batches = train([WRONG], max_steps=8, correction_share=0.5)
    rows = [kept for batch in batches for _, kept, _ in parts(batch, tokenizer)]
    assert 8 <= sum(bool(kept) for kept in rows) <= 24  # of 32; 3 standard deviations


def test_a_correction_is_used_four_times_and_dropped_after_ten_batches(train):
    trainer, _ = train([WRONG], max_steps=1)
    queue = trainer.reference_loss.corrections
    assert len(queue) == 0  # one correction of one prompt, drawn for four rows
    queue.restore({"num_batches": 5, "queue": [vars_of(born=5), vars_of(born=1)]})
    numbers = torch.tensor([[0.0, 0.0]])
    assert [queue.draw(numbers)[0].num_uses for _ in range(4)] == [1, 2, 3, 4]
    assert len(queue) == 1
    for _ in range(7):
        queue.add([], [], [], {0: []})
    assert len(queue) == 0


def vars_of(born):
    return {"prompt": "x", "ids": [1, 2], "num_kept": 1, "born": born, "num_uses": 0}


def test_equal_failures_of_a_prompt_are_corrected_once(train):
    trainer, _ = train([WRONG], max_steps=1, correction_share=1e-9)
    assert len(trainer.reference_loss.corrections) == 1


def test_corrections_wait_in_the_online_buffer(train, tokenizer):
    _, batches = train([WRONG], buffer=OnlineBuffer(capacity=8, update_steps=2), max_steps=3)
    for batch in batches:
        for _, kept, learned in parts(batch, tokenizer):
            assert kept + learned == BEGINNING + REST + tokenizer.eos_token
            assert kept
        assert batch["num_reference_tokens"] == batch["reference_loss_mask"].sum()


@pytest.mark.parametrize("buffer", [False, True])
def test_a_run_with_corrections_resumes_exactly(train, tmp_path, buffer):
    completions = [WRONG, "def f(x):\n    a = x * 2\n    return a\n", SOLUTION]
    settings = {"max_steps": 4, "correction_share": 0.7}

    def run(**more):
        part = OnlineBuffer(capacity=8, update_steps=2) if buffer else None
        return snapshot(train(completions, buffer=part, **settings, **more)[0].model)

    expected = run(save_strategy="steps", save_steps=1)
    found = run(resume=str(tmp_path / "out" / "checkpoint-2"))
    assert all(torch.equal(found[key], weights) for key, weights in expected.items())


def test_an_encoder_decoder_learns_corrections(train, tmp_path):
    policy = architectures.make("codet5")
    trainer, batches = train([WRONG], policy=policy, max_steps=1)
    tokenizer = trainer.processing_class
    for _, kept, learned in parts(batches[0], tokenizer):
        assert (kept + learned).replace(tokenizer.eos_token, "") == BEGINNING + REST
        assert kept


def test_adapters_learn_corrections(train):
    peft = pytest.importorskip("peft")
    trainer, batches = train([WRONG], max_steps=1, peft_config=peft.LoraConfig(task_type="CAUSAL_LM"))
    assert history(trainer, "loss/ce")[0] > 0
    assert (batches[0]["reference_loss_mask"] != batches[0]["reference_mask"]).any()


# ---------------------------------------------------------------------- settings


def test_corrections_need_tests_a_weight_and_prompts_that_are_all(make_trainer, runner):
    reward = UnitTestRewardFunction(runner)
    with pytest.raises(ValueError, match=r"needs a `UnitTestRewardFunction`.* has by_length"):
        make_trainer(by_length, dataset=DATASET, **SETTINGS)
    with pytest.raises(ValueError, match="whose weight is 0 here"):
        make_trainer(reward, dataset=DATASET, **{**SETTINGS, "ce_loss_weight": 0.0})
    with pytest.raises(ValueError, match=r"`correction_share` is 1\.5"):
        make_trainer(reward, dataset=DATASET, **{**SETTINGS, "correction_share": 1.5})
    with pytest.raises(ValueError, match="`correction_target` is 'all'"):
        make_trainer(reward, dataset=DATASET, **SETTINGS, correction_target="all")


def test_an_awaited_reward_function_is_found_too(runner):
    from trl_rltf.rewards import AsyncUnitTestRewardFunction

    inner = UnitTestRewardFunction(runner)
    assert find_reward_function([by_length, AsyncUnitTestRewardFunction(inner)]) == (1, inner)
