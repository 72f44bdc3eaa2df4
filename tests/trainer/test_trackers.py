"""TensorBoard, trackio and wandb get the same: shares of the outcomes, and completions with marked tokens."""

import html
import json
import re
import sqlite3
from pathlib import Path

import pytest

from trl_rltf import TokenReward
from trl_rltf.trainer.tensorboard_panels import completions_as_markdown


SCRIPT = Path(__file__).parent / "scripts/trackers.py"
STEPS = [1, 2, 2]  # TRL logs its table once more with the totals at the end of a training
HOSTILE = "<script>alert(1)</script> | `x` **y**\n[z](javascript:w) #"


def marks_the_first_token(completions, completion_ids, log_extra, log_metric, **columns):
    log_extra("outcome", ["FAILURE"] * len(completions))
    log_extra("first_failure", [HOSTILE] * len(completions))
    log_metric("outcome/failure", 1.0)
    log_metric("outcome/pass", 0.0)
    return [TokenReward(1.0, [0.25, *[1.0] * (len(ids) - 1)]) for ids in completion_ids]


def read_events(folder):
    """Read what was logged to TensorBoard."""
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    (file,) = folder.rglob("events.out.tfevents.*")
    events = accumulators.EventAccumulator(str(file), size_guidance={"tensors": 0})
    events.Reload()
    return events


@pytest.fixture
def train_with_tensorboard(make_trainer, tmp_path, monkeypatch):
    """Train two steps, and return the events."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))

    def train(**settings):
        make_trainer(marks_the_first_token, report_to="tensorboard", **settings).train()
        return read_events(tmp_path / "events")

    return train


def test_tensorboard_has_the_outcome_shares_in_one_chart(train_with_tensorboard):
    events = train_with_tensorboard()
    assert [event.value for event in events.Scalars("train/outcome/failure")] == [1.0, 1.0]
    (layout,) = events.Tensors("custom_scalars__config__")
    for name in ("pass", "failure", "runtime_error", "syntax_error", "not_gradable"):
        assert f"train/outcome/{name}".encode() in layout.tensor_proto.string_val[0]
        assert f"eval/outcome/{name}".encode() in layout.tensor_proto.string_val[0]


def test_tensorboard_has_a_table_of_completions_with_marked_tokens(train_with_tensorboard):
    events = train_with_tensorboard(log_completions=True, num_completions_to_print=1)
    tables = events.Tensors("completions/text_summary")
    assert [table.step for table in tables] == [1, 2]
    head, _, *rows = tables[0].tensor_proto.string_val[0].decode().splitlines()
    assert head == "| outcome | first_failure | rltf_advantage | marked_completion |"
    assert len(rows) == 4
    assert all(row.startswith("| FAILURE | ") for row in rows)
    assert all(re.search(r"\| ⟦[^⟧]+⟧[^|]* \|$", row) for row in rows)


def test_tensorboard_has_no_table_without_log_completions(train_with_tensorboard):
    assert "completions/text_summary" not in train_with_tensorboard().Tags()["tensors"]


def test_text_of_the_model_stays_text_in_a_table():
    table = completions_as_markdown({"outcome": ["PASS"], "first_failure": [HOSTILE]})
    row = table.splitlines()[2]
    assert not set("<>`*[]\\_") & set(row.replace("<br>", ""))
    cell = row.removeprefix("| PASS | ").removesuffix(" |")
    assert "|" not in cell
    assert html.unescape(cell.replace("<br>", "\n")) == HOSTILE


def test_a_table_has_the_latest_rows_only():
    rows = completions_as_markdown({"outcome": [f"row{number}" for number in range(20)]}).splitlines()[2:]
    assert rows == [f"| row{number} |" for number in range(4, 20)]


def is_marked(text):
    """Whether the first token is marked, and no other one."""
    return text.startswith("⟦") and text.count("⟦") == 1


def test_trackio_has_the_outcome_shares_and_a_table_of_completions_with_marked_tokens(run_script, tmp_path):
    pytest.importorskip("trackio", reason="trackio is not installed")
    environment = {"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1", "TRACKIO_PROJECT": "tiny"}
    run_script(SCRIPT, tmp_path, "trackio", env=environment, timeout=400)
    (database,) = (tmp_path / "trackio").glob("tiny*.db")
    with sqlite3.connect(database) as connection:
        logged = [json.loads(row) for (row,) in connection.execute("SELECT metrics FROM metrics ORDER BY id")]
    shares = [row["train/outcome/failure"] for row in logged if "train/outcome/failure" in row]
    assert shares == [1.0, 1.0]
    tables = [row["completions"]["_value"] for row in logged if "completions" in row]
    assert [rows[0]["step"] for rows in tables] == STEPS
    for rows in tables:
        assert len(rows) == 4
        assert {row["outcome"] for row in rows} == {"FAILURE"}
        assert all(is_marked(row["marked_completion"]) for row in rows)


def test_wandb_has_the_outcome_shares_and_a_table_of_completions_with_marked_tokens(run_script, tmp_path):
    pytest.importorskip("wandb", reason="wandb is not installed")
    environment = {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}
    run_script(SCRIPT, tmp_path, "wandb", env=environment, timeout=400)
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    read = [json.loads(path.read_text()) for path in run.glob("files/media/table/completions_*.table.json")]
    tables = [[dict(zip(table["columns"], row, strict=True)) for row in table["data"]] for table in read]
    assert sorted(rows[0]["step"] for rows in tables) == STEPS
    for rows in tables:
        assert len(rows) == 4
        assert {row["outcome"] for row in rows} == {"FAILURE"}
        assert all(is_marked(row["marked_completion"]) for row in rows)
    (log,) = run.glob("*.wandb")
    assert log.read_bytes().count(b"train/outcome/failure") >= 2  # once per log
