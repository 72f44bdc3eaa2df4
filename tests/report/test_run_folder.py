"""What a training, an evaluation and TRL have written is read; what is damaged or too much is said."""

import json

import pandas as pd
import pytest

from trl_rltf.report import read_run
from trl_rltf.report.completion_files import marked_ranges, parse_failure


def test_records_of_a_training_are_read(write_records):
    failure = "input: '1\\n'\nexpected: '2\\n'\ngot: '3\\n'"
    changes = {"problem": "a", "difficulty": "interview", "step": 7, "reward": 0.5, "advantage": -0.25}
    changes |= {"credits": [[0, 5, -1.0]], "tests_passed": "3/4", "error_line": 2, "first_failure": failure}
    (completion,) = read_run(write_records(changes)).completions
    assert (completion.problem, completion.difficulty, completion.step) == ("a", "interview", 7)
    assert (completion.reward, completion.advantage, completion.credits) == (0.5, -0.25, [(0, 5, -1.0)])
    assert (completion.num_passed, completion.num_tests, completion.error_line) == (3, 4, 2)
    assert completion.failure == {"input": r"'1\n'", "expected": r"'2\n'", "got": r"'3\n'"}
    assert completion.length is None


def test_a_text_that_the_trainer_has_cut_keeps_its_length(write_records):
    (completion,) = read_run(write_records({"completion": "x", "completion_length": 30_000})).completions
    assert completion.length == 30_000


def test_damaged_records_are_counted_and_left_out(write_records):
    folder = write_records({}, {"version": 2}, {"credits": None}, {})
    with open(folder / "_report_completions/step-000001.jsonl", "w") as file:
        file.write('{"version": 1, "step"')  # the process was killed
    run = read_run(folder)
    assert [completion.problem for completion in run.completions] == ["problem/0", "problem/3"]
    assert run.notes == ["3 of the completions could not be read and are left out."]


def test_of_too_many_completions_some_are_taken_at_equal_distances(write_records):
    folder = write_records(*({"problem": str(number)} for number in range(10)))
    run = read_run(folder, max_completions=4)
    # After completion i, floor((i + 1) * 4 / 10) are taken.
    assert [completion.problem for completion in run.completions] == ["2", "4", "7", "9"]
    assert run.notes == ["4 of 10 completions are shown, at equal distances."]


def test_tables_of_trl_are_read_with_their_marks(tmp_path):
    (tmp_path / "completions").mkdir()
    table = {
        "step": [3, 3],
        "prompt": ["Add.", [{"role": "user", "content": "Subtract."}]],
        "completion": ["print(x)", [{"role": "assistant", "content": "print(2)"}]],
        "reward": [0.0, 1.0],
        "bonus": [float("nan"), 0.5],
        "outcome": ["RUNTIME_ERROR", "PASS"],
        "tests_passed": ["0/2", "2/2"],
        "error_type": ["NameError", ""],
        "error_line": [1, None],
        "marked_completion": ["print(⟦x⟧)<|end|>", "print(2)<|end|>"],
        "advantage": [-0.5, 0.5],
    }
    # As TRL writes it: a column has texts or messages, not both.
    for number in (0, 1):
        rows = {name: [values[number]] for name, values in table.items()}
        pd.DataFrame(rows).to_parquet(tmp_path / f"completions/completions_0000{number}.parquet")
    first, second = read_run(tmp_path).completions
    assert (first.prompt, first.text, first.step) == ("Add.", "print(x)", 3)
    assert (first.reward, first.outcome, first.error_line) == (0.0, "RUNTIME_ERROR", 1)
    assert first.credits == [(6, 7, -1.0)]
    assert (second.prompt, second.text, second.reward) == ("Subtract.", "print(2)", 1.5)
    assert (second.advantage, second.error_line, second.credits) == (0.5, None, [])


def test_marks_are_found_only_if_the_texts_agree():
    assert marked_ranges("ab cd", "⟦ab⟧ ⟦cd⟧<end>") == [(0, 2, -1.0), (3, 5, -1.0)]
    assert marked_ranges("ab", "a⟦b<end>⟧") == [(1, 2, -1.0)]
    assert marked_ranges("ab", "other ⟦text⟧") == []
    assert marked_ranges("a⟧b", "a⟧b") == []


def test_a_failure_that_is_not_in_parts_is_kept():
    assert parse_failure("") is None
    assert parse_failure("expected: assert f(1) == 2\ngot: 3") == {"expected": "assert f(1) == 2", "got": "3"}
    assert parse_failure("something else") == {"got": "something else"}


def sample(number):
    return {
        "problem_id": f"p{number % 2}",
        "difficulty": "",
        "sample": number // 2,
        "outcome": "PASS",
        "num_passed": 1,
        "num_tests": 1,
        "error_type": None,
        "error_message": "",
        "error_line": None,
        "first_failure": None,
        "trailing_error_type": None,
        "completion": f"print({number})",
    }


def test_an_unfinished_evaluation_is_read_from_its_shards(tmp_path):
    (tmp_path / "shards").mkdir()
    for shard in range(2):
        lines = [json.dumps(sample(2 * shard + number)) for number in range(2)]
        (tmp_path / f"shards/00000{shard}.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "shards/.000002.jsonl.99").write_text("half")  # is being written
    texts = {"version": 1, "problems": {"p0": {"prompt": "Zero", "starter_code": "def f():\n"}}}
    (tmp_path / "problem_texts.json").write_text(json.dumps(texts))
    run = read_run(tmp_path)
    assert [completion.text for completion in run.completions] == [f"print({number})" for number in range(4)]
    assert [completion.prompt for completion in run.completions] == ["Zero", "", "Zero", ""]
    assert run.completions[0].starter_code == "def f():\n"


def test_an_evaluation_of_an_earlier_version_has_no_prompts(tmp_path):
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample(0)) + "\n")
    assert read_run(tmp_path).notes == ["There are no prompts: the folder has no readable `problem_texts.json`."]


def test_the_curves_of_an_unfinished_training_are_those_of_its_newest_checkpoint(tmp_path):
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        state = {"log_history": [{"step": step, "reward": 1.0}]}
        (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(json.dumps(state))
    run = read_run(tmp_path)
    assert [row["step"] for row in run.history] == [10]
    assert run.notes == ["The curves end with checkpoint-10, the newest state that the training has written."]


def test_a_damaged_file_is_named_and_left_out(tmp_path, write_records):
    folder = write_records({})
    (folder / "summary.json").write_text('{"num_pro')
    assert read_run(folder).notes == ["`summary.json` could not be read and is left out."]


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "There is no folder"), ("empty", "has nothing that a report shows")]
)
def test_a_folder_without_a_run_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        read_run(tmp_path / name)


def test_a_negative_number_of_completions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`max_completions` is -1"):
        read_run(tmp_path, max_completions=-1)


def test_a_summary_that_is_no_object_is_said(write_records):
    folder = write_records({})
    (folder / "summary.json").write_text("[]")
    assert read_run(folder).notes == ["`summary.json` is not a JSON object and is left out."]
