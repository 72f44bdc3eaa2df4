"""Plain data survive encoding and decoding; all other values become opaque."""

import collections
import datetime
import decimal
import enum
import fractions
import gc
import itertools
import json
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.unit_tests.comparison import compare_value
from trl_rltf.execution.wire.plain_values import Opaque, decode, dump_json, encode, is_plain, load_json


def through_json(value):
    return decode(json.loads(json.dumps(encode(value))))


def nested(depth, wrap, value=0):
    for _ in range(depth):
        value = wrap(value)
    return value


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
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(st.booleans() | st.tuples(st.text()), inner, max_size=3).map(collections.OrderedDict)
        | st.lists(st.floats(allow_nan=False), max_size=3).map(collections.Counter)
    ),
    max_leaves=20,
)


@given(values)
def test_plain_data_are_restored_with_their_types(value):
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
        (collections.Counter("aab"), collections.Counter("aab")),
        (collections.OrderedDict(a=1), collections.OrderedDict(a=1)),
        (collections.defaultdict(lambda: 1, a=2), collections.defaultdict(None, a=2)),
        (fractions.Fraction(2**5000, 3), fractions.Fraction(2**5000, 3)),
        (decimal.Decimal("1." + "3" * 5000), decimal.Decimal("1." + "3" * 5000)),
        (range(1, 2**70, 2**69), range(1, 2**70, 2**69)),
        (datetime.datetime(2020, 1, 2, 3), datetime.datetime(2020, 1, 2, 3)),
        (datetime.timedelta(1, 2, 3), datetime.timedelta(1, 2, 3)),
        ({1: [2]}.items(), {1: [2]}.items()),
        ({1: 2}.keys(), {1: 2}.keys()),
        (collections.OrderedDict(a=1).keys(), {"a": 1}.keys()),
        (decimal.Decimal("1.5"), decimal.Decimal("1.5")),
        (fractions.Fraction(1, 3), fractions.Fraction(1, 3)),
        (float("inf"), float("inf")),
        ("\ud800", "\ud800"),
        (bytearray(b"a"), bytearray(b"a")),
    ],
)
def test_subclasses_and_related_types_become_plain_data(value, plain):
    result = through_json(value)
    assert result == plain
    assert type(result) is type(plain)


def test_an_integer_longer_than_python_prints_is_restored():
    assert through_json(2**100_000 + 1) == 2**100_000 + 1


def test_a_cycle_is_opaque():
    loop = []
    loop.append({"a": (loop,)})
    assert isinstance(through_json(loop), Opaque)
    assert through_json([[1, 2]] * 3) == [[1, 2]] * 3  # the same list twice is not a cycle


def test_related_containers_keep_their_methods():
    order = through_json(collections.OrderedDict.fromkeys("ab"))
    order.move_to_end("a")
    assert list(through_json(order)) == ["b", "a"]
    assert through_json(collections.Counter("aab")).most_common(1) == [("a", 2)]
    assert through_json(collections.defaultdict(list))["new"] == []
    assert through_json(collections.deque([1, 2], 2)).maxlen == 2


ITERATORS = {
    "range": (lambda: range(3), [0, 1, 2]),
    "map": (lambda: map(str, [1, 2]), ["1", "2"]),
    "zip": (lambda: zip([1], [2], strict=True), [[1, 2]]),
    "filter": (lambda: filter(None, [0, 1]), [1]),
    "generator": (lambda: (n for n in [1]), [1]),
    "reversed": (lambda: reversed([1, 2]), [2, 1]),
    "enumerate": (lambda: enumerate("a"), [[0, "a"]]),
    "itertools": (lambda: itertools.chain([1], [2]), [1, 2]),
    "of a dict": (lambda: iter({1: 2}), [1]),
    "values": (lambda: {1: 2}.values(), [2]),
    "nested": (lambda: [map(int, "1"), map(int, "2")], [[1], [2]]),
}


@pytest.mark.parametrize(("make", "items"), ITERATORS.values(), ids=ITERATORS)
def test_the_items_of_an_iterator_are_sent_but_it_equals_no_list(make, items):
    result = through_json(make())
    assert result != items
    assert compare_value(result, items)
    assert not compare_value(result, items[1:])


def test_iterators_can_be_left_unread():
    iterator = iter([1, 2])
    assert not is_plain(encode([iterator], read_iterators=False))
    assert list(iterator) == [1, 2]


def test_an_error_of_an_iterator_is_an_error_of_the_program():
    with pytest.raises(ZeroDivisionError):
        encode(1 // n for n in [1, 0])


@pytest.mark.parametrize("endless", [itertools.count, lambda: itertools.repeat("a" * 2**20)])
def test_an_iterator_without_end_is_opaque(endless):
    assert isinstance(through_json([endless()]), Opaque)


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x, 1), lambda x: {"a": x}, lambda x: [{1: (x,)}]])
@pytest.mark.parametrize("depth", [19, 20, 21, 22, 100, 5000])
def test_values_of_any_depth_are_restored(wrap, depth):
    value = nested(depth, wrap)
    assert compare_value(through_json(value), value, strict=True)
    assert not compare_value(through_json(value), nested(depth, wrap, 1))
    assert is_plain(encode(value))
    assert not is_plain(encode(nested(depth, wrap, object())))


