"""Values survive the way out of the sandbox; whatever is not plain data does not."""

import collections
import decimal
import enum
import fractions
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.plain_values import Opaque, decode, encode


def through_json(value):
    return decode(json.loads(json.dumps(encode(value))))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=5)
    | st.complex_numbers(allow_nan=False)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.frozensets(st.integers() | st.text(), max_size=4)
        | st.sets(st.integers(), max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_plain_data_come_back_equal_and_of_the_same_type(value):
    result = through_json(value)
    assert result == value
    assert type(result) is type(value)


class Color(enum.IntEnum):
    RED = 3


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Color.RED, 3),
        (Point(1, 2), (1, 2)),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (decimal.Decimal("1.5"), decimal.Decimal("1.5")),
        (fractions.Fraction(1, 3), fractions.Fraction(1, 3)),
        (float("inf"), float("inf")),
        ("\ud800", "\ud800"),
        (bytearray(b"a"), bytearray(b"a")),
    ],
)
def test_relatives_of_plain_data_become_plain(value, plain):
    result = through_json(value)
    assert result == plain
    assert type(result) is type(plain)


def test_an_integer_longer_than_python_prints_comes_back():
    assert through_json(2**100_000 + 1) == 2**100_000 + 1


def test_a_cycle_is_opaque():
    loop = []
    loop.append(loop)
    assert isinstance(through_json(loop), Opaque)


@pytest.mark.parametrize("value", [object(), lambda: 1, iter([1]), {}.values(), memoryview(b"a")])
def test_other_objects_are_opaque_true_and_equal_to_nothing(value):
    result = through_json(value)
    assert isinstance(result, Opaque)
    assert result != value
    assert result


@pytest.mark.parametrize(
    "data", [{}, {"int": "xyz"}, {"tuple": 3}, {"dict": [[1]]}, {"dict": [[[], 1]]}, {"a": 1, "b": 2}, {"set": [[1]]}]
)
def test_malformed_data_are_opaque_not_an_error(data):
    assert isinstance(decode(data), Opaque)
