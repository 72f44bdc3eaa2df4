"""What counts as the same answer, and what does not."""

import pytest

from trl_rltf.execution.comparison import compare_stdout, compare_value


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("3\n", "3"),
        ("3", "3\n\n"),
        ("a  \nb\t\n", "a\nb"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("1 2 3", "1\n2\n3"),
        ("0.3333333333", "0.33333334"),
        ("1e3", "1000.0"),
        ("2.0", "2"),
        ("nan", "nan"),
    ],
)
def test_the_same_output(actual, expected):
    assert compare_stdout(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("", "3"),
        ("3", ""),
        ("3\n4", "3"),
        ("3", "3\n4"),
        ("yes", "YES"),
        ("1 2", "2 1"),
        ("12", "1 2"),
        ("1000000000000000000000001", "1000000000000000000000000"),
        ("0.3334", "0.3333"),
        ("1_0", "10"),
        ("[1, 2]", "1 2"),
        ("1+1", "2"),
        ("123456700.0", "123456789"),
        ("1_0.5", "10.5"),
        ("１.５", "1.5"),
        ("1e999999999", "2"),
    ],
)
def test_not_the_same_output(actual, expected):
    assert not compare_stdout(actual, expected)


def test_strict_output_keeps_lines_apart_and_floats_exact():
    assert compare_stdout("a \nb\n", "a\nb", strict=True)
    assert not compare_stdout("a b", "a\nb", strict=True)
    assert not compare_stdout("2.0", "2", strict=True)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (3, 3),
        (3, [3]),
        ((1, 2), [1, 2]),
        ([(1, 2)], [[1, 2]]),
        ([1, 2], [[1, 2]]),
        (0.1 + 0.2, 0.3),
        ([0.1 + 0.2], [0.3]),
        ({1: "a"}, {"1": "a"}),
        (True, True),
        (2, 2.0),
        (2.0, 2),
        ("a", "a"),
        (None, None),
    ],
)
def test_the_same_value(actual, expected):
    assert compare_value(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (3, 4),
        ([3], 3),
        ([1, 2], [1, 2, 3]),
        ([1, 2, 3], [1, 2]),
        ("3", 3),
        ({1, 2}, [1, 2]),
        ({1: "a", "1": "b"}, {"1": "a"}),
        ({"a": 1}, {"a": 1, "b": 2}),
        (None, 0),
        (10**400, 1.5),
        (123456700.0, 123456789),
        ({10**5000: 1}, {"1": 1}),
        ("a ", "a"),
        (True, "True"),
        ([[[[3]]]], [3]),
    ],
)
def test_not_the_same_value(actual, expected):
    assert not compare_value(actual, expected)


def test_strict_values_have_equal_types():
    assert compare_value([1], [1], strict=True)
    assert not compare_value((1,), [1], strict=True)
    assert not compare_value(1.0, 1, strict=True)
    assert not compare_value(3, [3], strict=True)