def test_the_deep_parts_of_a_wide_value_are_restored():
    value = {"deep": nested(60, lambda x: [x, {1, (2,)}]), "wide": [nested(30, lambda x: (x,)), {"a": 1}] * 3}
    assert through_json(value) == value


HASHED_OR_FREED_BY_RECURSION = {
    "frozenset": lambda n: [0, *[["frozenset", 1]] * n],
    "deque": lambda n: [*[None] * n, 0, *[["deque", 2]] * n],
    "defaultdict": lambda n: [*[None, "a"] * n, 0, *[["defaultdict", 3]] * n],
    "key": lambda n: [0, *[["tuple", 1]] * (n - 1), 1, ["dict", 2]],
}


@pytest.mark.parametrize("nodes", HASHED_OR_FREED_BY_RECURSION.values(), ids=HASHED_OR_FREED_BY_RECURSION)
def test_a_value_that_would_overflow_the_stack_of_the_caller_is_opaque(nodes):
    assert not isinstance(decode({"flat": nodes(150)}), Opaque)
    assert isinstance(decode({"flat": nodes(100_000)}), Opaque)


def test_many_items_are_restored():
    assert through_json(list(range(600_000))) == list(range(600_000))


@pytest.mark.parametrize("value", [object(), lambda: 1, memoryview(b"a"), type, sys])
def test_other_objects_are_opaque_true_and_equal_to_nothing(value):
    result = through_json(value)
    assert isinstance(result, Opaque)
    assert result != value
    assert result


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"int": "xyz"},
        {"tuple": 3},
        {"dict": [1]},
        {"dict": [[], 1]},
        {"a": 1, "b": 2},
        {"set": [[1]]},
        {"flat": [["list", 1]]},
        {"flat": [1, ["list", -1]]},
        {"flat": [1, ["list", True]]},
        {"flat": [1, 2]},
        {"flat": [1, ["tuple"]]},
        {"flat": [1, [[], 1]]},
        {"flat": [{"tuple": [1]}]},
        {"flat": 1},
        {"range": [0, 1, 0]},
        {"range": [0, 10**30, 1]},
        {"deque": [10**30, 1]},
        {"defaultdict": ["eval", 1, 2]},
        {"Fraction": [1, 0]},
        {"Fraction": [1, {"int": "f" * 10_000}]},
        {"Decimal": "1E+99999"},
        {"Decimal": "sNaN"},
        {"items": [1]},
        {"date": "2020"},
        {"unknown": [1, 2]},
    ],
)
def test_malformed_data_are_opaque_not_an_error(data):
    assert isinstance(decode(data), Opaque)


def dict_of(pair):
    return {pair[0]: list(pair[1])}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.dictionaries(st.sampled_from("int bytes Decimal date time timedelta Fraction".split()), inner, max_size=1)
        | st.dictionaries(st.sampled_from("tuple dict set frozenset deque range complex".split()), inner, max_size=1)
        | st.dictionaries(st.sampled_from("flat keys values items Counter iterator".split()), inner, max_size=1)
        | st.tuples(st.sampled_from("list tuple dict set iterator".split()), st.integers(-1, 3)).map(list)
        | st.tuples(st.just("ndarray"), st.tuples(st.sampled_from(["int8", "<U3", "object"]), inner)).map(dict_of)
    ),
    max_leaves=15,
)


@given(json_values, st.booleans())
def test_any_json_is_decoded_without_an_error(data, arrays):
    before = json.dumps(data)
    decode(data, arrays)
    assert json.dumps(data) == before
    is_plain(data)


def colliding(make):
    """Encoded values of which all have the same hash."""
    return [encode(make(n * (2**61 - 1))) for n in range(1, 20_000)]


@pytest.mark.parametrize("tag", ["set", "frozenset", "dict", "Counter", "OrderedDict", "keys"])
@pytest.mark.parametrize("make", [int, lambda n: (1, (n,)), lambda n: fractions.Fraction(n, 3)])
def test_keys_that_were_chosen_to_collide_are_opaque_at_once(tag, make):
    began = time.process_time()
    content = colliding(make)
    if tag in ("dict", "Counter", "OrderedDict"):
        content = list(itertools.chain.from_iterable((key, 1) for key in content))
    assert isinstance(decode({tag: content}), Opaque)
    assert time.process_time() - began < 10  # hours, if they were put into a table


