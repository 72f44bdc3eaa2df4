"""The command that gives a dataset more tests: its dataset, report, table and exit status."""

import json
import signal
import subprocess
import time

import pytest
from datasets import load_from_disk
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.cli import main
from trl_rltf.data import load_benchmark
from trl_rltf.scripts.evaluation_problems import select_test_source


pytestmark = pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
OTHER_SUM = "print(sum(map(int, input().split())))\n"
CALLS = {"fn_name": "top", "inputs": [[[1, 2]]], "outputs": [2]}
MAXIMA = ["def top(items): return max(items)", "def top(items): return sorted(items)[-1]"]
ASSERTS = {"asserts": ["assert top([1, 2]) == 2"]}
# Id, tests and solutions; the last ones get no new tests.
ROWS = [
    ("stdin", SUM_TESTS, [SUM_PROGRAM, OTHER_SUM]),
    ("call", CALLS, MAXIMA),
    ("assert", ASSERTS, MAXIMA),
    ("unknown", SUM_TESTS, []),
    ("wrong", SUM_TESTS, ["print(1)", "print(2)"]),
    ("single", CALLS, MAXIMA[:1]),
]


def write_rows(path, rows):
    content = [{"problem_id": name, "prompt": "p", "tests": tests, "solutions": found} for name, tests, found in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


@pytest.fixture
def augment(tmp_path, monkeypatch, capsys):
    """A function that runs the command in a folder, and gives its status, its report and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")

    def run(*arguments, sources=("mutation",)):
        given = ["--num_workers", "2", "--report", "report.json", "--num_tests", "4", "--num_inputs", "10"]
        status = main(["augment-tests", *map(str, arguments), *given, "--num_mutants", "5", "--sources", *sources])
        return status, json.loads((tmp_path / "report.json").read_text()), capsys.readouterr().out

    return run


def loaded_tests(path):
    return {row["problem_id"]: json.loads(row["tests"]) for row in load_benchmark("columns", path)}


def test_the_dataset_has_the_old_tests_then_new_ones_and_the_report_says_why_others_have_none(augment, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS)
    status, report, printed = augment(file, "--output", "more.jsonl")
    assert status == 0
    assert report["left_alone"] == {"no_solution": 1, "no_solution_passes": 1, "one_solution": 1}
    assert (report["is_complete"], report["num_augmented"], report["num_tests_before"]) == (True, 3, 9)
    assert report["test_sources"] == {"original": 9, "mutation": 12}
    assert "6 of 6 problems finished, 3 with new tests." in printed
    assert "mutants killed, of " in printed
    more = loaded_tests("more.jsonl")
    assert more["stdin"]["inputs"][:2] == SUM_TESTS["inputs"]
    assert len(more["stdin"]["inputs"]) == 6
    assert len(more["assert"]["asserts"]) == 5
    assert more["wrong"] == SUM_TESTS
    assert load_benchmark("columns", "more.jsonl")[1]["test_sources"] == ["original", *["mutation"] * 4]


def test_a_single_solution_counts_if_it_is_allowed_to_and_a_folder_can_hold_the_dataset(augment, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[-1:])
    status, report, _ = augment(file, "--allow_single_solution", "--output", "more")
    assert (status, report["num_augmented"]) == (0, 1)
    assert load_from_disk("more")[0]["test_sources"] == ["original", *["mutation"] * 4]
    assert len(loaded_tests("more")["single"]["inputs"]) == 5


def test_wrong_programs_are_killed_and_counted(augment, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[1:2])
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text(json.dumps({"problem_id": "call", "program": "def top(items): return items[-1]"}) + "\n\n")
    _, report, printed = augment(file, "--wrong_programs", wrong)
    assert (report["num_wrong"], report["wrong_killed_before"], report["wrong_killed_after"]) == (1, 0, 1)
    assert "wrong programs killed, of 1" in printed


def test_tests_that_are_evaluated_can_be_chosen_by_their_source(augment, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[:4])
    augment(file, "--output", "more.jsonl")
    problems = load_benchmark("columns", "more.jsonl")
    assert select_test_source(problems, "both") is problems
    original, new = (select_test_source(problems, source) for source in ("original", "new"))
    assert [len(names) for names in original["test_sources"]] == [2, 1, 1, 2]
    assert [len(names) for names in new["test_sources"]] == [4, 4, 4]
    assert new["problem_id"] == ["stdin", "call", "assert"]


def test_a_dataset_without_sources_or_without_new_tests_cannot_be_chosen_by_them(augment, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[3:4])
    with pytest.raises(ValueError, match="the dataset has no column `test_sources`"):
        select_test_source(load_benchmark("columns", file), "new")
    augment(file, "--output", "more.jsonl")
    with pytest.raises(ValueError, match="no problem has such a test"):
        select_test_source(load_benchmark("columns", "more.jsonl"), "new")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num_tests", "0"], "`num_tests` is 0, but must be at least 1."),
        (["--wrong_programs", "rows.jsonl"], "rows.jsonl:1: a line of `wrong_programs` must be an object"),
        (["--wrong_programs", "missing.jsonl"], "missing.jsonl: No such file"),
        (["--sources", "model"], "`--sources model` and `--model_name_or_path` belong together."),
        (["--model_name_or_path", "tiny"], "`--sources model` and `--model_name_or_path` belong together."),
        (["--output", "rows.jsonl"], "rows.jsonl: this is the dataset."),
    ],
)
def test_bad_input_ends_with_a_message_and_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.jsonl", ROWS[:1])
    with pytest.raises(SystemExit) as end:
        main(["augment-tests", "rows.jsonl", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_model_that_writes_nonsense_is_noted_and_ends_no_run(augment, tmp_path):
    pytest.importorskip("torch")
    from trl_rltf.mini import make_mini_apps, make_mini_model

    model, tokenizer = make_mini_model(make_mini_apps("test"), hidden_size=32, num_layers=1)
    model.save_pretrained(tmp_path / "tiny")
    tokenizer.save_pretrained(tmp_path / "tiny")
    file = write_rows(tmp_path / "rows.jsonl", ROWS[:2])
    flags = ("--model_name_or_path", tmp_path / "tiny", "--max_completion_length", "16")
    status, report, printed = augment(file, *flags, sources=("mutation", "model"))
    assert (status, report["num_augmented"]) == (0, 2)
    assert all(row["notes"][0].startswith("model: the program failed") for row in report["problems"])
    assert "In 2 problems a source of inputs reports a fault" in printed


@pytest.fixture
def start_augmentation(start_script, tmp_path):
    """A function that starts the command on 12 problems, and returns after the first result."""
    rows = [(f"p{i}", CALLS if i % 2 else SUM_TESTS, MAXIMA if i % 2 else [SUM_PROGRAM, OTHER_SUM]) for i in range(12)]
    write_rows(tmp_path / "many.jsonl", rows)

    def start():
        command = (
            "-m",
            "trl_rltf.cli",
            "augment-tests",
            "many.jsonl",
            "--report",
            "report.json",
            "--num_workers",
            "2",
        )
        numbers = ("--num_tests", "4", "--num_inputs", "10", "--num_mutants", "5", "--sources", "mutation")
        process = start_script(*command, *numbers, cwd=tmp_path, stderr=subprocess.PIPE, flags=("-W", "ignore"))
        unfinished = tmp_path / "report.json.unfinished"
        deadline = time.monotonic() + 120
        while not (unfinished.exists() and "\n[" in unfinished.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return process, unfinished

    return start


def test_a_killed_run_ends_with_the_same_dataset_when_it_is_started_again(start_augmentation, augment):
    process, unfinished = start_augmentation()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    kept = [json.loads(line)[1]["seconds"] for line in unfinished.read_text().splitlines() if line.endswith("]")]
    status, report, _ = augment("many.jsonl", "--output", "resumed.jsonl")
    assert (status, report["is_complete"]) == (0, True)
    # A result that was kept has the seconds of the first process.
    assert [row["seconds"] for row in report["problems"][: len(kept)]] == kept
    assert not unfinished.exists()
    augment("many.jsonl", "--output", "whole.jsonl")
    assert loaded_tests("resumed.jsonl") == loaded_tests("whole.jsonl")
    assert (
        load_benchmark("columns", "resumed.jsonl")["test_sources"]
        == load_benchmark("columns", "whole.jsonl")["test_sources"]
    )


def test_ctrl_c_keeps_what_is_finished(start_augmentation, tmp_path):
    process, unfinished = start_augmentation()
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "The same command resumes." in printed
    assert "Traceback" not in errors
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["is_complete"]
    assert unfinished.exists()
