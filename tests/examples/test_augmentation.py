"""The measurement of new tests: held-out programs, and rewritten ones."""

import json
import sys

import pytest
from benchmarks import augmentation, caught_samples
from benchmarks.same_meaning import rewrite_program
from datasets import Dataset, load_from_disk


PROGRAM = """def f(items, low):
    total = 0
    for item in items:
        if low < item:
            total += item * 2
    return total
"""


def test_rewritten_programs_differ_in_text_and_not_in_meaning():
    texts = list(rewrite_program(PROGRAM))
    assert len(set(texts)) == 4
    for text in texts:
        names = {}
        exec(text, names)
        assert names["f"]([1, 5, 7], 3) == 24
    assert "renamed_total" in texts[0]
    assert "item > low" in texts[1]
    assert "item * (2 + 0)" in texts[2]
    assert "pass" in texts[3]


def test_text_that_is_no_program_is_not_rewritten():
    assert list(rewrite_program("x = = 1")) == []


def test_of_three_solutions_the_last_is_held_out_and_the_figures_are_kept(tmp_path, monkeypatch):
    solutions = [
        f"def top(items):\n    return {text}\n"
        for text in ("max(items)", "sorted(items)[-1]", "-min(-i for i in items)")
    ]
    tests = {"fn_name": "top", "inputs": [[[1, 2]], [[3, 1]]], "outputs": [2, 3]}
    rows = [
        {"problem_id": "three", "prompt": "p", "tests": tests, "solutions": solutions},
        {"problem_id": "one", "prompt": "p", "tests": tests, "solutions": solutions[:1]},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["columns", str(tmp_path / "rows.jsonl"), "--allow_single_solution", "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["augment_evidence.py", *arguments])
    augmentation.main()
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert (figures["num_problems"], figures["num_augmented"], figures["num_held_out_all"]) == (2, 2, 5)
    assert figures["held_out_one_per_problem"] == pytest.approx([1, 1, 1])
    lines = (tmp_path / "out" / "details.jsonl").read_text().splitlines()
    assert {json.loads(line)["problem_id"]: json.loads(line)["num_solutions"] for line in lines} == {
        "three": 2,
        "one": 1,
    }
    # The same command runs nothing again.
    augmentation.main()
    assert (tmp_path / "out" / "details.jsonl").read_text().splitlines() == lines
    assert load_from_disk(str(tmp_path / "out" / "dataset"))["problem_id"]


def test_samples_that_only_the_original_tests_accept_are_counted_and_written(tmp_path, capsys):
    """Of problem a, one of two passing samples fails the new test; problem b has no new test."""
    rows = [
        {
            "problem_id": name, "prompt": f"Square, {name}.", "solutions": ["def f(x):\n    return x * x\n"],
            "tests": json.dumps({"asserts": tests}), "test_sources": sources,
        }
        for name, tests, sources in (
            ("a", ["assert f(2) == 4", "assert f(3) == 9"], ["original", "mutation"]),
            ("b", ["assert f(2) == 4"], ["original"]),
        )
    ]  # fmt: skip
    Dataset.from_list(rows).save_to_disk(tmp_path / "augmented")
    texts = {"square": "def f(x):\n    return x * x\n", "double": "def f(x):\n    return x + x\n"}
    samples = [
        {"problem_id": "a", "outcome": "PASS", "completion": texts["square"]},
        {"problem_id": "a", "outcome": "PASS", "completion": texts["double"]},
        {"problem_id": "a", "outcome": "FAILURE", "completion": "f = abs"},
        {"problem_id": "b", "outcome": "PASS", "completion": texts["double"]},
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, samples)))
    caught_samples.main([str(tmp_path / "augmented"), str(tmp_path), "--output", str(tmp_path / "caught.txt")])
    printed = capsys.readouterr().out
    assert "2 samples: {'PASS': 1, 'FAILURE': 1}" in printed
    assert "refused: 50.0 % [50.0, 50.0], 1 of 1 problems have one" in printed
    (text,) = (tmp_path / "caught.txt").read_text().split("=== ")[1:]
    assert text.startswith("problem a\ninput: f(3)")
    assert texts["double"] in text


def test_the_share_of_refused_samples_weighs_samples_and_its_interval_is_over_problems():
    value, low, high = caught_samples.share_with_interval([[True], [False, False, False]])
    assert value == 0.25
    assert (low, high) == (0.0, 1.0)
