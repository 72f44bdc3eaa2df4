"""Standard input that is changed, with counts that stay true."""

import random

import pytest

from trl_rltf.data.augmentation.grid_layout import write_grid
from trl_rltf.data.augmentation.token_grid import GridMutator


CASES = "3\n4\n2 7 1 8\n1\n5\n2\n9 9\n"
EDGES = "2\n3 1\n0101\n1000\n0011\n2 5\n11\n000\n"
WORDS = "4 2\nabca\n"


def check_cases(text):
    """An obvious parser, which fails if a count is not true."""
    lines = text.splitlines()
    assert len(lines) == 1 + 2 * int(lines[0])
    for number, row in zip(lines[1::2], lines[2::2], strict=True):
        assert len(row.split()) == int(number)


def check_edges(text):
    lines = iter(text.splitlines())
    for _ in range(int(next(lines))):
        for _ in range(int(next(lines).split()[0])):
            assert set(next(lines)) <= {"0", "1"}
    assert list(lines) == []


def check_words(text):
    first, word = text.splitlines()
    assert len(word) == int(first.split()[0])


@pytest.mark.parametrize(("seen", "check"), [(CASES, check_cases), (EDGES, check_edges), (WORDS, check_words)])
def test_counts_stay_true_through_many_changes(seen, check):
    mutator = GridMutator([seen])
    check(seen)
    rng = random.Random(0)
    made = {write_grid(grid) for grid in mutator.boundaries()}
    for _ in range(200):
        grid = mutator.grids[0]
        for _ in range(3):
            grid = mutator.mutate(grid, rng)
            made.add(write_grid(grid))
    assert len(made) > 50
    for text in made:
        check(text)


def test_rows_become_equal_sorted_and_reversed():
    made = {write_grid(grid) for grid in GridMutator(["3\n2 3 1\n"]).boundaries()}
    assert {"3\n2 2 2\n", "3\n1 2 3\n", "3\n3 2 1\n", "1\n2\n", "2\n2 3\n"} <= made


def test_a_cell_that_counts_nothing_gets_boundary_values():
    assert {write_grid(grid) for grid in GridMutator(["4\n"]).boundaries()} == {"1\n", "2\n", "4\n", "8\n"}


def test_numbers_of_one_role_share_their_range():
    mutator = GridMutator(["2\n1\n50\n1\n7\n"])
    assert mutator.shape(mutator.grids[0], (2, 0)).high == 50


def test_empty_and_very_long_inputs_are_not_changed():
    assert GridMutator(["", "\n", "1 " * 6000]).grids == []


def test_a_count_can_grow_and_shrink():
    mutator = GridMutator([CASES])
    rng = random.Random(0)
    assert write_grid(mutator.resize(mutator.grids[0], (0, 0), 1, rng)) == "1\n4\n2 7 1 8\n"
    assert write_grid(mutator.resize(mutator.grids[0], (1, 0), 2, rng)) == "3\n2\n2 7\n1\n5\n2\n9 9\n"
    longer = write_grid(mutator.resize(mutator.grids[0], (5, 0), 4, rng))
    assert longer == "3\n4\n2 7 1 8\n1\n5\n4\n9 9 9 9\n"


def test_columns_of_a_table_have_separate_ranges():
    mutator = GridMutator(["3\n500 7 1 0 1\n3 900 0 0 1\n20 8 1 1 0\n"])
    grid = mutator.grids[0]
    assert [mutator.shape(grid, (1, place)).high for place in range(5)] == [500, 900, 1, 1, 1]


def test_numbers_at_the_top_of_an_unknown_layout_do_not_change():
    unknown = GridMutator(["4 9\n5 6\n", "5 9\n5 6 7\n"])
    assert unknown.free_cells(unknown.grids[0]) == []
    known = GridMutator(["2 9\n5 6\n", "3 9\n5 6 7\n"])
    assert (0, 1) in known.free_cells(known.grids[0])
