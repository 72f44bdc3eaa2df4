"""Answers are compared with the tolerance of APPS, or without."""

import collections
import re
import time
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.unit_tests.comparison import compare_stdout, compare_value


NAN = float("nan")


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
        ("-0", "0"),
        ("-0.0", "0"),
        ("3", "3.0000009"),
        ("1e+20", "100000000000000000000"),
        ("100000000000000000001", "1e+20"),
        ("0.0000001", "1e-07"),
        ("5e400", "5.0000001e400"),
        ("9" * 500 + ".0", "9" * 500),
        ("007", "007"),
        ("1 \x0b 2\u2003\n\n3", "1 2 3"),
    ],
)
def test_outputs_that_count_as_equal(actual, expected):
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
        ("101.", "00101"),
        ("7.0", "007"),
        ("00.5", "0.5"),
        ("1e400", "2e500"),
        ("5e309", "1.0e309"),
        ("9" * 400 + ".5", "1" * 400 + ".5"),
        ("120000", "12e4"),
        ("12e4", "120000"),
        ("3.0000009", "3"),
        ("+5", "5"),
        ("10000000000000000.0", "10000000000000001"),
        ("inf", "1e999"),
    ],
)
def test_outputs_that_count_as_different(actual, expected):
    assert not compare_stdout(actual, expected)


def test_strict_comparison_keeps_lines_apart_and_floats_exact():
    assert compare_stdout("a \nb\n", "a\nb", strict=True)
    assert not compare_stdout("a b", "a\nb", strict=True)
    assert not compare_stdout("2.0", "2", strict=True)
    assert compare_stdout("a\r\rb\r\n\n \n", "a\n\nb", strict=True)
    assert not compare_stdout("a\nb", "a\n\nb", strict=True)
    assert not compare_stdout("a\n", "a\nb", strict=True)


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
        (NAN, NAN),
        ([1, NAN], [1, NAN]),
        (Decimal("NaN"), NAN),
        (Decimal("1.5"), 1.5),
        (Fraction(3), 3),
        (Fraction(1, 3), 0.33333333),
        (Decimal("2e400"), Decimal("2.0000001e400")),
        (2.9999999999, 3),
        (float("inf"), float("inf")),
        (3 + 0j, 3),
        ([10**5000], [10**5000]),
        (range(3), [0, 1, 2]),
        (iter([1, [2]]), [1, [2]]),
        (iter([1]), [[1]]),
        ([iter([1]), iter([2])], [[1], [2]]),
        ({1: "a"}.keys(), [1]),
        ({1: "a"}.values(), ["a"]),
        ({1: "a"}.items(), [[1, "a"]]),
        (collections.deque([1]), [1]),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        ({None: 1, True: 2, 1.5: 3, 2.0: 4}, {"null": 1, "true": 2, "1.5": 3, "2.0": 4}),
        ({10**5000: 1}, {"1" + "0" * 5000: 1}),
        ({1: "a", "1": "b"}, {1: "a", "1": "b"}),
        ({(1, 2): 3}, {(1, 2): 3}),
        ({1, 2}, {2, 1}),
    ],
)
def test_values_that_count_as_equal(actual, expected):
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
        (NAN, 1.0),
        (float("inf"), 1e308),
        (float("inf"), float("-inf")),
        (float("inf"), 3),
        (10**400, float("inf")),
        (1e16, 10**16 + 1),
        (float(2**53), 2**53 + 1),
        (1.2345678901234568e22, 12345678901234567890123),
        (Decimal("1e400"), Decimal("2e400")),
        ([2**100_000], [Decimal("1.5")]),
        (True, 1.0000001),
        (range(4), [0, 1, 2]),
        (iter([1, 2]), [1]),
        (iter([1]), {1}),
        ({1: "a", 2: "b"}, {"1": "a", 1: "a"}),
        ({"True": 1}, {"true": 1}),
        ({2**100_000: 1}, {"1": 1}),
        (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
        (b"a", "a"),
    ],
)
def test_values_that_count_as_different(actual, expected):
    assert not compare_value(actual, expected)


def test_strict_values_have_equal_types():
    assert compare_value([1], [1], strict=True)
    assert not compare_value((1,), [1], strict=True)
    assert not compare_value(1.0, 1, strict=True)
    assert not compare_value(3, [3], strict=True)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([1], [True]),
        ([1.0], [1]),
        ([(1,)], [[1]]),
        ({1: "a"}, {True: "a"}),
        ({1: "a"}, {"1": "a"}),
        ({"a": 1}, {"a": 1.0}),
        ({1}, {True}),
        ({(1,)}, {(1.0,)}),
        ([0.1 + 0.2], [0.3]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (range(2), [0, 1]),
    ],
)
def test_strict_comparison_also_applies_inside_containers(actual, expected):
    assert not compare_value(actual, expected, strict=True)
    assert compare_value(expected, expected, strict=True)


def test_an_iterator_is_not_used_up_by_a_comparison():
    answer = iter([1, 2])
    assert not compare_value(answer, [3])
    assert compare_value(answer, [1, 2])


@pytest.mark.parametrize("strict", [False, True])
def test_values_nested_deeper_than_python_recurses_are_compared(strict):
    def nested(innermost):
        for _ in range(10_000):
            innermost = {"a": [innermost]}
        return innermost

    assert compare_value(nested(1), nested(1), strict)
    assert not compare_value(nested(1), nested(2), strict)


