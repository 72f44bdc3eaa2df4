"""Inputs that are made by mutation of those that are there."""

import pytest

from trl_rltf.data import MutatedInputs, ProblemInputs
from trl_rltf.data.augmentation.seen_tests import read_seen_tests
from trl_rltf.data.augmentation.sources import find_argument_counts, usual_arguments, with_counts


def make(tests, number=30, seed="0"):
    seen = ProblemInputs({"prompt": "p"}, read_seen_tests(tests), seed)
    return MutatedInputs().make_inputs(seen, number)


CALL = {"fn_name": "f", "inputs": [[[3, 1, 2], 3, "ab"], [[5], 1, "c"]], "outputs": [0, 0]}


@pytest.mark.parametrize(
    "tests",
    [CALL, {"inputs": ["3\n1 2 3\n"], "outputs": ["6\n"]}, {"asserts": ["assert f([1, 2], 'x') == 3"]}],
)
def test_as_many_different_new_inputs_are_made_as_asked_for(tests):
    made = make(tests).inputs
    assert len(made) == len(set(map(repr, made))) == 30
    known = read_seen_tests(tests).inputs
    assert not [item for item in made if item in known]


def test_equal_seeds_make_equal_inputs_and_other_seeds_others():
    assert make(CALL).inputs == make(CALL).inputs
    assert make(CALL).inputs != make(CALL, seed="1").inputs


def test_an_argument_that_is_a_length_stays_one():
    assert find_argument_counts(CALL["inputs"]) == [(1, 0)]
    assert all(len(items) == number for items, number, _ in make(CALL).inputs)
    assert with_counts([[1, 2], 7, "x"], [(1, 0)]) == [[1, 2], 2, "x"]


def test_an_argument_that_is_no_length_once_is_free():
    assert find_argument_counts([[[1], 1], [[1, 2], 3]]) == []


def test_calls_with_another_number_of_arguments_are_left_out():
    assert usual_arguments([[1, 2], [3, 4], [5]]) == [[1, 2], [3, 4]]


def test_very_long_arguments_are_not_changed():
    made = make({"fn_name": "f", "inputs": [[[1] * 20_000]], "outputs": [1]})
    assert (list(made.inputs), list(made.notes)) == ([], ["the arguments are too long"])


def test_empty_standard_input_makes_nothing_and_says_so():
    made = make({"inputs": [""], "outputs": ["1\n"]})
    assert (list(made.inputs), list(made.notes)) == ([], ["standard input is empty or too long"])


def test_a_function_without_arguments_makes_nothing():
    assert list(make({"fn_name": "f", "inputs": [[]], "outputs": [1]}).inputs) == []


def test_few_possible_inputs_end_the_search():
    assert sorted(make({"fn_name": "f", "inputs": [[True]], "outputs": [1]}).inputs) == [[False]]
