"""The command that compares finished evaluations: its figures, and what it refuses."""

import json

import pytest
from datasets import Dataset
from support import SUM_TESTS

from trl_rltf import cli
from trl_rltf.generation import Completion
from trl_rltf.metrics import evaluate


RIGHT, WRONG, CUT = "print(sum(map(int, input().split())))", "print('no')", "print(("
# Two samples of each of four problems: 2, 1, 0 and 0 of them are right, and then 2, 2, 1 and 0.
BEFORE = [(RIGHT, RIGHT), (WRONG, RIGHT), (WRONG, CUT), (WRONG, WRONG)]
AFTER = [(RIGHT, RIGHT), (RIGHT, RIGHT), (RIGHT, WRONG), (WRONG, WRONG)]


class FixedSampler:
    """Gives the completions of a table, of which `CUT` was cut at the length limit."""

    fingerprint = "fixed"

    def __init__(self, table):
        self.table = table

    def sample(self, problems, num_samples, seed):
        rows = [self.table[int(row["problem_id"])][:num_samples] for row in problems]
        return [[Completion(text, is_clipped=text is CUT) for text in row] for row in rows]

    def program(self, completion):
        return completion


def make_problems(number=4, prompt="Add the numbers.", start=0):
    rows = [
        {
            "problem_id": str(index),
            "difficulty": "",
            "prompt": prompt + "!" * index,
            "tests": json.dumps(SUM_TESTS),
            "solutions": [],
        }
        for index in range(start, start + number)
    ]
    return Dataset.from_list(rows)


@pytest.fixture
def finish(tmp_path, runner):
    """A function that finishes an evaluation in a folder, and gives the folder."""

    def run(name, table, problems=None, num_samples=2, **settings):
        folder = tmp_path / name
        problems = problems or make_problems()
        evaluate(
            problems, FixedSampler(table), runner, num_samples, folder=folder, settings=settings, samples_per_shard=4
        )
        return folder

    return run


