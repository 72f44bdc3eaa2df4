"""The gates of feedback: figures by hand, the choice of failures, and the command on a tiny model."""

import json
import sys

import architectures
import pytest
from ablation import gates
from ablation.gates_report import Figure, figures
from datasets import Dataset

from trl_rltf.metrics import Evaluation, ProblemCounts


TESTS = {"asserts": ["assert f(1) == 2"]}


def evaluation(correct, num_samples, outcomes):
    return Evaluation([ProblemCounts(str(n), "", num_samples, count) for n, count in enumerate(correct)], outcomes)


def test_shares_and_differences_are_those_of_the_counts():
    first = evaluation([0, 1, 2, 2], 2, {"PASS": 5, "FAILURE": 2, "RUNTIME_ERROR": 1, "SYNTAX_ERROR": 0})
    results = {
        name: evaluation(correct, 4, {"PASS": sum(correct), "FAILURE": 8 - sum(correct)})
        for name, correct in {"fresh": [1, 1], "feedback": [2, 2], "placebo": [0, 2], "repair": [0, 0]}.items()
    }
    found = {figure.name: figure for figure in figures(first, [True, False, False, False], results)}
    values = {name: round(figure.value, 4) for name, figure in found.items()}
    assert values == {
        "pass@1": 0.625,
        "failures that are FAILURE": 0.6667,
        "failures that are RUNTIME_ERROR": 0.3333,
        "groups that all fail": 0.25,
        "groups with both": 0.25,
        "groups that all pass": 0.5,
        "failures with a correction that keeps their beginning": 0.25,
        "pass@1, fresh": 0.25,
        "pass@1, feedback": 0.5,
        "pass@1, placebo": 0.25,
        "pass@1, repair": 0.0,
        "feedback - fresh": 0.25,
        "feedback - placebo": 0.25,
        "repair - fresh": -0.25,
    }
    assert found["feedback - fresh"].cells == ("+25.0", "[+25.0, +25.0]", "2")
    assert found["pass@1"].number == 4


def test_without_failures_the_table_ends_early():
    names = [figure.name for figure in figures(evaluation([2], 2, {"PASS": 2}), [], {})]
    assert names == ["pass@1", "groups that all fail", "groups with both", "groups that all pass"]


def test_a_share_is_shown_in_percent():
    assert Figure("x", 0.5, 0.25, 0.75, 8).cells == ("50.0 %", "[25.0, 75.0]", "8")


@pytest.fixture
def failures(runner):
    rows = [
        {
            "problem_id": str(n),
            "difficulty": "",
            "prompt": f"Task {n}.",
            "tests": TESTS,
            "solutions": [f"def f(x): return x + 1 # {n}"],
        }
        for n in range(3)
    ]
    sources = {
        "0": ["def f(x): return 1", "def f(x): return 2", "def f(x): return x / 0", "def f(x): return 3"],
        "1": ["def f(x): return 2", "def f(x):"],
        "2": ["def f(x): return 2"],
    }  # fmt: skip
    return gates.choose_failures(Dataset.from_list(rows), sources, runner, 10)


def test_at_most_two_failures_of_a_problem_are_chosen_with_its_right_programs(failures):
    assert [one.problem["problem_id"] for one in failures] == ["0", "0", "1"]
    assert failures[0].donors == ["def f(x): return 2", "def f(x): return x + 1 # 0"]
    assert failures[2].source == "def f(x):"


def test_each_kind_of_prompt_has_the_feedback_that_it_should_have(failures):
    rows = gates.prompts(failures)
    assert list(rows) == ["fresh", "feedback", "placebo", "repair"]
    assert [row["problem_id"] for row in rows["fresh"]] == ["0 failure 0", "0 failure 1", "1 failure 2"]
    assert [row["prompt"] for row in rows["fresh"]] == ["Task 0.", "Task 0.", "Task 1."]
    own, other = failures[2].feedback, failures[1].feedback
    assert rows["feedback"][2]["prompt"] == f"Task 1.\n\nAn earlier attempt failed. {own}\n\nSolve the problem."
    assert rows["placebo"][2]["prompt"] == rows["feedback"][2]["prompt"].replace(own, failures[0].feedback)
    assert rows["placebo"][0]["prompt"] == rows["feedback"][0]["prompt"].replace(failures[0].feedback, other)
    assert "```python\ndef f(x):\n```\n\nThe program does not compile." in rows["repair"][2]["prompt"]


def test_the_command_measures_a_model_and_resumes(tmp_path, monkeypatch, capsys, write_problems):
    model, tokenizer = architectures.make("llama")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    write_problems(tmp_path / "mbpp.jsonl", ["Add.", "Add one.", "Add two."])
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    flags = {
        "model_name_or_path": tmp_path / "model", "dataset_name": tmp_path / "mbpp.jsonl", "output_dir": tmp_path / "run",
        "num_problems": 2, "group_size": 2, "samples_per_failure": 1, "max_completion_length": 6,
    }  # fmt: skip
    command = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["gates.py", *command])
    gates.run_command()
    printed = capsys.readouterr().out
    assert "2 problems of mbpp" in printed
    written = (tmp_path / "run" / "gates.json").read_text()
    assert {figure["name"] for figure in json.loads(written)} >= {"pass@1", "pass@1, repair", "feedback - placebo"}
    samples = (tmp_path / "run" / "fresh" / "samples.jsonl").stat().st_mtime_ns
    gates.run_command()
    assert (tmp_path / "run" / "gates.json").read_text() == written
    assert (tmp_path / "run" / "fresh" / "samples.jsonl").stat().st_mtime_ns == samples
    monkeypatch.setattr(sys, "argv", ["gates.py", *command, "--group_size", "0"])
    with pytest.raises(SystemExit):
        gates.run_command()
    assert "`group_size` is 0, but must be at least 1" in capsys.readouterr().err
