"""The command that grades a file of programs."""

import json
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import ExecutionReport, Outcome
from trl_rltf.execution.__main__ import main
from trl_rltf.scripts import grade as script


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


COMMAND = ("-m", "trl_rltf.execution", "grade")
FLAGS = ("-W", "ignore")


@pytest.fixture
def run_grade(run_script):
    """A function that grades files with the command."""

    def run(*arguments, allow="1"):
        return run_script(*COMMAND, *arguments, env={"HF_ALLOW_CODE_EVAL": allow}, check=False, flags=FLAGS)

    return run


@pytest.fixture
def files(tmp_path):
    tests = write_lines(tmp_path / "tests.jsonl", [{"problem_id": "sum", "tests": SUM_TESTS}])
    rows = [
        {"problem_id": "sum", "source": SUM_PROGRAM, "model": "a"},
        {"problem_id": "sum", "source": "print(3)"},
        {"source": "def f(", "tests": json.dumps({"asserts": ["assert f() == 1"]})},
    ]
    return write_lines(tmp_path / "programs.jsonl", rows), tests


def test_each_program_gets_a_line_and_the_table_counts_outcomes(files, tmp_path, run_grade):
    programs, tests = files
    output = tmp_path / "reports.jsonl"
    result = run_grade(programs, "--tests", tests, "--output", str(output))
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["PASS", "FAILURE", "SYNTAX_ERROR"]
    assert (lines[0]["model"], lines[0]["num_passed"], lines[1]["num_passed"]) == ("a", 2, 1)
    assert "source" not in lines[0]
    assert "3 of 3 programs" in result.stderr
    assert "33.3%" in result.stderr


def test_reports_go_to_standard_output_by_default(files, run_grade):
    result = run_grade(files[0], "--tests", files[1])
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"problem_id": "sum"}], "line 1: there is no `source`"),
        ([{"source": 1, "tests": {}}], "`source` is a number, but must be a string"),
        ([{"source": None, "tests": {}}], "line 1: `source` is null, but must be a string"),
        ([{"source": ""}], "there is no `problem_id`"),
        ([{"source": "", "problem_id": "other"}], "no tests of problem 'other'"),
        ([{"source": "", "tests": {}}], "line 1: the tests are of an unknown format"),
        ([{"source": "", "tests": "{"}], "line 1: the tests are not valid JSON"),
        ([{"source": "", "tests": "[" * 100_000}], "line 1: the tests are not valid JSON"),
        ([{"source": "", "tests": 1}], "line 1: the tests are a int"),
        ([{"source": "", "problem_id": None}], "line 1: `problem_id` is null"),
        ([{"source": "", "problem_id": [1]}], "line 1: `problem_id` is a list"),
        ([[1]], "this is a list, but must be an object"),
        ([], "no program in this file"),
    ],
)
def test_bad_rows_are_named_and_no_file_is_overwritten(files, tmp_path, rows, message, run_grade):
    output = tmp_path / "reports.jsonl"
    output.write_text("precious")
    programs = write_lines(tmp_path / "bad.jsonl", rows)
    result = run_grade(programs, "--tests", files[1], "--output", str(output))
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert output.read_text() == "precious"


def test_a_program_is_graded_within_the_limits_of_its_line_or_of_its_tests(tmp_path, run_grade):
    busy = "import time\nwhile time.process_time() < 0.4:\n    pass\nmemory = bytearray(96 * 2**20)\nprint(3)"
    one = {"inputs": [""], "outputs": ["3"]}
    tests = [
        {"problem_id": "short", "tests": one, "time_limit": 0.1},
        {"problem_id": "small", "tests": one, "memory_limit": 2**26, "time_limit": None},
    ]
    programs = [
        {"problem_id": "short", "source": busy},
        {"problem_id": "short", "source": busy, "time_limit": 2},
        {"problem_id": "small", "source": busy},
        {"problem_id": "small", "source": busy, "memory_limit": 2**28},
        {"tests": one, "source": busy, "time_limit": 0.1},
        {"tests": one, "source": busy},
    ]
    files = write_lines(tmp_path / "p.jsonl", programs), "--tests", write_lines(tmp_path / "t.jsonl", tests)
    result = run_grade(*files)
    assert result.returncode == 0, result.stderr
    errors = [json.loads(line)["error_type"] for line in result.stdout.splitlines()]
    assert errors == ["TimeoutError", None, "MemoryError", None, "TimeoutError", None]


