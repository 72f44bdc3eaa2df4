"""Stop and resume: exactly, also after a kill, and refused where it cannot be exact."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from support import by_length, load_script, snapshot

from trl_rltf import OnlineBuffer, RLTFConfig, TokenReward
from trl_rltf.trainer.resume import (
    completed_epochs,
    fingerprint,
    last_complete_checkpoint,
    lasting_settings,
    newest_checkpoint,
)
from trl_rltf.trainer.state_files import save


SCRIPT = Path(__file__).parent / "scripts" / "resume.py"

# ---------------------------------------------------------------------- checkpoints in a folder


@pytest.fixture
def make_checkpoint(tmp_path, tokenizer):
    """Write the parts of a checkpoint that decide whether it is complete."""

    def make(step, ranks=(0,), num_processes=1, trainer_state='{"epoch": 1.5}'):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for rank in ranks:
            save(str(folder), rank, {"num_processes": num_processes}, {}, None, None, tokenizer)
        if trainer_state is not None:
            (folder / "trainer_state.json").write_text(trainer_state)
        return str(folder)

    return make


def test_the_newest_checkpoint_is_that_of_the_last_step(make_checkpoint, tmp_path):
    make_checkpoint(9)
    newest = make_checkpoint(10)
    (tmp_path / "checkpoint-best").mkdir()
    assert last_complete_checkpoint(str(tmp_path), is_shared=True) == (newest, [])


@pytest.mark.parametrize(
    "parts",
    [
        {"trainer_state": None},  # written last of all
        {"trainer_state": '{"epo'},
        {"ranks": (0,), "num_processes": 2},
        {"ranks": (1,), "num_processes": 2},
    ],
)
def test_a_checkpoint_that_was_not_finished_is_passed_over(make_checkpoint, tmp_path, parts, caplog):
    complete = make_checkpoint(1)
    incomplete = make_checkpoint(2, **parts)
    assert last_complete_checkpoint(str(tmp_path), is_shared=True) == (complete, [incomplete])
    assert newest_checkpoint(str(tmp_path), is_shared=True) == complete
    assert "checkpoint-2 is incomplete" in caplog.text


def test_a_state_that_cannot_be_read_is_incomplete(make_checkpoint, tmp_path):
    incomplete = Path(make_checkpoint(2))
    (incomplete / "rltf" / "state-rank0.json").write_text("{")
    assert last_complete_checkpoint(str(tmp_path), is_shared=True) == (None, [str(incomplete)])


def test_a_folder_of_one_machine_needs_one_state_only(make_checkpoint, tmp_path):
    folder = make_checkpoint(2, ranks=(3,), num_processes=8)
    assert last_complete_checkpoint(str(tmp_path), is_shared=False) == (folder, [])


def test_a_checkpoint_of_another_trainer_is_found_and_refused_later(make_checkpoint, tmp_path):
    folder = make_checkpoint(2, ranks=())
    assert last_complete_checkpoint(str(tmp_path), is_shared=True) == (folder, [])


def test_without_any_checkpoint_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(ValueError, match="no complete checkpoint"):
        newest_checkpoint(str(tmp_path), is_shared=True)


@pytest.mark.parametrize(
    ("state", "epochs"),
    [('{"epoch": 1.5}', 1), ('{"epoch": 1.9999999}', 2), ('{"epoch": null}', 0), ("{}", 0), ("{", 0)],
)
def test_the_epochs_before_a_checkpoint_are_counted(make_checkpoint, state, epochs):
    assert completed_epochs(make_checkpoint(1, trainer_state=state)) == epochs


def test_a_dataset_is_known_by_its_length_columns_and_rows():
    rows = {"prompt": [str(number) for number in range(200)]}
    one = fingerprint(Dataset.from_dict(rows))
    assert one == fingerprint(Dataset.from_dict(rows))
    assert one.startswith("200 rows of prompt, ")
    others = [
        {"prompt": rows["prompt"][:199]},
        {"prompt": ["other", *rows["prompt"][1:]]},
        {**rows, "tests": [""] * 200},
    ]
    assert len({one, *(fingerprint(Dataset.from_dict(other)) for other in others)}) == 4
    assert fingerprint(Dataset.from_dict(rows).to_iterable_dataset()) == "a stream of prompt"


def test_settings_that_shape_the_samples_last_and_others_may_change(tmp_path, problems):
    def settings(num_processes=1, buffer=None, has_references=False, dataset=problems, **changes):
        args = RLTFConfig(str(tmp_path), **{"num_generations": 4, "per_device_train_batch_size": 8, **changes})
        return lasting_settings(args, num_processes, dataset, buffer, has_references)

    start = settings()
    assert json.loads(json.dumps(start)) == start
    for change in (
        {"num_processes": 2},
        {"buffer": OnlineBuffer(capacity=32).settings},
        {"has_references": True},
        {"dataset": problems.map(lambda row: {"prompt": row["prompt"] + "!"})},
        {"num_generations": 2},
        {"seed": 3},
        {"baseline": "greedy"},
        {"shuffle_dataset": False},
        {"gradient_accumulation_steps": 2},
        {"num_iterations": 2},
        {"beta": 0.1},
    ):
        assert settings(**change) != start, change
    for change in ({"learning_rate": 0.5}, {"temperature": 0.5}, {"max_steps": 9}):
        assert settings(**change) == start, change


# ---------------------------------------------------------------------- runs


def checkpoints(folder):
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))


@pytest.mark.slow
def test_a_killed_run_that_resumes_ends_with_the_weights_of_one_that_was_not(tmp_path, model, tokenizer, start_script):
    start, killed, whole = (str(tmp_path / name) for name in ("start", "killed", "whole"))
    model.save_pretrained(start)
    tokenizer.save_pretrained(start)
    environment = {"OMP_NUM_THREADS": "1"}
    process = start_script(SCRIPT, start, killed, "new", 0.15, env=environment, stdout=None, start_new_session=True)
    # At any moment after the first checkpoint, also in the middle of writing one.
    deadline, wanted = time.monotonic() + 120, random.randrange(1, 9)
    while not checkpoints(tmp_path / "killed") or checkpoints(tmp_path / "killed")[-1] < wanted:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.random() / 5)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert max(checkpoints(tmp_path / "killed")) < 14
    script = load_script(SCRIPT)
    script.train(start, whole, resume=False, seconds=0)
    script.train(start, killed, resume=True, seconds=0)
    expected, found = (torch.load(f"{folder}/weights.pt") for folder in (whole, killed))
    for name, weights in expected.items():
        assert torch.equal(found[name], weights), (wanted, name)


SITUATIONS = {
    "on-policy": (None, {}),
    "in the middle of a generation batch": (None, {"steps_per_generation": 4, "per_device_train_batch_size": 1}),
    "in the middle of the second iteration": (None, {"num_iterations": 3}),
    "with a buffer": ({"capacity": 16, "update_steps": 3}, {}),
    "with a buffer and accumulation": (
        {"capacity": 16, "update_steps": 3, "importance_sampling": True},
        {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
    ),
    "with an offline buffer": ({"capacity": 12, "offline": True}, {}),
    "with solutions": ({"capacity": 16, "update_steps": 3}, {"ce_loss_weight": 0.5, "baseline": "greedy"}),
}


def token_reward(completions, completion_ids, **columns):
    return [TokenReward(len(set(ids)) / 10, [0.05 * t for t in range(len(ids))]) for ids in completion_ids]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_run_resumes_exactly_where_its_checkpoint_was_written(make_trainer, model, tmp_path, name):
    arguments, settings = SITUATIONS[name]
    model.save_pretrained(tmp_path / "start")

    def train(resume=None, **more):
        buffer = None if arguments is None else [OnlineBuffer(**arguments)]
        fresh = type(model).from_pretrained(tmp_path / "start")
        trainer = make_trainer(token_reward, buffer, model_override=fresh, max_steps=5, **{**settings, **more})
        trainer.train(resume_from_checkpoint=resume)
        return snapshot(trainer.model)

    expected = train(save_strategy="steps", save_steps=1)
    for step in (2, 3):
        found = train(str(tmp_path / "out" / f"checkpoint-{step}"))
        for key, weights in expected.items():
            assert torch.equal(found[key], weights), (step, key)


@pytest.mark.parametrize("buffer", [False, True])
def test_a_run_resumes_exactly_in_a_later_epoch(make_trainer, model, problems, tmp_path, buffer):
    model.save_pretrained(tmp_path / "start")
    dataset, seen = problems.select(range(5)), []

    def reward(prompts, completions, **columns):
        seen.append(prompts[0])
        return by_length(completions)

    def train(resume=None, **more):
        seen.clear()
        callbacks = [OnlineBuffer(capacity=8, update_steps=2)] if buffer else None
        fresh = type(model).from_pretrained(tmp_path / "start")
        trainer = make_trainer(reward, callbacks, model_override=fresh, dataset=dataset, max_steps=9, **more)
        trainer.train(resume_from_checkpoint=resume)
        return snapshot(trainer.model), list(seen)

    expected, prompts = train(save_strategy="steps", save_steps=1)
    for step in (5, 7):
        found, resumed_prompts = train(str(tmp_path / "out" / f"checkpoint-{step}"))
        assert resumed_prompts
        assert resumed_prompts == prompts[-len(resumed_prompts) :]
        assert all(torch.equal(found[key], weights) for key, weights in expected.items())


@pytest.fixture
def saved(make_trainer, tmp_path):
    """A run with a buffer, saved after each of two steps."""
    buffer = OnlineBuffer(capacity=16, update_steps=2)
    make_trainer(token_reward, [buffer], save_strategy="steps", save_steps=1).train()
    return tmp_path / "out"


def test_a_trainer_takes_the_newest_complete_checkpoint_and_refuses_other_settings(make_trainer, saved):
    def resume(checkpoint=True, capacity=16, **settings):
        trainer = make_trainer(
            token_reward, [OnlineBuffer(capacity=capacity, update_steps=2)], max_steps=3, **settings
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer

    card = (saved / "README.md").read_text()
    assert "2307.04349" in card
    with pytest.raises(ValueError, match=r"`online_buffer` was .*16.* and is .*32"):
        resume(capacity=32)
    with pytest.raises(ValueError, match=r"`ce_loss_weight > 0` was False and is True"):
        resume(ce_loss_weight=0.5)
    (saved / "checkpoint-2" / "trainer_state.json").unlink()
    assert resume("True").state.global_step == 3  # from step 1; the text is that of a command line
    (saved / "checkpoint-1" / "rltf" / "online_buffer-rank0.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"checkpoint-1 is damaged"):
        resume(str(saved / "checkpoint-1"))


def test_a_checkpoint_without_the_state_of_the_optimizer_has_no_state_to_resume_from(make_trainer, tmp_path):
    make_trainer(by_length, max_steps=1, save_strategy="steps", save_steps=1, save_only_model=True).train()
    assert not (tmp_path / "out" / "checkpoint-1" / "rltf").exists()
