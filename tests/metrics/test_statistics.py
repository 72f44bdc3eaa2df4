"""pass@k and n@k of known counts, and intervals against a slow reference."""

import numpy as np
import pytest

from trl_rltf.metrics import ProblemCounts, bootstrap_interval, choose_ks, summarize, summarize_filtered


COUNTS = [
    # 4 samples each; 1, 4, 0 and 2 are right; those that pass the visible tests: 2, 4, 0 and 1
    ProblemCounts("a", "introductory", 4, 1, 2, 1),
    ProblemCounts("b", "introductory", 4, 4, 4, 4),
    ProblemCounts("c", "competition", 4, 0, 0, 0),
    ProblemCounts("d", "interview", 4, 2, 1, 1),
]


def test_pass_at_k_of_known_counts_overall_and_by_difficulty():
    scores = summarize(COUNTS, [1, 2])
    assert list(scores) == ["all", "introductory", "interview", "competition"]
    assert scores["all"]["pass@1"].value == pytest.approx((1 / 4 + 1 + 0 + 2 / 4) / 4)
    # Of 6 pairs, 3 have the right sample of problem a, and 5 one of the two of problem d.
    assert scores["all"]["pass@2"].value == pytest.approx((3 / 6 + 1 + 0 + 5 / 6) / 4)
    assert scores["introductory"]["pass@1"].value == pytest.approx(5 / 8)
    assert scores["competition"]["pass@2"].value == 0
    assert scores["all"]["pass@1"].low < scores["all"]["pass@1"].value < scores["all"]["pass@1"].high


def test_samples_that_pass_the_visible_tests_are_submitted():
    scores = summarize_filtered(COUNTS, [1, 2])
    assert list(scores["all"]) == ["1@4", "2@4"]
    # Problem a: one of two; b: right; c: nothing to submit; d: the one that is kept is right.
    assert scores["all"]["1@4"].value == pytest.approx((1 / 2 + 1 + 0 + 1) / 4)
    assert scores["all"]["2@4"].value == pytest.approx((1 + 1 + 0 + 1) / 4)


def test_problems_without_a_difficulty_have_no_group():
    assert list(summarize([ProblemCounts("a", "", 1, 1, 1, 1)], [1])) == ["all"]


def test_nothing_to_summarize_is_refused():
    with pytest.raises(ValueError, match="no problems"):
        summarize([], [1])


def slow_interval(scores, level):
    rng = np.random.default_rng(1)
    means = []
    for _ in range(2000):
        drawn = [scores[rng.integers(len(scores))] for _ in scores]
        means.append(sum(drawn) / len(drawn))
    means.sort()
    cut = round((1 - level) / 2 * len(means))
    return means[cut], means[-cut - 1]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_bootstrap_agrees_with_a_slow_one(level):
    scores = np.random.default_rng(2).random(40)
    assert bootstrap_interval(scores, level=level) == pytest.approx(slow_interval(list(scores), level), abs=0.01)


def test_the_bootstrap_of_equal_scores_is_a_point():
    assert bootstrap_interval([0.25] * 7) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("scores", "level", "message"), [([], 0.95, "at least one problem"), ([1], 1, "`level` is 1")]
)
def test_a_bootstrap_of_nothing_is_refused(scores, level, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(scores, level=level)


def test_the_usual_k_are_those_that_the_samples_allow():
    assert choose_ks(None, 20) == [1, 5, 10]
    assert choose_ks([10, 1, 10], 20) == [1, 10]


@pytest.mark.parametrize(
    ("ks", "message"), [([0], "`k` is 0"), ([1, 21], "pass@21 needs at least 21 samples per problem")]
)
def test_impossible_k_are_refused(ks, message):
    with pytest.raises(ValueError, match=message):
        choose_ks(ks, 20)


def test_the_bootstrap_draws_seeds_and_problems():
    rng = np.random.default_rng(0)
    seed_effects, problem_effects = rng.normal(0, 0.1, (6, 1)), rng.normal(0, 0.1, (1, 40))
    scores = seed_effects + problem_effects
    low, high = bootstrap_interval(scores)
    # The variance of the mean is that of the seeds' plus that of the problems' mean.
    spread = np.sqrt(seed_effects.var() / 6 + problem_effects.var() / 40)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    assert low < scores.mean() < high
    over_problems = bootstrap_interval(scores.mean(axis=0))
    assert high - low > 1.3 * (over_problems[1] - over_problems[0])