@pytest.mark.parametrize("in_tests", [True, False])
def test_a_malformed_limit_is_named(tmp_path, in_tests, run_grade):
    limit = {"time_limit": "2 s"}
    tests = [{"problem_id": "sum", "tests": SUM_TESTS, **(limit if in_tests else {})}]
    programs = [{"problem_id": "sum", "source": "", **({} if in_tests else limit)}]
    files = write_lines(tmp_path / "p.jsonl", programs), "--tests", write_lines(tmp_path / "t.jsonl", tests)
    result = run_grade(*files)
    assert result.returncode == 2
    name = "t.jsonl" if in_tests else "p.jsonl"
    assert f"{name}, line 1: `time_limit` is '2 s', but must be a number of seconds" in result.stderr


def test_a_missing_or_malformed_file_is_named(files, tmp_path, run_grade):
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"source": ""\n')
    for path, message in ((tmp_path / "nowhere.jsonl", "nowhere.jsonl"), (broken, "line 1: this is not JSON")):
        result = run_grade(str(path), "--tests", files[1])
        assert result.returncode == 2
        assert message in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "line 1: this is not JSON (the text is nested too deeply)."),
        (b'{"a":' * 100_000, "line 1: this is not JSON (the text is nested too deeply)."),
        (b'\n{"source": "\xff"}', "line 2: this is not JSON (the text is not UTF-8: invalid start byte at byte 12)."),
        (b"\0\0\n", "line 1: this is not JSON"),
        (b'{"source": "\0"}', "line 1: this is not JSON"),
        (b"", "there is no program in this file"),
        (b"\xef\xbb\xbf\r\n \n", "there is no program in this file"),
        (b"7" * 5000, "line 1: this is a number, but must be an object"),
        (b"null", "line 1: this is null, but must be an object"),
    ],
)
@pytest.mark.parametrize("is_tests", [False, True])
def test_malformed_bytes_give_one_sentence_that_names_the_line(files, tmp_path, capsys, content, message, is_tests):
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(content)
    with pytest.raises(SystemExit) as exit_:
        main(["grade", *((files[0], "--tests", str(odd)) if is_tests else (str(odd),)), "--allow_code_eval"])
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert error.count("\n") == 1
    if is_tests and not content.strip(b"\xef\xbb\xbf\r\n "):
        message = f"there are no tests of problem 'sum'. {odd} has no line for that problem."
    assert message in error


contents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from("inputs outputs fn_name asserts setup".split()), inner, max_size=3)
    ),
    max_leaves=5,
)
rows = st.dictionaries(st.sampled_from(["source", "problem_id", "tests"]), contents, max_size=3)
lines_of_bytes = (
    st.binary(max_size=20)
    | st.text(alphabet='{}[]":,0\\s', max_size=20).map(str.encode)
    | rows.map(lambda row: json.dumps(row).encode())
)


