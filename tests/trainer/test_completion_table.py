"""Completions and their token rewards are written for a report, in bounds."""

import json

import pytest

from trl_rltf import RLTFConfig, TokenReward


def records(tmp_path, step=None):
    paths = sorted(
        (tmp_path / "out/_report_completions").glob("step-*.jsonl" if step is None else f"step-{step:06d}*")
    )
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def marks_the_first_token(completions, completion_ids, log_extra, **columns):
    log_extra("outcome", ["FAILURE"] * len(completions))
    return [TokenReward(1.0, [0.25, *[1.0] * (len(ids) - 1)]) for ids in completion_ids]


def test_a_record_has_the_completion_its_problem_and_the_rewards_of_its_tokens(make_trainer, tmp_path, problems):
    trainer = make_trainer(marks_the_first_token)
    trainer.train()
    rows = records(tmp_path)
    assert [row["step"] for row in rows] == [0] * 4 + [1] * 4
    assert {row["problem"] for row in rows} <= set(problems["problem_id"])
    # The first token of a completion may be a special one, which has no text to mark.
    assert sum(bool(row["credits"]) for row in rows) >= 4
    for row in rows:
        assert row["version"] == 1
        assert row["prompt"] == problems["prompt"][problems["problem_id"].index(row["problem"])]
        assert row["outcome"] == "FAILURE"
        assert row["reward"] == 1.0
        # All completions of the group have the same rewards, so that the first token alone has an advantage.
        assert row["advantage"] < 0
        for begin, end, credit in row["credits"]:
            assert (begin, credit) == (0, -0.75)
            ids = trainer.processing_class(row["completion"])["input_ids"]
            assert row["completion"][:end] == trainer.processing_class.decode(ids[:1])


def test_the_number_of_completions_is_limited_and_spread_over_the_steps(make_trainer, tmp_path):
    settings = {"per_device_train_batch_size": 8, "num_generations": 2, "max_steps": 4}
    make_trainer(marks_the_first_token, report_completions=10, **settings).train()
    # By the end of step s at most 10 * (s + 1) / 4, in groups of two: 2, 5, 7 and 10.
    assert [len(records(tmp_path, step)) for step in range(4)] == [2, 2, 2, 4]


def test_no_completion_is_written_if_none_is_wanted(make_trainer, tmp_path):
    make_trainer(marks_the_first_token, report_completions=0).train()
    assert not (tmp_path / "out/_report_completions").exists()


def test_a_new_run_in_the_folder_replaces_the_records_of_the_last_one(make_trainer, tmp_path):
    make_trainer(marks_the_first_token, max_steps=3).train()
    assert records(tmp_path, 2)
    make_trainer(marks_the_first_token, max_steps=2).train()
    assert {row["step"] for row in records(tmp_path)} == {0, 1}


def test_a_resumed_run_keeps_the_records_before_its_checkpoint(make_trainer, tmp_path):
    make_trainer(marks_the_first_token, max_steps=3, save_strategy="steps", save_steps=1).train()
    first = records(tmp_path, 0)
    make_trainer(marks_the_first_token, max_steps=3, save_strategy="no").train(str(tmp_path / "out/checkpoint-1"))
    assert records(tmp_path, 0) == first
    assert [row["step"] for row in records(tmp_path)] == [0] * 4 + [1] * 4 + [2] * 4


def test_evaluations_are_not_recorded(make_trainer, tmp_path, problems):
    trainer = make_trainer(marks_the_first_token, eval_dataset=problems.select(range(2)), per_device_eval_batch_size=4)
    trainer.evaluate()
    assert not (tmp_path / "out/_report_completions").exists()


def test_a_disk_that_refuses_the_records_does_not_end_the_training(make_trainer, tmp_path, caplog):
    trainer = make_trainer(marks_the_first_token)
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out/_report_completions").write_text("a file in the place of the folder")
    trainer.train()
    assert trainer.state.global_step == 2
    assert "No more completions are written for the report" in caplog.text


@pytest.mark.parametrize("number", [-1, 1.5, True])
def test_a_number_of_completions_that_makes_no_sense_is_refused(tmp_path, number):
    with pytest.raises(ValueError, match="`report_completions` is"):
        RLTFConfig(str(tmp_path), report_completions=number)
