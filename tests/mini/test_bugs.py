"""Bugs that are written into reference solutions."""

import random

import pytest

from trl_rltf import make_mini_apps
from trl_rltf.execution import Outcome, Program
from trl_rltf.mini import add_bug, add_slips


SCRIPT = "v = list(map(int, input().split()))\nprint(sum(v))\n"
FUNCTION = "def solve(v):\n    return len(v)\n"


@pytest.mark.parametrize(
    ("solution", "drafts"),
    [
        (
            SCRIPT,
            {
                "v = list(map(int, input().split()))\nprint(sum(w))\n",
                "v = list(map(int, input().split()))\nprint(sum(v) + 1)\n",
                "v = list(map(int, input().split()))\nprint(sum(v)\n",
                "v = list(input().split())\nprint(sum(v))\n",
            },
        ),
        (
            FUNCTION,
            {
                "def solve(v):\n    return len(w)\n",
                "def solve(v):\n    return len(v) + 1\n",
                "def solve(v):\n    return len(v\n",
                "def solve(v)\n    return len(v)\n",
            },
        ),
    ],
)
def test_a_bug_is_one_of_four_kinds(solution, drafts):
    assert {add_bug(solution, random.Random(seed)) for seed in range(50)} == drafts


def test_a_program_with_a_bug_rarely_passes_and_fails_in_each_way(runner):
    rng = random.Random(0)
    rows = make_mini_apps("train", num_problems=60)
    drafts = [Program(add_bug(source, rng), row["tests"]) for row in rows for source in row["solutions"]]
    outcomes = [report.outcome for report in runner.run(drafts)]
    assert set(outcomes) >= {Outcome.SYNTAX_ERROR, Outcome.RUNTIME_ERROR, Outcome.FAILURE}
    assert outcomes.count(Outcome.PASS) < 0.1 * len(outcomes)


def test_bugs_fall_on_lines_independently_and_fail_in_each_way(runner):
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