@given(st.lists(lines_of_bytes, max_size=3).map(b"\n".join), st.lists(lines_of_bytes, max_size=3).map(b"\n".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_arbitrary_lines_give_one_sentence(tmp_path, capsys, programs, tests):
    files = tmp_path / "programs.jsonl", tmp_path / "tests.jsonl"
    for file, content in zip(files, (programs + b"\n{}", tests), strict=True):  # a last line without a program
        file.write_bytes(content)
    with pytest.raises(SystemExit) as exit_:
        main(["grade", str(files[0]), "--tests", str(files[1]), "--allow_code_eval"])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("index", [0, 1])
def test_an_input_file_is_not_overwritten(files, tmp_path, link, index, run_grade):
    output = tmp_path / "link.jsonl" if link else files[index]
    if link:
        output.symlink_to(files[index])
    before = Path(files[index]).read_text()
    result = run_grade(files[0], "--tests", files[1], "--output", str(output))
    assert result.returncode == 2
    assert "this is an input file" in result.stderr
    assert Path(files[index]).read_text() == before


def test_a_folder_in_place_of_a_file_is_named(files, tmp_path, capsys):
    for arguments in ([str(tmp_path)], [files[0], "--tests", files[1], "--output", str(tmp_path / "no" / "file")]):
        with pytest.raises(SystemExit) as exit_:
            main(["grade", *arguments, "--allow_code_eval"])
        assert exit_.value.code == 2
        assert f": {tmp_path}" in capsys.readouterr().err


def test_files_of_windows_tests_as_text_and_long_integers_are_read(tmp_path, run_grade):
    programs, tests = tmp_path / "programs.jsonl", tmp_path / "tests.jsonl"
    big = "7" * 5000
    row = {"source": SUM_PROGRAM, "problem_id": 7}
    programs.write_bytes(b"\xef\xbb\xbf" + json.dumps(row)[:-1].encode() + f', "big": {big}}}\r\n\r\n'.encode())
    tests.write_bytes(b"\xef\xbb\xbf" + json.dumps({"problem_id": "7", "tests": json.dumps(SUM_TESTS)}).encode())
    result = run_grade(str(programs), "--tests", str(tests))
    assert result.returncode == 0, result.stderr
    assert f'"big": {big}' in result.stdout
    assert '"outcome": "PASS"' in result.stdout


def test_the_whole_module_is_judged_on_request_and_trailing_errors_are_counted(files, monkeypatch, capsys):
    seen = []

    class Runner:
        sandbox = SimpleNamespace(layers=["none"])

        def __init__(self, **options):
            seen.append(options.get("whole_module"))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def stream(self, programs):
            names = ["NameError", None, "AssertionError"]
            return iter([ExecutionReport(Outcome.PASS, trailing_error_type=name) for name in names])

    monkeypatch.setattr(script, "LocalRunner", Runner)
    for flags in ([], ["--whole_module"]):
        assert main(["grade", files[0], "--tests", files[1], "--allow_code_eval", *flags]) == 0
        assert "2 programs have an error in code that the tests do not use" in capsys.readouterr().err
    assert seen == [None, True]


def test_two_lines_with_tests_of_one_problem_are_refused(files, tmp_path, run_grade):
    twice = write_lines(tmp_path / "twice.jsonl", [{"problem_id": 1, "tests": SUM_TESTS}] * 2)
    assert "line 2: another line has the tests of problem '1'" in run_grade(files[0], "--tests", twice).stderr


def test_grading_needs_the_opt_in(files, run_grade):
    result = run_grade(files[0], "--tests", files[1], allow="0")
    assert result.returncode == 2
    assert "--allow_code_eval" in result.stderr
    assert run_grade(files[0], "--tests", files[1], "--allow_code_eval", allow="0").returncode == 0


def test_ctrl_c_keeps_what_was_graded(tmp_path, start_script):
    sleeper = "import time\ntime.sleep(60)\n"
    rows = [{"source": SUM_PROGRAM, "tests": SUM_TESTS}, {"source": sleeper, "tests": SUM_TESTS}]
    programs, output = write_lines(tmp_path / "programs.jsonl", rows), tmp_path / "reports.jsonl"
    arguments = (programs, "--output", output, "--timeout", 50)
    process = start_script(*COMMAND, *arguments, flags=FLAGS, stdout=None, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not (output.exists() and output.read_text().count("\n") == 1) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "1 of 2 programs" in errors
    assert json.loads(output.read_text())["outcome"] == "PASS"