HOSTILE = {
    "digits and a letter": lambda n: "1" * n + "x",
    "digits": lambda n: "1" * n,
    "digits and points": lambda n: "1." * (n // 2),
    "a long fraction": lambda n: "1." + "0" * n + "1",
    "a long exponent": lambda n: "1e" + "1" * n,
    "short words": lambda n: "\u0100 " * (n // 2),
    "empty lines": lambda n: "\n" * n + "x",
    "blanks": lambda n: " " * n + "x",
    "blanks before line ends": lambda n: " \r\n" * (n // 3) + "x",
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("expected", ["1", "1.5", "x\n"])
def test_comparing_takes_time_linear_in_the_output(make, expected, strict):
    def seconds(size):
        text, best = make(size), 60.0
        for _ in range(3):
            began = time.process_time()
            compare_stdout(text, expected, strict)
            best = min(best, time.process_time() - began)
        return best

    # 20 times the text: 20 times the time if linear, 400 times if quadratic.
    assert seconds(40_000) < 100 * max(seconds(2_000), 1e-4)


def test_comparing_takes_linear_time_if_only_the_layout_differs():
    def seconds(size):
        began = time.process_time()
        assert compare_stdout("1.5 x " * size, "1.50\nx\n" * size)
        return time.process_time() - began

    assert seconds(20_000) < 100 * max(seconds(1_000), 1e-4)


def test_memory_does_not_grow_with_the_number_of_tokens():
    printed, expected = "\u0100\n" * 100_000, "\u0100 " * 100_000 + "x"
    tracemalloc.start()
    assert not compare_stdout(printed, expected)
    assert not compare_stdout(printed, expected, strict=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def slow_same_token(actual, expected):
    """The rule of the documentation, in exact fractions."""

    def number(text):
        is_number = re.fullmatch(r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]{1,4})?", text)
        has_digit = re.match(r"[+-]?\.?[0-9]", text)
        return (
            Fraction(text.replace(".e", ".0e").replace(".E", ".0E").rstrip(".")) if is_number and has_digit else None
        )

    def is_float(text):
        return "." in text or re.search("[eE][+-]", text) is not None

    a, e = number(actual), number(expected)
    if actual == expected or a is None or e is None:
        return actual == expected
    if is_float(expected):
        return abs(a - e) <= max(1, abs(a), abs(e)) * Fraction(1, 10**6)
    if "e" in expected.lower():
        return False
    return a == e if is_float(actual) else {actual, expected} <= {"0", "-0"}


number_texts = st.from_regex(
    r"[+-]?[0-9]{0,3}(\.[0-9]{0,7})?([eE][+-]?[0-9]{1,2})?", fullmatch=True, alphabet="+-.eE019"
)
tokens = number_texts | st.sampled_from(["0", "-0", "1", "1.0", "0.9999999", "1.000001", "x", "nan", "1e5", "100000"])


@given(st.lists(tokens.filter(bool), max_size=3), st.lists(tokens.filter(bool), max_size=3))
def test_outputs_are_compared_as_a_slow_reference_does(actual, expected):
    answer = len(actual) == len(expected) and all(map(slow_same_token, actual, expected))
    assert compare_stdout(" ".join(actual), "\n".join(expected)) == answer


@given(st.text(), st.text(), st.booleans())
def test_any_two_texts_are_compared_and_a_text_equals_itself(actual, expected, strict):
    assert compare_stdout(actual, expected, strict) in (True, False)
    assert compare_stdout(actual + "\n", actual, strict)


def slow_lines(text):
    lines = [line.rstrip() for line in re.split("\r\n?|\n", text)]
    while lines and not lines[-1]:
        del lines[-1]
    return lines


white_texts = st.text(alphabet="a \t\n\r\x1c\u2028", max_size=6)


@given(white_texts, white_texts)
def test_white_space_is_compared_as_a_slow_reference_does(actual, expected):
    assert compare_stdout(actual, expected) == (actual.split() == expected.split())
    assert compare_stdout(actual, expected, strict=True) == (slow_lines(actual) == slow_lines(expected))


def slow_same_value(actual, expected):
    if isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(actual) == len(expected) and all(map(slow_same_value, actual, expected))
    if type(actual) in (int, float) and type(expected) in (int, float):
        if actual == expected or type(actual) is type(expected) is int:
            return actual == expected
        size = max(1, abs(Fraction(actual)), abs(Fraction(expected))) if type(expected) is float else 1
        return abs(Fraction(actual) - Fraction(expected)) <= size * Fraction(1, 10**6)
    return type(actual) is type(expected) and actual == expected


numbers = st.integers(-2, 2) | st.integers(2**53, 2**53 + 3) | st.floats(-2, 2, width=16) | st.just(float(2**53))
nested_values = st.recursive(
    numbers | st.text(max_size=1),
    lambda inner: st.lists(inner, max_size=2) | st.tuples(inner),
    max_leaves=4,
)


@given(nested_values, nested_values)
def test_values_are_compared_as_a_slow_reference_does(actual, expected):
    is_wrapped = isinstance(expected, list) and len(expected) == 1
    answer = slow_same_value(actual, expected) or (is_wrapped and slow_same_value(actual, expected[0]))
    assert compare_value(actual, expected) == answer
    assert compare_value(actual, actual, strict=True)
