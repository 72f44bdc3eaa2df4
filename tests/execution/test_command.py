"""The command line of the grader, as a person without a trainer uses it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support import SUM_PROGRAM, SUM_TESTS


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def grade(*arguments, allow="1"):
    command = [sys.executable, "-W", "ignore", "-m", "trl_rltf.execution", "grade", *arguments]
    environment = {**os.environ, "HF_ALLOW_CODE_EVAL": allow}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def files(tmp_path):
    tests = write_lines(tmp_path / "tests.jsonl", [{"problem_id": "sum", "tests": SUM_TESTS}])
    rows = [
        {"problem_id": "sum", "source": SUM_PROGRAM, "model": "a"},
        {"problem_id": "sum", "source": "print(3)"},
        {"source": "def f(", "tests": json.dumps({"asserts": ["assert f() == 1"]})},
    ]
    return write_lines(tmp_path / "programs.jsonl", rows), tests


def test_each_program_gets_a_line_and_the_table_counts_outcomes(files, tmp_path):
    programs, tests = files
    output = tmp_path / "reports.jsonl"
    result = grade(programs, "--tests", tests, "--output", str(output))
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["PASS", "FAILURE", "SYNTAX_ERROR"]
    assert (lines[0]["model"], lines[0]["num_passed"], lines[1]["num_passed"]) == ("a", 2, 1)
    assert "source" not in lines[0]
    assert "3 of 3 programs" in result.stderr
    assert "33.3%" in result.stderr


def test_reports_go_to_standard_output_by_default(files):
    result = grade(files[0], "--tests", files[1])
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"problem_id": "sum"}], "line 1: there is no `source`"),
        ([{"source": 1, "tests": {}}], "`source` is a int"),
        ([{"source": ""}], "there is no `problem_id`"),
        ([{"source": "", "problem_id": "other"}], "no tests of problem 'other'"),
        ([{"source": "", "tests": {}}], "program 0: the tests are of an unknown format"),
        ([[1]], "this is a list, but must be an object"),
        ([], "no program in this file"),
    ],
)
def test_bad_rows_are_named_and_no_file_is_written_over(files, tmp_path, rows, message):
    output = tmp_path / "reports.jsonl"
    output.write_text("precious")
    programs = write_lines(tmp_path / "bad.jsonl", rows)
    result = grade(programs, "--tests", files[1], "--output", str(output))
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert output.read_text() == "precious"


def test_a_file_that_is_missing_or_no_json_is_named(files, tmp_path):
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"source": ""\n')
    for path, message in ((tmp_path / "nowhere.jsonl", "nowhere.jsonl"), (broken, "line 1: this is not JSON")):
        result = grade(str(path), "--tests", files[1])
        assert result.returncode == 2
        assert message in result.stderr


def test_two_lines_with_tests_of_one_problem_are_refused(files, tmp_path):
    twice = write_lines(tmp_path / "twice.jsonl", [{"problem_id": 1, "tests": SUM_TESTS}] * 2)
    assert "line 2: there are tests of problem '1' already" in grade(files[0], "--tests", twice).stderr


def test_it_asks_for_the_opt_in(files):
    result = grade(files[0], "--tests", files[1], allow="0")
    assert result.returncode == 2
    assert "--allow_code_eval" in result.stderr
    assert grade(files[0], "--tests", files[1], "--allow_code_eval", allow="0").returncode == 0


def test_ctrl_c_keeps_what_was_graded(tmp_path):
    sleeper = "import time\ntime.sleep(60)\n"
    rows = [{"source": SUM_PROGRAM, "tests": SUM_TESTS}, {"source": sleeper, "tests": SUM_TESTS}]
    programs, output = write_lines(tmp_path / "programs.jsonl", rows), tmp_path / "reports.jsonl"
    command = [sys.executable, "-W", "ignore", "-m", "trl_rltf.execution", "grade", programs, "--output", str(output)]
    process = subprocess.Popen([*command, "--timeout", "50"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (output.exists() and output.read_text().count("\n") == 1) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "1 of 2 programs" in errors
    assert json.loads(output.read_text())["outcome"] == "PASS"
