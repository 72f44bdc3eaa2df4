"""Commands that are tried on this machine, and the environment of a worker."""

import sys

import pytest

from trl_rltf.execution.sandbox.command_check import WORKED, problem_of, worker_environment


def python(code):
    return [sys.executable, "-c", code]


def test_a_command_that_works_has_no_problem():
    assert problem_of(python(f"print({WORKED!r})")) == ""


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (python("import sys; sys.exit('first\\nlast line')"), "last line"),
        (python("pass"), "it printed nothing"),
        (["/nonexistent/command"], "it does not start: "),
    ],
)
def test_a_problem_is_the_last_line_of_the_error(command, problem):
    assert problem_of(command).startswith(problem)


def test_a_command_is_tried_once(tmp_path):
    command = python(f"open({str(tmp_path / 'runs')!r}, 'a').write('x'); print({WORKED!r})")
    assert [problem_of(command), problem_of(tuple(command))] == ["", ""]
    assert (tmp_path / "runs").read_text() == "x"


def test_the_environment_of_a_worker_has_nothing_of_the_callers(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    monkeypatch.setenv("HOME", "/home/user")
    environment = worker_environment()
    assert "SECRET_TOKEN" not in environment
    assert environment["HOME"] == "/nonexistent"
    assert problem_of(python(f"import os; print(os.environ.get('SECRET_TOKEN', {WORKED!r}))")) == ""
