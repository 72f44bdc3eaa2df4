"""Stop and resume: killed for real, damaged for real, and refused where it cannot be exact."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
import torch
from support import by_length, snapshot

from trl_rltf import OnlineBuffer, TokenReward


SCRIPT = """
import sys, time, warnings
warnings.filterwarnings("ignore")
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, TokenReward, make_mini_apps

start, output, resume, is_slow = sys.argv[1], sys.argv[2], sys.argv[3] == "resume", sys.argv[4] == "slow"


def reward(completions, completion_ids, **columns):
    time.sleep(0.15 if is_slow else 0)
    return [TokenReward(len(set(ids)) / 10, [len(set(ids)) / 10 - 0.1 * (t % 3) for t in range(len(ids))]) for ids in completion_ids]


trainer = RLTFTrainer(
    model=AutoModelForCausalLM.from_pretrained(start),
    reward_funcs=reward,
    args=RLTFConfig(
        output_dir=output, per_device_train_batch_size=2, gradient_accumulation_steps=2, num_generations=4, use_cpu=True,
        max_completion_length=6, max_steps=14, save_strategy="steps", save_steps=1, save_total_limit=3, report_to="none",
        disable_tqdm=True, gradient_checkpointing=False, learning_rate=1e-3, ce_loss_weight=0.1, logging_steps=1,
    ),
    train_dataset=make_mini_apps("train", num_problems=16),
    processing_class=AutoTokenizer.from_pretrained(start),
    callbacks=[OnlineBuffer(capacity=16, update_steps=3)],
)
trainer.train(resume_from_checkpoint=resume or None)
torch.save({name: value for name, value in trainer.model.state_dict().items()}, output + "/weights.pt")
"""


def start(tmp_path, output, *words):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path / "start"), str(tmp_path / output), *words]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True)


def checkpoints(folder):
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))


def test_a_killed_run_that_resumes_ends_with_the_weights_of_one_that_was_not(tmp_path, model, tokenizer):
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    whole = start(tmp_path, "whole", "new", "fast")
    killed = start(tmp_path, "killed", "new", "slow")
    # At any moment after the first checkpoint, also in the middle of writing one.
    deadline, wanted = time.monotonic() + 120, random.randrange(1, 9)
    while not checkpoints(tmp_path / "killed") or checkpoints(tmp_path / "killed")[-1] < wanted:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.random() / 5)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert max(checkpoints(tmp_path / "killed")) < 14
    assert whole.wait(timeout=120) == 0
    assert start(tmp_path, "killed", "resume", "fast").wait(timeout=120) == 0
    expected, found = (torch.load(tmp_path / name / "weights.pt") for name in ("whole", "killed"))
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
@pytest.mark.parametrize("step", [2, 3])
def test_a_run_goes_on_exactly_where_its_checkpoint_was_written(make_trainer, model, tmp_path, name, step):
    arguments, settings = SITUATIONS[name]
    model.save_pretrained(tmp_path / "start")

    def train(resume=None, **more):
        buffer = None if arguments is None else [OnlineBuffer(**arguments)]
        fresh = type(model).from_pretrained(tmp_path / "start")
        trainer = make_trainer(token_reward, buffer, model_override=fresh, max_steps=5, **{**settings, **more})
        trainer.train(resume_from_checkpoint=resume)
        return snapshot(trainer.model)

    expected = train(save_strategy="steps", save_steps=1)
    found = train(str(tmp_path / "out" / f"checkpoint-{step}"))
    for key, weights in expected.items():
        assert torch.equal(found[key], weights), key


@pytest.fixture
def saved(make_trainer, model, tmp_path):
    """A run with a buffer, saved after each of three steps."""
    buffer = OnlineBuffer(capacity=16, update_steps=2)
    make_trainer(
        token_reward, [buffer], model_override=model, max_steps=3, save_strategy="steps", save_steps=1
    ).train()
    return tmp_path / "out"


def resume(make_trainer, from_, buffer=None, **settings):
    buffer = OnlineBuffer(capacity=16, update_steps=2) if buffer is None else buffer
    trainer = make_trainer(token_reward, None if buffer is False else [buffer], max_steps=4, **settings)
    trainer.train(resume_from_checkpoint=from_)
    return trainer


def test_the_buffer_is_a_parquet_file_that_people_can_read(saved):
    table = pq.read_table(saved / "checkpoint-3" / "rltf" / "online_buffer-rank0.parquet")
    assert table.num_rows == 16
    assert {"step", "prompt", "completion", "completion_ids", "advantages"} <= set(table.column_names)
    assert set(table["step"].to_pylist()) == {0, 2}
    assert all(isinstance(text, str) and text for text in table["prompt"].to_pylist())


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "online_buffer-rank0.parquet").write_bytes(b"nothing"),
        lambda folder: (folder / "online_buffer-rank0.parquet").unlink(),
        lambda folder: (folder / "state-rank0.json").write_text("{"),
        lambda folder: (folder / "state-rank0.json").write_text("[]"),
    ],
)
def test_a_damaged_checkpoint_is_refused(make_trainer, saved, damage):
    damage(saved / "checkpoint-3" / "rltf")
    with pytest.raises(ValueError, match=r"(?s)checkpoint.*damaged.*Resume from an earlier one"):
        resume(make_trainer, str(saved / "checkpoint-3"))


def test_one_flipped_byte_is_found(make_trainer, saved):
    file = saved / "checkpoint-3" / "rltf" / "online_buffer-rank0.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="has other content than was written"):
        resume(make_trainer, str(saved / "checkpoint-3"))


def test_a_checkpoint_of_other_settings_is_refused_and_they_are_named(make_trainer, saved):
    checkpoint = str(saved / "checkpoint-3")
    with pytest.raises(ValueError, match=r"`online_buffer` was .*16.* and is .*32"):
        resume(make_trainer, checkpoint, OnlineBuffer(capacity=32, update_steps=2))
    with pytest.raises(ValueError, match=r"`online_buffer` was .* and is None"):
        resume(make_trainer, checkpoint, buffer=False)
    with pytest.raises(ValueError, match=r"`num_generations` was 4 and is 2"):
        resume(make_trainer, checkpoint, num_generations=2)


def test_a_checkpoint_of_more_processes_is_refused(make_trainer, saved):
    state = saved / "checkpoint-3" / "rltf" / "state-rank0.json"
    content = json.loads(state.read_text())
    content["settings"]["num_processes"] = 2
    state.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"`num_processes` was 2 and is 1"):
        resume(make_trainer, str(saved / "checkpoint-3"))


def test_a_checkpoint_of_another_trainer_is_refused(make_trainer, saved):
    for path in (saved / "checkpoint-3" / "rltf").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="no state of an RLTF run"):
        resume(make_trainer, str(saved / "checkpoint-3"))


def test_a_checkpoint_that_was_not_finished_is_passed_over(make_trainer, saved, caplog):
    (saved / "checkpoint-3" / "trainer_state.json").unlink()
    trainer = resume(make_trainer, True)
    assert trainer.state.global_step == 4
    assert "checkpoint-3 is not whole" in caplog.text


def test_without_any_checkpoint_there_is_nothing_to_resume(make_trainer):
    with pytest.raises(ValueError, match="no whole checkpoint"):
        resume(make_trainer, True)


def test_a_run_may_be_repeated_with_the_same_trainer(make_trainer):
    trainer = make_trainer(by_length, [OnlineBuffer(capacity=8, update_steps=2)])
    trainer.train()
    trainer.train()
    assert trainer.online_buffer.num_refreshes == 1


@pytest.mark.parametrize("step", [5, 7])
@pytest.mark.parametrize("buffer", [False, True])
def test_a_run_goes_on_exactly_in_a_later_epoch(make_trainer, model, problems, tmp_path, step, buffer):
    model.save_pretrained(tmp_path / "start")
    dataset, prompts = problems.select(range(5)), []

    def reward(prompts, completions, **columns):
        seen.append(prompts[0])
        return by_length(completions)

    def train(resume=None, **more):
        callbacks = [OnlineBuffer(capacity=8, update_steps=2)] if buffer else None
        fresh = type(model).from_pretrained(tmp_path / "start")
        trainer = make_trainer(reward, callbacks, model_override=fresh, dataset=dataset, max_steps=9, **more)
        trainer.train(resume_from_checkpoint=resume)
        return snapshot(trainer.model)

    seen = prompts
    expected = train(save_strategy="steps", save_steps=1)
    seen = []
    found = train(str(tmp_path / "out" / f"checkpoint-{step}"))
    assert seen
    assert seen == prompts[-len(seen) :]
    assert all(torch.equal(found[key], weights) for key, weights in expected.items())


def test_a_process_whose_state_is_missing_does_not_take_that_of_another(make_trainer, saved):
    folder = saved / "checkpoint-3" / "rltf"
    (folder / "state-rank0.json").rename(folder / "state-rank1.json")
    with pytest.raises(ValueError, match=r"state-rank0.json is missing"):
        resume(make_trainer, str(saved / "checkpoint-3"))


@pytest.mark.parametrize(("setting", "value"), [("ce_loss_weight", 0.5), ("shuffle_dataset", False), ("seed", 3)])
def test_settings_that_shape_the_samples_cannot_change(make_trainer, saved, setting, value):
    with pytest.raises(ValueError, match=f"`{setting}.*` was .* and is"):
        resume(make_trainer, str(saved / "checkpoint-3"), **{setting: value})


def test_another_data_set_of_the_same_size_is_refused(make_trainer, saved, problems):
    other = problems.map(lambda row: {"prompt": row["prompt"] + "!"})
    with pytest.raises(ValueError, match=r"`train_dataset` was '32 rows .* and is '32 rows"):
        resume(make_trainer, str(saved / "checkpoint-3"), dataset=other)


def test_a_trainer_state_that_is_cut_off_is_passed_over(make_trainer, saved):
    path = saved / "checkpoint-3" / "trainer_state.json"
    path.write_text(path.read_text()[:50])
    assert resume(make_trainer, True).state.global_step == 4
