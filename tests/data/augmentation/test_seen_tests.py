"""Tests of a problem, read from and written in each of the three formats."""

import json

import pytest

from trl_rltf.data.augmentation.seen_tests import CannotAugment, read_seen_tests
from trl_rltf.execution import parse_tests


STDIN = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
CALL = {"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 7]}
ASSERTS = {
    "asserts": ["assert add(1, 2) == 3", "assert add(set([1]), (2,)) == {1: 2}", "assert add(1, x) == 3"],
    "setup": "x = 2",
}


def test_inputs_and_outputs_are_read_from_standard_input_and_calls():
    for tests in (STDIN, CALL):
        seen = read_seen_tests(json.dumps(tests))
        assert (seen.inputs, seen.outputs) == (tests["inputs"], tests["outputs"])
        assert seen.num_tests == 2


def test_inputs_are_read_from_asserts_that_compare_a_call_with_a_constant():
    seen = read_seen_tests(ASSERTS)
    assert (seen.function, seen.inputs, seen.outputs) == ("add", [[1, 2], [{1}, (2,)]], [3, {1: 2}])
    assert seen.num_tests == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("assert add(1, 2) != 3", "no assert compares the call"),
        ("assert len(add(1, x)) == 3", "no assert compares the call"),
        ("assert add() == 3", "without arguments"),
    ],
)
def test_other_asserts_are_left_alone_with_a_reason(text, message):
    with pytest.raises(CannotAugment, match=message):
        read_seen_tests({"asserts": [text]})


def test_asserts_of_two_functions_are_left_alone():
    with pytest.raises(CannotAugment, match="several functions: add, sub"):
        read_seen_tests({"asserts": ["assert add(1) == 3", "assert sub(1) == 3"]})


def test_new_tests_follow_the_old_ones_in_their_format():
    assert read_seen_tests(STDIN).extended([("5 6\n", "11\n")]) == {
        "inputs": ["1 2\n", "3 4\n", "5 6\n"],
        "outputs": ["3\n", "7\n", "11\n"],
    }
    assert read_seen_tests(CALL).extended([([5, 6], 11)])["outputs"] == [3, 7, 11]
    more = read_seen_tests(ASSERTS).extended([([{2}, (3,)], [0.5]), ([1, 2], 0.25)])
    assert more["asserts"][3:] == ["assert add({2}, (3,)) == [0.5]", "assert abs(add(1, 2) - 0.25) <= 1e-06"]
    parse_tests(more)


def test_some_of_the_tests_can_be_chosen():
    assert read_seen_tests(STDIN).subset([1]) == {"inputs": ["3 4\n"], "outputs": ["7\n"]}
    assert read_seen_tests(ASSERTS).subset([0]) == {"asserts": ["assert add(1, 2) == 3"], "setup": "x = 2"}


def test_an_answer_that_the_format_cannot_hold_is_refused():
    for seen, answer in (
        (read_seen_tests(STDIN), " \n"),
        (read_seen_tests(STDIN), "\udc80"),
        (read_seen_tests(CALL), {1, 2}),
        (read_seen_tests(CALL), [float("inf")]),
        (read_seen_tests(CALL), {1: 2}),
        (read_seen_tests(ASSERTS), float("nan")),
        (read_seen_tests(ASSERTS), iter([1])),
    ):
        with pytest.raises(CannotAugment):
            seen.expected(answer)


def test_an_input_that_the_format_cannot_hold_is_refused():
    for seen, made in (
        (read_seen_tests(STDIN), 5),
        (read_seen_tests(STDIN), "\udc80"),
        (read_seen_tests(CALL), (1, 2)),
        (read_seen_tests(CALL), [{1, 2}, 3]),
        (read_seen_tests(CALL), [{1: 2, "a": 3}]),
        (read_seen_tests(ASSERTS), [object()]),
    ):
        with pytest.raises(CannotAugment):
            seen.input_of(made)
    assert read_seen_tests(CALL).input_of([(1, 2), {3: "x"}]) == [[1, 2], {3: "x"}]
    assert read_seen_tests(ASSERTS).input_of([(1, 2), {3}]) == [(1, 2), {3}]


def test_a_tuple_is_a_list_in_the_tests_of_calls_and_a_tuple_in_asserts():
    assert read_seen_tests(CALL).expected((1, (2,))) == [1, [2]]
    assert read_seen_tests(ASSERTS).expected((1, (2,))) == (1, (2,))


def test_answers_are_compared_as_the_format_does():
    assert read_seen_tests(STDIN).is_right("3  7\n", "3 7")
    assert not read_seen_tests(STDIN).is_right("3  7\n", "3 7", strict=True)
    assert read_seen_tests(CALL).is_right((3, 0.50000001), [3, 0.5])
    assert not read_seen_tests(ASSERTS).is_right((3,), [3])
    assert read_seen_tests(ASSERTS).is_right(0.50000001, 0.5)
