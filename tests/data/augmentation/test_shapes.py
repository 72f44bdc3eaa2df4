"""Shapes of values: their types, ranges, alphabets and lengths."""

from trl_rltf.data.augmentation.shapes import shape_of


def test_a_shape_has_the_types_ranges_and_lengths_of_its_values():
    shape = shape_of([[3, -4], [5], "ba"])
    assert shape.types == {list, str}
    assert (shape.items.low, shape.items.high, shape.items.num_numbers) == (-4, 5, 3)
    assert (shape.alphabet, shape.lengths, shape.num_sized) == ("ab", (1, 2), 3)


def test_the_range_of_few_numbers_is_extended():
    assert shape_of([5]).range_of_numbers() == (1, 10)
    assert shape_of([0, 1]).range_of_numbers() == (0, 2)
    assert shape_of([-3, 4]).range_of_numbers() == (-6, 8)


def test_the_range_of_five_numbers_is_kept():
    assert shape_of([3, 9, 4, 5, 7]).range_of_numbers() == (3, 9)


def test_sequences_of_one_length_have_a_shape_per_position():
    shape = shape_of([[[1, "a"], [20, "b"]]]).items
    assert shape.has_fixed_length
    assert [part.types for part in shape.positions] == [{int}, {str}]
    assert shape.positions[0].high == 20
    assert not shape_of([[1, 2]]).has_fixed_length


def test_a_mapping_has_shapes_of_its_keys_and_values():
    shape = shape_of([{"a": 1}, {"b": 7}])
    assert shape.keys.alphabet == "ab"
    assert shape.items.high == 7


def test_numbers_that_are_not_finite_have_no_range():
    assert shape_of([float("inf"), float("nan"), 2]).range_of_numbers() == (1, 4)