@pytest.fixture
def compare(capsys, monkeypatch):
    """A function that runs the command, and gives its status and what it printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        capsys.readouterr()  # the progress of the evaluations
        try:
            status = cli.main(["compare", *map(str, arguments)])
        except SystemExit as exit_:
            status = exit_.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_pass_at_k_and_its_difference_are_those_worked_out_by_hand(finish, compare):
    status, printed, _ = compare(finish("before", BEFORE), finish("after", AFTER), "--k", "1", "2", "--json")
    first, second = (found := json.loads(printed))["runs"]
    assert status == 0
    assert (found["num_problems"], found["differing_settings"]) == (4, {})
    # pass@1 of the problems: 1, 1/2, 0, 0 and 1, 1, 1/2, 0; pass@2: 1, 1, 0, 0 and 1, 1, 1, 0.
    assert [first["pass_at_k"][k]["value"] for k in ("pass@1", "pass@2")] == [3 / 8, 1 / 2]
    assert [second["pass_at_k"][k]["value"] for k in ("pass@1", "pass@2")] == [5 / 8, 3 / 4]
    assert "difference" not in first
    # The gains of pass@1 are 0, 1/2, 1/2, 0: the mean of four draws is 0 with probability 1/16, and 1/2 with the same.
    assert second["difference"]["pass@1"] == {"value": 1 / 4, "low": 0.0, "high": 1 / 2}
    # Those of pass@2 are 0, 0, 1, 0: the mean is 1 with probability 1/256, and 3/4 or more with 13/256.
    assert second["difference"]["pass@2"] == {"value": 1 / 4, "low": 0.0, "high": 3 / 4}
    assert (second["num_better_problems"], second["num_worse_problems"]) == (2, 0)


def test_a_worse_run_has_a_negative_difference(finish, compare):
    _, printed, _ = compare(finish("after", AFTER), finish("before", BEFORE), "--json")
    found = json.loads(printed)["runs"][1]
    assert found["difference"] == {"pass@1": {"value": -1 / 4, "low": -1 / 2, "high": 0.0}}
    assert (found["num_better_problems"], found["num_worse_problems"]) == (0, 2)


def test_outcomes_and_completions_that_were_cut_off_are_shares_of_the_samples(finish, compare):
    _, printed, _ = compare(finish("before", BEFORE), finish("after", AFTER), "--json")
    first, second = json.loads(printed)["runs"]
    assert first["outcome_shares"] == {
        "PASS": 3 / 8, "FAILURE": 4 / 8, "RUNTIME_ERROR": 0.0, "SYNTAX_ERROR": 1 / 8, "NOT_GRADABLE": 0.0
    }  # fmt: skip
    assert (first["num_clipped"], first["clipped_share"], first["num_clipped_syntax_errors"]) == (1, 1 / 8, 1)
    assert (second["num_clipped"], second["clipped_share"]) == (0, 0.0)


def test_problems_are_paired_by_name_and_not_by_their_order_in_the_file(finish, compare):
    before, after = finish("before", BEFORE), finish("after", AFTER)
    samples = after / "samples.jsonl"
    samples.write_text("".join(reversed(samples.read_text().splitlines(keepends=True))))
    _, printed, _ = compare(before, after, "--json")
    assert json.loads(printed)["runs"][1]["difference"]["pass@1"] == {"value": 1 / 4, "low": 0.0, "high": 1 / 2}


def test_the_tables_show_each_run_and_its_difference_to_the_first(finish, compare):
    runs = finish("before", BEFORE, temperature=0.2), finish("after", AFTER, temperature=0.6), finish("again", AFTER)
    status, printed, _ = compare(*runs)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]
    assert status == 0
    assert rows[0] == ["before", "2", "37.5% [0.0%, 75.0%]", ""]
    assert rows[2] == ["difference", "", "+25.0 [+0.0, +50.0]", "2, 0"]
    assert [row[0] for row in rows] == [
        *("before", "after", "difference", "again", "difference"),
        *("before", "after", "again"),
    ]
    assert rows[5] == ["before", "37.5%", "50.0%", "12.5%", "12.5% (1)"]
    assert "`temperature` differs: 0.2, 0.6, None" in printed


def test_runs_with_other_numbers_of_samples_are_compared_as_far_as_both_have_enough(finish, compare):
    one, two = finish("one", AFTER, num_samples=1), finish("two", BEFORE)
    status, printed, _ = compare(two, one, "--json")
    assert status == 0
    assert list(json.loads(printed)["runs"][1]["difference"]) == ["pass@1"]
    status, _, message = compare(two, one, "--k", "2")
    assert status == 2
    assert "pass@2 needs at least 2 samples per problem, but there are 1" in message


def test_runs_of_the_same_folder_name_are_told_apart_by_their_paths(finish, compare):
    one, two = finish("a/run", BEFORE), finish("b/run", AFTER)
    _, printed, _ = compare(one, two, "--json")
    assert [run["name"] for run in json.loads(printed)["runs"]] == [str(one), str(two)]


def refused(compare, *folders):
    status, printed, message = compare(*folders)
    assert status == 2
    assert printed == ""
    assert message.startswith("trl-rltf compare: ")
    assert message.count("\n") == 1
    return message


def test_other_problems_are_refused(finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER, make_problems(3))
    assert "are of different problems: 3 and 4, of which 3 are in both; '3' is in one only" in refused(
        compare, one, two
    )


def test_problems_with_the_same_names_and_other_tests_are_refused(finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER, make_problems(prompt="Subtract the numbers."))
    assert "the same names, but other prompts, tests or solutions" in refused(compare, one, two)


def test_an_unfinished_run_is_refused(finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER)
    (two / "samples.jsonl").unlink()
    assert f"{two}: the evaluation is unfinished" in refused(compare, one, two)


def test_a_run_that_lost_a_sample_is_refused(finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER)
    lines = (two / "samples.jsonl").read_text().splitlines(keepends=True)
    (two / "samples.jsonl").write_text("".join(lines[1:]))
    assert f"{two}: `samples.jsonl` does not have the samples" in refused(compare, one, two)


def test_a_damaged_line_is_named(finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER)
    with (two / "samples.jsonl").open("a") as file:
        file.write("{")
    assert "samples.jsonl, line 9: not valid JSON" in refused(compare, one, two)


def test_a_run_of_a_version_that_judged_whole_modules_is_refused(finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER)
    settings = json.loads((two / "settings.json").read_text())
    del settings["verdicts_by"]
    (two / "settings.json").write_text(json.dumps(settings))
    assert "an earlier version of trl-rltf wrote this run" in refused(compare, one, two)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_settings_are_refused(text, finish, compare):
    one, two = finish("one", AFTER), finish("two", AFTER)
    (two / "settings.json").write_text(text)
    assert str(two / "settings.json") in refused(compare, one, two)


def test_what_is_not_a_run_is_refused(finish, compare, tmp_path):
    one = finish("one", AFTER)
    (tmp_path / "empty").mkdir()
    assert "this is not the folder of a run" in refused(compare, one, tmp_path / "empty")
    assert "there is no such folder" in refused(compare, one, tmp_path / "missing")
    assert "there is no such folder" in refused(compare, one / "samples.jsonl", one)
