"""MiniAPPS: reference solutions pass, splits are disjoint, and a constant solves no problem."""

import json

import pytest

from trl_rltf import make_mini_apps
from trl_rltf.execution import Outcome, Program


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
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_mini_apps(**arguments)
