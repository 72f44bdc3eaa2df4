"""Findings compared with outcomes, with shares worked out by hand."""

import json

import numpy as np
import pytest
from benchmarks.analyser import (
    EvidenceArguments,
    Sample,
    _difference,
    _resampled,
    _share,
    main,
    outcome_table,
    read_samples,
    rule_table,
)
from rich.console import Console

from trl_rltf.analysis import RuffAnalyser


pytest.importorskip("ruff", reason="ruff is not installed")

STARTER = 'from typing import List\n\n\ndef f(a: List[int]) -> int:\n    """Add."""\n'
ROWS = [
    ("p0", "PASS", "print(1)\n"),
    ("p0", "RUNTIME_ERROR", "```python\nprint(nothing)\n```"),
    ("p1", "SYNTAX_ERROR", "print("),
    ("p1", "FAILURE", "def f(a):\n    unused = 1\n    return 2\n"),
    ("p2", "PASS", "def f(a: List[int]) -> int:\n    return 1\n"),
    ("p2", "NOT_GRADABLE", "print(nothing)\n"),
]


@pytest.fixture
def run_folder(tmp_path):
    """A finished run of an evaluation."""
    rows = [
        {"problem_id": problem, "outcome": outcome, "completion": text, "trailing_error_type": None}
        for problem, outcome, text in ROWS
    ]
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def sample(problem, outcome, *rules):
    return Sample(problem, outcome, frozenset(rules))


def rows_of(table):
    columns = [list(column.cells) for column in table.columns]
    return {row[0]: row[1:] for row in zip(*columns, strict=True)}


def test_samples_have_the_rules_of_their_findings(run_folder):
    found = [(s.problem, s.outcome, sorted(s.rules)) for s in read_samples(run_folder, None, RuffAnalyser())]
    assert found == [
        ("p0", "PASS", []),
        ("p0", "RUNTIME_ERROR", ["F821"]),
        ("p1", "SYNTAX_ERROR", ["invalid-syntax"]),
        ("p1", "FAILURE", ["F841"]),
        ("p2", "PASS", ["F821"]),
    ]


def test_programs_are_completed_with_the_starter_code_of_their_problems(run_folder, tmp_path):
    problem = {"task_id": "p2", "prompt": STARTER, "entry_point": "f", "canonical_solution": "    return 1\n"}
    problem["test"] = "def check(candidate):\n    assert candidate([]) == 1\n"
    (tmp_path / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    settings = {"benchmark": "humaneval", "dataset_test_split": None}
    (run_folder / "settings.json").write_text(json.dumps(settings))
    samples = read_samples(run_folder, str(tmp_path / "problems.jsonl"), RuffAnalyser())
    assert [sorted(s.rules) for s in samples if s.problem == "p2"] == [[]]


def test_shards_of_a_run_that_is_not_finished_are_read(run_folder):
    (run_folder / "shards").mkdir()
    (run_folder / "samples.jsonl").rename(run_folder / "shards" / "000000.jsonl")
    (run_folder / "shards" / ".000001.jsonl.17").write_text("unfinished")
    assert len(read_samples(run_folder, None, RuffAnalyser())) == 5


def test_the_outcome_table_has_the_share_with_a_finding_of_a_default_rule():
    samples = [
        sample("p0", "PASS"),
        sample("p1", "PASS", "F401"),
        Sample("p2", "FAILURE", frozenset(["F841"]), has_trailing_error=True),
        sample("p3", "FAILURE", "F401"),
        sample("p4", "SYNTAX_ERROR", "invalid-syntax"),
    ]
    rows = rows_of(outcome_table(samples))
    assert rows["PASS"] == ("2", "0.0%", "0", "0")
    assert rows["FAILURE"] == ("2", "50.0%", "0", "1")
    assert rows["SYNTAX_ERROR"] == ("1", "100.0%", "1", "0")
    assert rows["all"][:1] == ("5",)
    assert rows["all"][1].startswith("40.0% [")


def test_the_rule_table_compares_with_the_samples_that_compile():
    samples = [
        *(sample(f"p{i}", "FAILURE", "F821") for i in range(5)),
        *(sample(f"p{i}", "PASS", "F841") for i in range(5)),
        sample("p5", "RUNTIME_ERROR", "F841", "F821"),
        sample("p6", "SYNTAX_ERROR", "invalid-syntax"),
    ]
    rows = rows_of(rule_table(samples, ["F821", "F841", "F401"]))
    assert rows["(all samples)"][1:4] == ("12", "7", rows["(all samples)"][3])
    assert rows["(samples that compile)"][3].startswith("54.5% [")  # 6 of 11
    assert rows["any default rule, compiles"][1:3] == ("11", "6")
    assert rows["F821"][:4] == ("yes", "6", "6", "100.0% [100.0, 100.0]")
    assert rows["F821"][4].startswith("+45.5 [")
    assert rows["F841"][3].startswith("16.7% [")
    assert rows["F841"][4].startswith("-37.9 [")
    assert rows["invalid-syntax"][:4] == ("yes", "1", "1", "100.0%")  # too few problems for an interval
    assert "F401" not in rows


def test_problems_are_resampled_with_all_of_their_samples():
    part = [sample("p0", "PASS")] * 3 + [sample("p1", "FAILURE")]
    (shares,) = _resampled([part], lambda one: one.fails)
    # Two draws of two problems: both p0, both p1, or one of each.
    assert set(np.round(shares, 6)) == {0.0, 0.25, 1.0}
    assert abs((shares == 0.25).mean() - 0.5) < 0.05


def test_a_resample_without_a_sample_of_the_rule_is_left_out():
    base = [sample(f"p{i}", "PASS") for i in range(9)] + [sample("p9", "FAILURE")]
    of_part, of_base = _resampled([base[9:], base], lambda one: one.fails)
    assert set(of_part) == {1.0}
    assert 1200 < len(of_part) == len(of_base) < 1400  # 1 - 0.9 ** 10 of 2000
    assert _difference(base[9:], base) == "+90.0"
    assert _share([], lambda one: one.fails) == _difference([], base) == "-"


def test_the_tables_of_a_run_are_printed(run_folder):
    console = Console(width=140, record=True)
    main(EvidenceArguments([str(run_folder)]), console)
    printed = console.export_text()
    assert "run: 5 samples of 3 problems" in printed
    assert "| F821 " in printed


def test_a_run_without_samples_and_names_that_do_not_match_are_refused(tmp_path):
    (tmp_path / "shards").mkdir()
    with pytest.raises(SystemExit, match="has no graded samples"):
        main(EvidenceArguments([str(tmp_path)]), Console())
    with pytest.raises(SystemExit, match="There are 1 `runs` and 2 `dataset_names`"):
        main(EvidenceArguments([str(tmp_path)], ["a", "b"]), Console())
