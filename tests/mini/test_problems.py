"""MiniAPPS: every reference solution passes, splits share nothing, and a constant does not solve a problem."""

import json
import random

import pytest

from trl_rltf import make_mini_apps
from trl_rltf.execution import Outcome, Program
from trl_rltf.mini import add_bug, add_slips


def test_every_reference_solution_passes(runner):
    rows = [*make_mini_apps("train", num_problems=60), *make_mini_apps("test", num_problems=30)]
    programs = [Program(source, row["tests"]) for row in rows for source in row["solutions"]]
    assert {report.outcome for report in runner.run(programs)} == {Outcome.PASS}


def test_a_constant_does_not_pass(runner):
    rows = make_mini_apps("test", num_problems=20)
    programs = [
        Program(f"print({value})\ndef solve(v):\n    return {value}", row["tests"])
        for row in rows
        for value in (0, 1, 3)
    ]
    assert Outcome.PASS not in {report.outcome for report in runner.run(programs)}


def test_splits_share_no_composition():
    train, test = make_mini_apps("train"), make_mini_apps("test")
    assert (len(train), len(test)) == (416, 96)
    assert not set(train["problem_id"]) & set(test["problem_id"])
    assert len(set(train["problem_id"])) == 416


def test_the_seed_decides_everything():
    assert make_mini_apps("test", seed=1).to_list() == make_mini_apps("test", seed=1).to_list()
    assert make_mini_apps("test", seed=1)["problem_id"] != make_mini_apps("test", seed=2)["problem_id"]


def test_all_difficulties_and_both_kinds_of_tests_are_there():
    rows = make_mini_apps("train")
    assert set(rows["difficulty"]) == {"introductory", "interview", "competition"}
    assert {"fn_name" in json.loads(tests) for tests in rows["tests"]} == {True, False}
    assert set(make_mini_apps("test", difficulties=["interview"])["difficulty"]) == {"interview"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "`split` is 'dev'"),
        ({"difficulties": ["easy"]}, r"\['easy'\], but must be among introductory, interview, competition"),
        ({"difficulties": []}, "no level"),
        ({"num_problems": 0}, "`num_problems` is 0"),
        ({"num_problems": 5000}, "has 103 introductory problems"),
    ],
)
def test_impossible_wishes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_mini_apps(**arguments)


def test_a_program_with_a_bug_rarely_passes_and_fails_in_each_way(runner):
    rng = random.Random(0)
    rows = make_mini_apps("train", num_problems=60)
    drafts = [Program(add_bug(source, rng), row["tests"]) for row in rows for source in row["solutions"]]
    outcomes = [report.outcome for report in runner.run(drafts)]
    assert set(outcomes) >= {Outcome.SYNTAX_ERROR, Outcome.RUNTIME_ERROR, Outcome.FAILURE}
    assert outcomes.count(Outcome.PASS) < 0.1 * len(outcomes)


def test_slips_fall_on_each_line_for_itself_and_fail_in_each_way(runner):
    rng = random.Random(0)
    rows = make_mini_apps("train", num_problems=200)
    sources = [row["solutions"][0] for row in rows]
    drafts = [add_slips(source, rng, 0.5) for source in sources]
    pairs = [
        (line, draft_line)
        for source, draft in zip(sources, drafts, strict=True)
        for line, draft_line in zip(source.split("\n")[:-1], draft.split("\n")[:-1], strict=True)
    ]
    assert sum(line != draft_line for line, draft_line in pairs) / len(pairs) == pytest.approx(0.5, abs=0.06)
    outcomes = [
        report.outcome
        for report in runner.run([Program(draft, row["tests"]) for draft, row in zip(drafts, rows, strict=True)])
    ]
    assert set(outcomes) == {Outcome.SYNTAX_ERROR, Outcome.RUNTIME_ERROR, Outcome.FAILURE, Outcome.PASS}
    assert add_slips(sources[0], rng, 0.0) == sources[0]
