"""Values that are changed by type and by structure."""

import random

import pytest

from trl_rltf.data.augmentation.shapes import shape_of
from trl_rltf.data.augmentation.varied_values import boundaries, vary


def variants(value, seen=None, count=300):
    shape = shape_of([value] if seen is None else seen)
    rng = random.Random(0)
    return [vary(value, shape, rng) for _ in range(count)]


def test_a_number_stays_in_its_range_and_reaches_all_of_it():
    assert set(variants(4, seen=[2, 3, 4, 5, 6])) == {2, 3, 4, 5, 6}
    assert set(variants(2)) == {1, 2, 3, 4}


def test_numbers_are_negative_only_where_one_was():
    assert min(variants(3)) == 1
    assert min(variants(3, seen=[3, -2])) == -4


def test_a_float_keeps_its_number_of_digits():
    assert all(round(value, 2) == value for value in variants(0.25, seen=[0.25, 3.75]))


def test_a_text_has_characters_that_were_seen():
    made = variants("0110")
    assert set("".join(made)) == {"0", "1"}
    assert {len(text) for text in made} >= {3, 4, 5}
    assert "" not in made


def test_texts_of_one_length_keep_it():
    assert {len(text) for text in variants("ab", seen=["ab", "cd"])} == {2}


@pytest.mark.parametrize(
    "value", [[3, 1, 2], (3, 1, 2), {3, 1, 2}, [[1, 2], [3]], {"a": 1, "b": [2]}, True, None, 7, 1.5, "x", []]
)
def test_the_type_stays_and_the_value_itself_does_not_change(value):
    before = repr(value)
    assert {type(made) for made in variants(value)} == {type(value)}
    assert repr(value) == before


def test_a_list_gets_longer_shorter_shuffled_and_other_items():
    made = variants([3, 1, 2])
    assert {len(items) for items in made} == {2, 3, 4}
    assert [1, 2, 3] in made
    assert any(sorted(items) != [1, 2, 3] for items in made if len(items) == 3)


def test_a_point_keeps_its_length_and_the_range_of_each_position():
    points = [[1, 100], [2, 200], [3, 300], [4, 400], [5, 500]]
    made = variants(points[0], seen=points)
    assert {len(point) for point in made} == {2}
    assert max(point[0] for point in made) <= 5
    assert min(point[1] for point in made) >= 100


def test_boundaries_of_a_number_are_in_its_range():
    assert list(boundaries(3, shape_of([3]))) == [1, 6, 1, 2, 3, 3]
    assert set(boundaries(3, shape_of([3, -1]))) == {-2, 6, 0, 1, -1, 2, 3}


def test_boundaries_of_a_list_are_single_equal_sorted_and_reversed():
    made = list(boundaries([3, 1, 2], shape_of([[3, 1, 2]])))
    for expected in ([3], [2], [3, 3, 3], [1, 2, 3], [3, 2, 1]):
        assert expected in made
    assert [] not in made


def test_a_list_is_empty_only_where_one_was():
    assert next(boundaries([1], shape_of([[1], []]))) == []
    assert next(boundaries("ab", shape_of(["ab", ""]))) == ""


def test_equal_seeds_give_equal_values():
    assert variants({3, 1, 2}) == variants({2, 1, 3})


def test_quotation_marks_around_all_texts_stay():
    made = [*variants('"abca"'), *boundaries('"abca"', shape_of(['"abca"']))]
    assert all(text[0] == text[-1] == '"' and '"' not in text[1:-1] for text in made)
    assert '"a"' in made


def test_boundary_texts_and_lists_are_not_shorter_than_those_of_many_values():
    seen = ["ab", "abc", "ba", "bb", "abab"]
    assert min(len(text) for text in boundaries("abc", shape_of(seen))) == 3
    lists = [list(text) for text in seen]
    assert min(len(items) for items in boundaries(list("abc"), shape_of(lists))) == 3