def keys_in_one_long_run(bits):
    """Integers of different hashes that fill a table of `2 ** bits` places in quadratic time: most of them in one long run."""
    size, places, place = 2**bits, [], 0
    for _ in range(size):
        places.append(place)
        place = (5 * place + 1) % size  # the place that a table tries next
    run = places[: size // 2]
    occupied, first = frozenset(run), frozenset(run[: size // 10])
    found = []
    for key in range(size, 64 * size):
        place, rest = key % size, key
        while place in occupied and rest:
            rest >>= 5
            place = (5 * place + rest + 1) % size
        if not rest and place in first:
            found.append(key)
        if len(found) == size // 8:
            break
    return run + found


@pytest.mark.parametrize("tag", ["set", "keys"])
def test_keys_that_were_chosen_to_fill_a_table_slowly_are_opaque_soon(tag):
    keys = keys_in_one_long_run(17)
    began = time.process_time()
    assert isinstance(decode({tag: keys}), Opaque)
    assert time.process_time() - began < 1
    assert decode({tag: list(range(len(keys)))}) == dict.fromkeys(range(len(keys))).keys()


def test_sets_in_sets_that_were_chosen_to_collide_are_opaque_at_once():
    pool = [{"tuple": [-1 - (n >> bit & 1) for bit in range(8)]} for n in range(256)]  # -1 and -2 have the same hash
    data = {"set": [{"frozenset": [*pool[:89], pool[89 + n]]} for n in range(90)]}
    assert isinstance(decode(data), Opaque)
    few = {"set": [{"frozenset": [-1, n]} for n in range(90)]}
    assert decode(few) == {frozenset([-1, n]) for n in range(90)}


@pytest.mark.parametrize("bits", [14_000, 4_000_000])
def test_long_integers_and_decimals_of_the_same_hash_are_not_compared(bits):
    numbers = [2**bits + n * (2**61 - 1) for n in range(40)]
    modulus = 2**61 - 1
    same_hash = [decimal.Decimal(hash(numbers[0]) + n * modulus) for n in range(40)]
    began = time.process_time()
    assert hash(same_hash[0]) == hash(numbers[0])
    for tag in ("set", "frozenset", "keys"):
        assert isinstance(decode({tag: [encode(number) for number in (*same_hash, *numbers)]}), Opaque)
    assert time.process_time() - began < 10


def test_decimals_are_keys_and_items_of_sets():
    value = {decimal.Decimal("1.5"): {decimal.Decimal(2), -1, -2}, "a": 10**1000}
    assert through_json(value) == value


@pytest.mark.parametrize(
    "make",
    [
        lambda n: list(range(n)),
        lambda n: [[]] * n,
        lambda n: nested(n, lambda x: [x]),
        lambda n: {i: i for i in range(n)},
        lambda n: "," * n,
        lambda n: 7**n,
        lambda n: nested(n // 20, lambda x: (x, *range(20))),
    ],
)
def test_encoding_and_decoding_take_linear_time(make):
    def seconds(size):
        value, best = make(size), 60.0
        gc.disable()  # a collection takes the longer, the more objects the other tests have left
        try:
            for _ in range(4):
                began = time.process_time()
                through_json(value)
                best = min(best, time.process_time() - began)
        finally:
            gc.enable()
        return best

    assert seconds(40_000) < 100 * max(seconds(2_000), 2e-4)


@pytest.mark.parametrize("digits", [1, 4300, 4301, 9131, 30_000])
def test_integers_of_any_size_are_read_and_written(digits):
    number, limit = 10**digits // 9, sys.get_int_max_str_digits()
    value = {"a": [number, -number, "7" * digits, 1.5, None], "b": number}
    text = f'{{"a": [{"1" * digits}, -{"1" * digits}, "{"7" * digits}", 1.5, null], "b": {"1" * digits}}}'
    assert dump_json(value) == text
    assert load_json(text) == load_json(text.encode()) == value
    assert dump_json({number: 1}) == f'{{"{"1" * digits}": 1}}'
    assert sys.get_int_max_str_digits() == limit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        (b'"\xff"', "not UTF-8: invalid start byte at byte 1"),
        ("{", "line 1 column 2"),
        ("\0", "Expecting value"),
        ("", "Expecting value"),
    ],
)
def test_a_text_that_is_not_json_is_a_value_error(text, message):
    with pytest.raises(ValueError, match=message):
        load_json(text)


def test_a_byte_order_mark_before_json_is_skipped():
    assert load_json("\ufeff[1]") == load_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1, 2}, "cannot be written as JSON: Object of type set"),
        ([10**5000, object()], "cannot be written as JSON"),
        (nested(100_000, lambda x: [x]), "nested too deeply"),
    ],
)
def test_a_value_that_json_cannot_write_is_a_value_error(value, message):
    with pytest.raises(ValueError, match=message):
        dump_json(value)
    loop = [10**5000]
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        dump_json(loop)
