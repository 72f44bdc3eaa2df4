"""Examples of a warm start that have persistent gaps."""

import pytest

from trl_rltf import make_mini_apps_long
from trl_rltf.execution import Outcome, Program
from trl_rltf.mini import make_gapped_examples
from trl_rltf.mini.long.gaps import stages_with_gaps
from trl_rltf.mini.long.short_stages import SHORT_STAGES
from trl_rltf.mini.long.stages import STATEFUL


def changed_share(rows):
    """Share of the programs that are not among the solutions of their problem."""
    right = make_mini_apps_long("train", num_problems=60, num_statements=16)
    solutions = {row["problem_id"]: set(row["solutions"]) for row in right}
    pairs = [(source, solutions[row["problem_id"]]) for row in rows for source in row["solutions"]]
    return sum(source not in known for source, known in pairs) / len(pairs)


def gapped(**shares):
    return make_gapped_examples(num_problems=60, num_statements=16, **shares)


def test_without_gaps_the_programs_are_the_solutions():
    assert changed_share(gapped(wrong_share=0.0, rare_share=0.0)) == 0.0


def test_a_larger_share_of_wrong_stages_gives_more_wrong_programs():
    shares = [changed_share(gapped(wrong_share=share, rare_share=0.0)) for share in (0.1, 0.3, 0.6, 1.0)]
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < shares[-1]


def test_a_gap_persists():
    """At a rate of 1, each program with a wrong stage has its mistake, whoever writes it."""
    wrong, rare = stages_with_gaps(0, wrong_share=0.3, rare_share=0.2)
    assert not wrong & rare
    assert len(rare) == round(0.2 * len(STATEFUL)) + round(0.2 * len(SHORT_STAGES))
    assert changed_share(gapped(wrong_share=0.3, wrong_rate=0.0, rare_share=0.0)) == 0.0
    always, often = (changed_share(gapped(wrong_share=0.3, wrong_rate=rate, rare_share=0.0)) for rate in (1.0, 0.5))
    assert always > often > 0


def test_a_larger_share_includes_a_smaller_one():
    small, large = (stages_with_gaps(3, wrong_share=share, rare_share=0.0)[0] for share in (0.2, 0.4))
    assert small < large
    assert stages_with_gaps(3, wrong_share=0.2, rare_share=0.5)[0] <= small


def test_problems_with_rare_stages_are_left_out():
    all_rows, few, none = (gapped(rare_share=0.2, rare_rate=rate)["problem_id"] for rate in (1.0, 0.3, 0.0))
    assert len(all_rows) == 60
    assert set(none) < set(few) < set(all_rows)


def test_programs_with_gaps_give_wrong_answers_and_few_errors(runner):
    rows = make_gapped_examples(num_problems=40, num_statements=16, wrong_share=0.6, rare_share=0.0)
    programs = [Program(source, row["tests"]) for row in rows for source in row["solutions"][:3]]
    outcomes = [report.outcome for report in runner.run(programs)]
    assert Outcome.SYNTAX_ERROR not in outcomes
    assert outcomes.count(Outcome.FAILURE) > 0.6 * len(outcomes)
    assert outcomes.count(Outcome.RUNTIME_ERROR) < 0.2 * len(outcomes)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"wrong_share": 1.5}, r"`wrong_share` is 1.5, but must be in \[0, 1\]"),
        ({"rare_rate": -0.1}, "`rare_rate` is -0.1"),
        ({"wrong_share": 0.7, "rare_share": 0.5}, "with a sum of at most 1"),
    ],
)
def test_impossible_shares_are_refused(shares, message):
    with pytest.raises(ValueError, match=message):
        make_gapped_examples(num_problems=1, **shares)
