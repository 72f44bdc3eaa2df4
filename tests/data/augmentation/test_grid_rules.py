"""Rules that all inputs follow, and that new ones have to follow."""

import functools

from trl_rltf.data.augmentation.grid_layout import Layout, read_grid
from trl_rltf.data.augmentation.grid_rules import facts_of_grid
from trl_rltf.data.augmentation.rules import Rules


def allows(seen, text):
    grids = [read_grid(seen)] if isinstance(seen, str) else list(map(read_grid, seen))
    return Rules(functools.partial(facts_of_grid, Layout(grids)), grids).allow(read_grid(text))


def test_a_permutation_stays_one():
    assert allows("4\n2 4 1 3\n", "3\n3 1 2\n")
    assert not allows("4\n2 4 1 3\n", "4\n2 4 1 1\n")
    assert not allows("4\n2 4 1 3\n", "3\n4 1 2\n")


def test_different_tokens_stay_different():
    assert allows("4\n20 40 10 30\n", "4\n20 40 10 35\n")
    assert not allows("4\n20 40 10 30\n", "4\n20 40 10 10\n")


def test_sorted_numbers_stay_sorted():
    assert allows("6\n1 2 2 3 5 8\n", "6\n1 2 2 2 5 8\n")
    assert not allows("6\n1 2 2 3 5 8\n", "6\n2 1 2 3 5 8\n")


def test_different_lines_stay_different():
    assert not allows("3\nab\ncd\nef\n", "3\nab\nab\nef\n")


def test_numbers_stay_below_a_bound_that_was_reached():
    assert allows("5 4\n1 2\n2 5\n3 3\n1 2\n", "6 4\n1 2\n2 5\n3 6\n1 2\n")
    assert not allows("5 4\n1 2\n2 5\n3 3\n1 2\n", "5 4\n1 2\n2 6\n3 3\n1 2\n")
    assert allows("9 4\n1 2\n2 5\n3 3\n1 2\n", "9 4\n1 2\n2 60\n3 3\n1 2\n")


def test_few_tokens_make_no_rule():
    assert allows("2\n1 5\n", "2\n5 5\n")


def test_digits_do_not_begin_with_a_zero_where_none_did():
    assert not allows(["101\n", "1100\n"], "011\n")
    assert allows(["101\n", "0100\n"], "011\n")


def test_texts_begin_with_the_character_that_four_texts_begin_with():
    seen = [f"#{word}\n" for word in ("a", "b", "c", "d")]
    assert not allows(seen, "a\n")
    assert allows(seen[:3], "a\n")
    assert allows([f"1{digit}\n" for digit in range(10, 20)], "23\n")


def test_numbers_stay_below_a_number_that_they_were_always_below():
    seen = [f"3 {limit}\n{limit - 1} 0 1\n" for limit in (7, 9, 20, 5)]
    assert not allows(seen, "3 7\n7 0 1\n")
    assert allows(seen, "3 7\n5 0 1\n")
    assert allows(seen[:3], "3 7\n8 0 1\n")


def test_palindromes_stay_so():
    assert not allows(["abba\n", "xox\n", "ccc\n"], "abc\n")
    assert allows(["abba\n", "xox\n"], "abc\n")


def test_two_numbers_of_a_line_stay_in_order():
    seen = "5\n1 4\n2 2\n3 9\n1 8\n5 6\n"
    assert not allows(seen, "5\n4 1\n2 2\n3 9\n1 8\n5 6\n")
    assert allows(seen, "5\n2 3\n2 2\n3 9\n1 8\n5 6\n")
