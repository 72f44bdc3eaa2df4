"""The line that shows the progress of a training."""

import fcntl
import os
import re
import struct
import sys
import termios
import threading

import pytest
from transformers import PrinterCallback, ProgressCallback

from trl_rltf import UnitTestRewardFunction
from trl_rltf.trainer import ProgressLine, add_progress_line
from trl_rltf.trainer.progress_line import describe_values


COLUMNS = 60


@pytest.fixture
def terminal():
    """A stream on a terminal of 60 columns, and a function that returns all that was written to it."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    received = []

    def read():
        try:
            while chunk := os.read(ours, 65536):
                received.append(chunk)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    stream = os.fdopen(theirs, "w", encoding="utf-8")

    def written():
        if not stream.closed:
            stream.close()
            reader.join(timeout=30)
        return b"".join(received).decode()

    yield stream, written
    written()
    os.close(ours)


def test_without_a_terminal_lines_have_steps_tests_outcomes_and_held_out_problems(
    make_trainer, runner, problems, capsys
):
    trainer = make_trainer(
        UnitTestRewardFunction(runner),
        eval_dataset=problems.select(range(1)),
        eval_strategy="steps",
        eval_steps=2,
        per_device_eval_batch_size=4,
    )
    add_progress_line(trainer, seconds_between_lines=0)
    trainer.train()
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"step 1/2 \| \d+:\d+ left \| tests \d+ % \| pass \d+ %.*", lines[0])
    assert re.fullmatch(r"step 2/2 \| 00:00 left \| .*held-out pass@1 \d+ %", lines[-1])
    assert not any("{" in line for line in lines)


def test_lines_keep_their_interval_but_for_the_first_and_the_last(make_trainer, runner, capsys):
    trainer = make_trainer(UnitTestRewardFunction(runner), max_steps=4)
    add_progress_line(trainer, seconds_between_lines=3600)
    trainer.train()
    steps = [line.split(" ")[1] for line in capsys.readouterr().out.splitlines()]
    assert steps == ["1/4", "4/4"]


def test_the_live_line_fits_the_terminal(make_trainer, runner, problems, terminal, monkeypatch):
    trainer = make_trainer(
        UnitTestRewardFunction(runner),
        eval_dataset=problems.select(range(1)),
        eval_strategy="steps",
        eval_steps=2,
        per_device_eval_batch_size=4,
        disable_tqdm=False,
    )
    add_progress_line(trainer)
    stream, written = terminal
    monkeypatch.setattr(sys, "stdout", stream)
    trainer.train()
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", written())
    frames = [frame for frame in re.split(r"[\r\n]", text) if frame.strip()]
    assert any(frame.startswith("step 2/2 | 00:00 left | tests") for frame in frames)
    assert any("evaluating 1/1" in frame for frame in frames)
    assert max(map(len, frames)) <= COLUMNS
    assert text.count("\n") == 1  # one line, which stays when the training has ended


def test_the_printing_of_logs_is_removed_and_the_line_is_added_once(make_trainer):
    for disabled in (True, False):
        trainer = make_trainer(lambda completions, **columns: [0.0] * len(completions), disable_tqdm=disabled)
        kinds = (PrinterCallback, ProgressCallback)
        assert any(isinstance(callback, kinds) for callback in trainer.callback_handler.callbacks)
        add_progress_line(trainer)
        add_progress_line(trainer)
        callbacks = trainer.callback_handler.callbacks
        assert not any(isinstance(callback, kinds) for callback in callbacks)
        assert sum(isinstance(callback, ProgressLine) for callback in callbacks) == 1


def test_a_log_without_outcomes_is_described_by_its_reward_and_then_by_its_loss():
    assert describe_values({"loss": 0.5, "reward": 0.25}) == ["reward 0.25"]
    assert describe_values({"loss": 0.5, "learning_rate": 1e-3}) == ["loss 0.5"]
    assert describe_values({}) == []


def test_outcomes_that_do_not_occur_are_left_out_but_for_passes():
    values = {"outcome/pass": 0.0, "outcome/failure": 0.75, "outcome/syntax_error": 0.25, "outcome/runtime_error": 0.0}
    values |= {"outcome/pass_ratio": 0.125, "eval_pass@1": 0.5, "eval_apps_pass@1": 1.0}
    assert describe_values(values) == [
        "tests 12 %",
        "pass 0 %, wrong 75 %, syntax 25 %",
        "held-out pass@1 50 %",
        "held-out apps pass@1 100 %",
    ]


def test_a_negative_interval_is_refused():
    with pytest.raises(ValueError, match="`seconds_between_lines` is -1, but must be at least 0"):
        ProgressLine(seconds_between_lines=-1)
