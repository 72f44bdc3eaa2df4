"""The layout of standard input: which numbers count what follows."""

import pytest

from trl_rltf.data.augmentation.grid_layout import Layout, read_grid, read_token, write_grid, write_token


def found(*texts):
    """Counts of the first text, as `(cell, kind, line or groups)`."""
    grids = [read_grid(text) for text in texts]
    counts = Layout(grids).counts(grids[0])
    return {(count.cell, count.kind, count.groups or count.line) for count in counts}


def test_text_becomes_lines_of_tokens_and_text_again():
    assert read_grid("1 2\n\n a\n\n") == (("1", "2"), (), ("a",))
    assert write_grid((("1", "2"), (), ("a",))) == "1 2\n\na\n"


def test_tokens_are_numbers_or_text():
    assert [read_token(token) for token in ["12", "-3", "007", "1.50", "1e5", "ab"]] == [
        12,
        -3,
        "007",
        1.5,
        "1e5",
        "ab",
    ]


def test_a_float_is_written_with_as_many_digits():
    assert write_token(2.5, "1.00") == "2.50"
    assert write_token(7, "1.00") == "7"


def test_a_number_counts_the_tokens_of_the_next_line():
    assert found("3\n5 6 7\n") == {((0, 0), "tokens", 1)}
    assert found("3 9\n5 6 7\n") == {((0, 0), "tokens", 1)}


def test_a_number_counts_the_lines_after_it():
    assert found("3 2\n1 2\n3 4\n") == {((0, 1), "groups", ((1, 2), (2, 3)))}


def test_a_number_counts_groups_of_lines_with_counts_in_them():
    assert found("2\n3\n1 2 3\n1\n9\n") == {
        ((0, 0), "groups", ((1, 3), (3, 5))),
        ((1, 0), "tokens", 2),
        ((3, 0), "tokens", 4),
    }


def test_groups_may_have_a_count_of_their_lines():
    assert found("2\n2 9\n1 1\n2 2\n1 9\n3 3\n") == {
        ((0, 0), "groups", ((1, 4), (4, 6))),
        ((1, 0), "groups", ((2, 3), (3, 4))),
        ((4, 0), "groups", ((5, 6),)),
    }


def test_a_number_counts_the_rest_of_its_line():
    assert found("3 7 8 9\n") == {((0, 0), "rest", 0)}


def test_a_number_counts_the_characters_of_a_text():
    assert found("4\nabca\n") == {((0, 0), "characters", 1)}
    assert found("4\n0110\n") == {((0, 0), "characters", 1)}


def test_a_number_of_as_many_digits_is_counted_if_that_happens_with_two_sizes():
    assert found("3\n487\n") == set()
    assert ((1, 0), "characters", 2) in found("2\n3\n220\n5\n21211\n")
    assert ((1, 0), "characters", 2) not in found("2\n3\n220\n3\n212\n")


def test_what_is_not_true_of_all_inputs_is_a_coincidence():
    assert found("3\n5 6 7\n", "2\n5 6 7\n") == set()


def test_a_count_of_one_alone_is_a_coincidence():
    assert found("1\n5\n") == set()


def test_lines_of_different_lengths_are_no_groups_unless_a_number_announces_them():
    assert found("4\n1 2\n2 3\n3 4\n1 2 1 1\n") == set()
    assert ((0, 0), "groups", ((1, 2), (2, 3))) in found("2\n2 5 6\n1 7\n")


@pytest.mark.parametrize("text", ["", "\n", "x\n", "-1\n", "999999999999999999999999999\n1\n"])
def test_input_without_counts_has_none(text):
    assert found(text) == set()


def test_lines_with_the_same_role_have_the_same_name():
    grid = read_grid("2\n2 9\n1 1\n2 2\n1 9\n3 3\n")
    assert Layout([grid]).classes(grid) == [0, "header", ("item", 0), ("item", 0), "header", ("item", 0)]
