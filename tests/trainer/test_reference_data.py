"""The column `solutions` of a training set."""

import json

import pytest
from datasets import Dataset

from trl_rltf.trainer.reference_data import holds_programs, rows_with_solutions, solutions_of


def column(values):
    return Dataset.from_dict({"solutions": values})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["print(1)", "", "print(2)"], ["print(1)", "print(2)"]),
        (None, []),
        ("print(1)\n", ["print(1)"]),
        ("", []),
        (" ", []),
        ("[]", []),
        (json.dumps(["print(2)", "", "print(3)"]), ["print(2)", "print(3)"]),
        (json.dumps("print(5)"), ["print(5)"]),
        ('[print(4) for _ in "a"]', ['[print(4) for _ in "a"]']),  # a program, and not JSON
        ("[" * 100_000, ["[" * 100_000]),
    ],
)
def test_a_row_has_a_list_of_programs_or_text(value, expected):
    assert solutions_of({"solutions": value}) == expected


def test_a_row_without_the_column_has_none():
    assert solutions_of({"prompt": "x"}) == []


@pytest.mark.parametrize("text", ['[{"code": "print(1)"}]', '{"python": "print(1)"}', "[1, 2]"])
def test_json_text_of_something_else_is_refused_with_the_row(text):
    with pytest.raises(ValueError, match="Row 1 of the training set: Column `solutions` holds JSON text that is not"):
        rows_with_solutions(column(["print(1)", text]))


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([["a"], [], None, ["b", "c"]], [0, 3]),
        (["a", "", None, '["b"]', "[]"], [0, 3]),
        ([[], []], []),
        ([None, None], []),
        ([[1, 2]], []),  # numbers
        ([[{"role": "assistant", "content": "1"}]], []),
    ],
)
def test_rows_with_a_program_are_found(values, rows):
    assert rows_with_solutions(column(values)).tolist() == rows


def test_a_dataset_without_the_column_has_no_such_row():
    assert rows_with_solutions(Dataset.from_dict({"prompt": ["x"]})).tolist() == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [([["a"]], True), (["a"], True), ([[]], True), ([None], True), ([[1]], False), ([1], False)],
)
def test_the_type_of_the_column_decides_whether_it_is_read(values, expected):
    assert holds_programs(column(values).features["solutions"]) is expected
