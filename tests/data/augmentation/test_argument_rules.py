"""Rules that the arguments of all calls follow."""

from trl_rltf.data.augmentation.argument_rules import facts_of_arguments
from trl_rltf.data.augmentation.rules import Rules


def allows(seen, arguments):
    return Rules(facts_of_arguments, seen).allow(arguments)


def test_sorted_and_different_items_stay_so():
    seen = [[[1, 3, 4, 9]], [[2, 5, 6]]]
    assert allows(seen, [[1, 2]])
    assert not allows(seen, [[2, 1]])
    assert not allows(seen, [[1, 1]])
    assert allows([[[1, 3]]], [[3, 1]])


def test_items_of_nested_lists_share_their_rules():
    assert not allows([[[[1, 2], [3, 4], [5, 6]]]], [[[7, 7]]])


def test_arguments_of_the_same_length_stay_so():
    assert not allows([[[1, 2, 3], "abc"]], [[1, 2], "a"])
    assert allows([[[1], "a"]], [[1, 2], "a"])


def test_a_number_stays_below_the_length_of_another_argument():
    seen = [[index, "abcd"] for index in range(4)]
    assert not allows(seen, [4, "abcd"])
    assert allows(seen[:3], [4, "abcd"])


def test_numbers_stay_in_order():
    seen = [[1, 5], [2, 2], [3, 9], [0, 4], [7, 8]]
    assert not allows(seen, [5, 1])
    assert allows(seen, [5, 5])
    assert allows(seen[:4], [5, 1])


def test_a_property_that_no_input_has_is_no_rule():
    assert allows([[[3, 1, 3, 1]]] * 5, [[1, 2, 3]])
