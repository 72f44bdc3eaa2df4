"""The command that checks a dataset: its table, report, clean subset and exit status."""

import json
import signal
import subprocess
import time

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.cli import main
from trl_rltf.data import load_benchmark


pytestmark = pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
CALLS = {"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 7]}
CONSTANT = {"inputs": ["1", "2"], "outputs": ["YES", "YES"]}
COIN = {"inputs": [str(i) for i in range(40)], "outputs": [str(i % 2) for i in range(40)]}
ONE = {"inputs": ["1\n"], "outputs": ["2\n"]}
ASSERTS = {"asserts": ["assert same([2, 1]) == [2, 1]", "assert same(3) == 3"]}
# Id, prompt, tests and solutions; one row per fault.
ROWS = [
    ("right", "Add two numbers.", SUM_TESTS, [SUM_PROGRAM]),
    ("right", "Add two integers.", CALLS, ["def add(a, b): return a + b"]),
    ("twice", "Add two \nnumbers.", SUM_TESTS, [SUM_PROGRAM]),
    ("unknown", "Without a solution.", SUM_TESTS, []),
    ("wrong", "With wrong solutions.", SUM_TESTS, ["print(1)", "print(2)"]),
    ("second", "With a wrong first solution.", SUM_TESTS, ["print(1)", SUM_PROGRAM]),
    ("some", "With a wrong second solution.", SUM_TESTS, [SUM_PROGRAM, "print(1)", SUM_PROGRAM + "\n"]),
    ("constant", "Always yes.", CONSTANT, ["print('YES')"]),
    ("empty", "Print nothing.", {"inputs": ["1", "2"], "outputs": ["\n", ""]}, ["print()"]),
    ("same", "Return it.", ASSERTS, ["def same(x): return x"]),
    ("shown", "Add one.\n-----Example-----\nInput\n1\n\nOutput\n2\n", ONE, ["print(int(input()) + 1)"]),
    ("flaky", "Toss a coin.", COIN, ["import os\nprint(os.urandom(1)[0] % 2)"]),
]
LEFT_OUT = ["twice", "wrong", "second", "some", "constant", "empty", "same", "shown", "flaky"]


def write_rows(path, rows):
    names = ("problem_id", "prompt", "tests", "solutions")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    return path


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """A function that runs the command in a folder, and gives its status, its report and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")

    def run(*arguments):
        status = main(["check", *map(str, arguments), "--num_workers", "2", "--report", "report.json"])
        return status, json.loads((tmp_path / "report.json").read_text()), capsys.readouterr().out

    return run


def findings(report):
    return {row["problem_id"]: list(row["findings"]) for row in report["problems"] if row["findings"]}


def test_each_fault_is_found_and_the_rest_is_the_clean_subset(check, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS)
    file.write_text(file.read_text() + '{"prompt": "p", "tests": "{"}\n{"prompt": "p", "tests": null}\n')
    status, report, printed = check(file, "--output", "clean.jsonl")
    assert status == 1
    assert findings(report) == {
        "right (2)": ["duplicate_id"],
        "twice": ["duplicate_prompt"],
        "unknown": ["no_reference"],
        "wrong": ["no_reference_passes"],
        "second": ["first_reference_fails"],
        "some": ["some_references_fail"],
        "constant": ["cheat_passes"],
        "empty": ["empty_passes", "cheat_passes"],
        "same": ["cheat_passes"],
        "shown": ["example_passes", "one_answer"],
        "flaky": ["no_reference_passes", "flaky"],
    }
    assert [row["problem_id"] for row in report["problems"] if row["is_left_out"]] == LEFT_OUT
    assert [row["kind"] for row in report["rows_left_out"]] == ["malformed", "left_out"]
    assert (report["is_complete"], report["num_problems"], report["num_left_out"]) == (True, 12, 9)
    assert report["counts"]["cheat_passes"] == 3
    assert "row without tests" in printed
    assert "12 of 12 problems checked, 9 left out." in printed
    assert "all pass 7, the first passes 1, another one passes 1, none passes 2, there is none 1" in printed
    clean = load_benchmark("columns", "clean.jsonl")
    assert clean["problem_id"] == ["right", "right (2)", "unknown"]
    assert clean[0]["solutions"] == [SUM_PROGRAM]


def test_solutions_that_fail_are_removed_from_problems_that_are_kept(check, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[6:7])
    status, _, _ = check(file, "--keep", "some_references_fail", "--output", "clean.jsonl", "--num_solutions", "2")
    assert status == 0
    assert load_benchmark("columns", "clean.jsonl")[0]["solutions"] == [SUM_PROGRAM, SUM_PROGRAM + "\n"]


def test_the_clean_subset_is_clean_and_a_folder_can_hold_it(check, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[3:9])
    assert check(file, "--output", "clean")[0] == 1
    status, report, _ = check("clean", "--output", "again.jsonl")
    assert status == 0
    assert report["num_left_out"] == 0
    assert load_benchmark("columns", "again.jsonl")["problem_id"] == ["unknown"]


def test_the_caller_chooses_which_findings_leave_a_problem_out(check, tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[:4] + ROWS[7:8])
    assert check(file, "--leave_out", "--output", "all.jsonl")[0] == 0
    assert len(load_benchmark("columns", "all.jsonl")) == 5
    status, report, _ = check(file, "--leave_out", "no_reference", "duplicate_id")
    assert status == 1
    assert [row["problem_id"] for row in report["problems"] if row["is_left_out"]] == ["right (2)", "unknown"]
    status, report, _ = check(file, "--keep", "cheat_passes", "duplicate_prompt")
    assert (status, report["num_left_out"]) == (0, 0)


def test_two_checks_give_the_same_report_except_for_times_and_memory(check, tmp_path):
    def unmeasured(value):
        if isinstance(value, dict):
            return {key: unmeasured(item) for key, item in value.items() if not key.endswith(("seconds", "_memory"))}
        return [unmeasured(item) for item in value] if isinstance(value, list) else value

    file = write_rows(tmp_path / "rows.jsonl", ROWS[:-1])
    first, second = (unmeasured(check(file)[1]) for _ in range(2))
    assert first == second


def test_columns_benchmark_and_number_of_problems_can_be_chosen(check, tmp_path):
    rows = [{"question": "Add.", "cases": [{"input": "1 2\n", "output": "3\n"}]} for _ in range(2)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, report, _ = check(file, "--columns", "prompt=question", "tests=cases", "--max_problems", "1")
    assert report["num_problems"] == 1
    row = {"task_id": 601, "text": "Add.", "code": "def f(x): return x + 1", "test_list": ["assert f(1) == 2"]}
    file = tmp_path / "mbpp.jsonl"
    file.write_text("\n".join([json.dumps(row), "{"]))
    status, report, _ = check(file, "--benchmark", "mbpp", "--split", "train")
    assert status == 1
    assert findings(report) == {"601": ["one_answer"]}
    assert "line 2" in report["rows_left_out"][0]["message"]


def test_the_command_needs_no_torch(tmp_path, run_script):
    file = write_rows(tmp_path / "rows.jsonl", ROWS[:1])
    code = (
        "import sys\nfrom trl_rltf.cli import main\nstatus = main()\n"
        "assert not {'torch', 'transformers', 'trl'} & set(sys.modules)\nsys.exit(status)"
    )
    run_script(code, "check", file, cwd=tmp_path, flags=("-W", "ignore"))
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["check-rows.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "there is no file or folder 'nowhere.jsonl'"),
        (["bad.jsonl"], "no problem of 'columns' is left. Rows left out: 1 with a malformed column `tests`"),
        (
            ["rows.jsonl", "--columns", "test=x"],
            "`columns` has 'test=x', but must have pairs such as tests=test_cases",
        ),
        (["rows.jsonl", "--columns", "tests"], "`columns` has 'tests='"),
        (["rows.jsonl", "--output", "clean.txt"], "must be a .jsonl file or a folder"),
        (["rows.jsonl", "--output", "rows.jsonl"], "this is the dataset"),
        (["rows.jsonl", "--report", "rows.jsonl"], "this is the dataset"),
        (["rows.jsonl", "--report", "full"], "full: this is a folder"),
        (["rows.jsonl", "--output", "full"], "full: this exists and is not an empty folder"),
        (["rows.jsonl", "--report", "a.jsonl", "--output", "a.jsonl"], "this is the file of the report"),
        (["rows.jsonl", "--max_problems", "0"], "`max_problems` is 0"),
        (["rows.jsonl", "--num_runs", "0"], "`num_runs` is 0"),
        (["rows.jsonl", "--cheat_pass_ratio", "2"], "`cheat_pass_ratio` is 2.0"),
        (["rows.jsonl", "--leave_out", "nonsense"], "invalid choice: 'nonsense'"),
        (["rows.jsonl", "--split", "test", "--benchmark", "apps"], "rows.jsonl"),
        (["rows.jsonl", "--test_timeout", "0"], "`timeout` is 0"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = write_rows(tmp_path / "rows.jsonl", ROWS[:1])
    (tmp_path / "bad.jsonl").write_text('{"prompt": "p", "tests": "{"}\n')
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    before = rows.read_text()
    with pytest.raises(SystemExit) as exit_:
        main(["check", *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert rows.read_text() == before


@pytest.fixture
def start_check(start_script, tmp_path):
    """A function that starts the command on many problems, and waits until some are finished."""
    program = f"import time\ntime.sleep(0.03)\n{SUM_PROGRAM}"
    rows = [(f"problem {i}", f"Prompt {i}.", SUM_TESTS, [f"{program}# {i}"]) for i in range(40)]
    write_rows(tmp_path / "many.jsonl", rows)

    def start():
        command = ("-m", "trl_rltf.cli", "check", "many.jsonl", "--report", "report.json", "--num_workers", "2")
        process = start_script(*command, cwd=tmp_path, stderr=subprocess.PIPE, flags=("-W", "ignore"))
        unfinished = tmp_path / "report.json.unfinished"
        deadline = time.monotonic() + 60
        while not (unfinished.exists() and "\n[" in unfinished.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return process, unfinished

    return start


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_resumes(start_check, check, tmp_path):
    process, unfinished = start_check()
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "The same command resumes the check." in printed
    assert "Traceback" not in errors
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["is_complete"]
    assert 0 < report["num_checked"] < 40
    lines = unfinished.read_text().splitlines()
    status, report, _ = check("many.jsonl")
    assert (status, report["num_checked"]) == (0, 40)
    # A result that was kept has the times of the first process.
    kept = [json.loads(line)[1] for line in lines if line]
    assert [row["references"] for row in report["problems"][: len(kept)]] == [row["references"] for row in kept]
    assert not unfinished.exists()


def test_a_killed_check_is_resumed_with_a_line_that_was_cut_off(start_check, check):
    process, unfinished = start_check()
    process.kill()
    process.wait(timeout=60)
    whole = unfinished.read_text().splitlines()
    unfinished.write_text("\n".join(whole[:-1]) + "\n" + whole[-1][:40])
    status, report, _ = check("many.jsonl")
    assert (status, report["num_checked"], report["is_complete"]) == (0, 40, True)


def test_a_row_that_changed_is_checked_again(start_check, check, tmp_path):
    process, _ = start_check()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    rows = [json.loads(line) for line in (tmp_path / "many.jsonl").read_text().splitlines()]
    rows[0]["solutions"] = ["print(1)"]
    (tmp_path / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, report, _ = check("many.jsonl")
    assert findings(report) == {"problem 0": ["no_reference_passes"]}


def test_a_misspelt_benchmark_gets_the_names(capsys):
    with pytest.raises(SystemExit):
        main(["check", "mbbp"])
    text = capsys.readouterr().err
    assert "there is no benchmark, file or folder 'mbbp'. Did you mean mbpp?" in text
    assert "humaneval" in text


def test_rows_that_are_all_malformed_are_explained(tmp_path, capsys):
    (tmp_path / "other.jsonl").write_text('{"question": "Add.", "checks": "[]"}\n')
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "other.jsonl")])
    text = capsys.readouterr().err
    assert "The first of them:" in text
    assert "`question`, `checks`" in text
    assert "--columns tests=NAME" in text


def test_an_earlier_report_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "sums.jsonl", ROWS[:1])
    for _ in range(2):
        assert main(["check", "sums.jsonl", "--num_workers", "1"]) == 0
    assert "outputs/check-sums-2.json" in capsys.readouterr().out
    assert (tmp_path / "outputs" / "check-sums.json").is_file()
