"""Inputs that are drawn from hypothesis strategies."""

import pytest

from trl_rltf.data import HypothesisInputs, ProblemInputs
from trl_rltf.data.augmentation.seen_tests import read_seen_tests


pytest.importorskip("hypothesis", reason="hypothesis is an optional package")


def make(tests, number=20, seed="0"):
    seen = ProblemInputs({"prompt": "p"}, read_seen_tests(tests), seed)
    return list(HypothesisInputs().make_inputs(seen, number).inputs)


def test_arguments_have_the_types_and_ranges_that_were_seen():
    tests = {"asserts": ["assert f([(1, 'a'), (2, 'b')], 3, True, None, {'k': -1.5}) == 0"]}
    made = make(tests)
    assert len(made) == 20
    for pairs, number, flag, nothing, mapping in made:
        assert all(type(pair) is tuple and type(pair[0]) is int and pair[1] in ("a", "b") for pair in pairs)
        assert 1 <= number <= 6
        assert type(flag) is bool
        assert nothing is None
        assert all(type(value) is float and -2 <= value <= 1 for value in mapping.values())


def test_counts_of_standard_input_are_true():
    made = make({"inputs": ["2\n3\n1 2 3\n1\n9\n"], "outputs": ["6\n"]})
    assert len(made) >= 10
    for text in made:
        lines = text.splitlines()
        assert len(lines) == 1 + 2 * int(lines[0])
        assert all(len(row.split()) == int(count) for count, row in zip(lines[1::2], lines[2::2], strict=True))


def test_an_argument_that_is_a_length_is_true():
    made = make({"fn_name": "f", "inputs": [[[1, 2], 2], [[1], 1]], "outputs": [1, 1]})
    assert len(made) == 20
    assert all(len(items) == number for items, number in made)


def test_equal_seeds_draw_equal_inputs_and_other_seeds_others():
    tests = {"fn_name": "f", "inputs": [[5, "abc"]], "outputs": [1]}
    assert make(tests) == make(tests)
    assert make(tests) != make(tests, seed="1")


def test_a_function_without_arguments_draws_nothing():
    assert make({"fn_name": "f", "inputs": [[]], "outputs": [1]}) == []
    assert make({"inputs": [""], "outputs": ["1"]}) == []
