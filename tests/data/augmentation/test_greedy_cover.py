"""The choice of tests by greedy cover."""

import itertools
import random

from trl_rltf.data.augmentation.greedy_cover import choose_tests


def test_the_test_that_kills_most_comes_first_then_those_that_kill_others():
    kills = [{1}, {1, 2, 3}, {4}, {2, 4, 5}]
    assert choose_tests(kills, "abcd", 2) == [1, 3]


def test_the_first_of_equal_tests_is_chosen():
    assert choose_tests([{1}, {2}, {1}, {2}], "abcd", 2) == [0, 1]


def test_a_new_round_kills_each_program_again():
    assert choose_tests([{1}, {1, 2}, {2}], "abc", 3) == [1, 0, 2]


def test_tests_that_kill_nothing_come_last_those_with_new_answers_first():
    assert choose_tests([set(), set(), {1}, set()], ["x", "x", "x", "y"], 4) == [2, 3, 0, 1]


def test_there_are_at_most_as_many_tests_as_asked_for():
    assert choose_tests([], [], 3) == []
    assert len(choose_tests([set()] * 5, list(range(5)), 3)) == 3


def test_a_choice_of_all_tests_has_each_once():
    rng = random.Random(0)
    kills = [set(rng.sample(range(10), rng.randrange(5))) for _ in range(12)]
    assert sorted(choose_tests(kills, list(range(12)), 12)) == list(range(12))


def test_the_choice_kills_as_many_as_the_best_up_to_the_bound_of_greedy_cover():
    rng = random.Random(1)
    for _ in range(20):
        kills = [set(rng.sample(range(12), rng.randrange(1, 6))) for _ in range(8)]
        best = max(len(set().union(*chosen)) for chosen in itertools.combinations(kills, 3))
        found = len(set().union(*(kills[test] for test in choose_tests(kills, list(range(8)), 3))))
        assert found >= (1 - 1 / 2.718281828) * best
