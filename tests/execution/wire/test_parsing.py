"""What a hostile process sends as JSON is read at bounded cost, or not at all."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.wire.parsing import parse_error, parse_json, parse_site


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "content",
    [
        list(range(1_000_000)),
        ["," * 3_000_000],
        ["[{" * 1_000_000, "]"],
        ['"\\', "[[[["] * 100_000,
        [[1, 2]] * 300_000,
        [{"set": []}] * 300_000,
        json.loads(nested(300)),
    ],
    ids=["numbers", "commas in a text", "brackets in a text", "quotes in a text", "pairs", "objects", "deep"],
)
def test_what_an_honest_process_sends_is_read(content):
    assert parse_json(json.dumps(content).encode()) == content


@pytest.mark.parametrize(
    "payload",
    [
        nested(301).encode(),
        b'{"a":' * 301 + b"1" + b"}" * 301,
        b"[" * 5_000_000,
        b"[" + b"{}," * 1_000_000 + b"{}]",
        b"[[1]]".join([b'["\\\\"', b"]"]) + b"[",
        "[1]".encode("utf-16"),
        b"\xff",
        b"",
        b"[",
        b"\xef\xbb\xbf[1]",
    ],
)
def test_what_would_cost_the_caller_too_much_or_is_not_json_is_not_read(payload):
    assert parse_json(payload) is None


def test_quotes_do_not_hide_brackets():
    hidden = b'["\\\\", ' + nested(400).encode() + b"]"
    assert json.loads(hidden)[0] == "\\"
    assert parse_json(hidden) is None


@given(st.binary() | st.text().map(str.encode) | st.text(alphabet='[]{},:"\\1a ').map(str.encode))
def test_any_bytes_are_read_as_json_reads_them_or_not_at_all(payload):
    try:
        expected = json.loads(payload.decode())
    except ValueError:
        expected = None
    assert repr(parse_json(payload)) == repr(expected)
    assert isinstance(parse_error(payload)["type"], str)
    assert isinstance(parse_site(payload)["detail"], str)


@pytest.mark.parametrize("part", [b"[", b'"', b'\\"', b'"\\', b"{},", b'"",', b'{"":', b"1,", b"]["])
def test_time_is_linear_in_the_size(part):
    def seconds(size):
        payload, best = b"[" + part * (size // len(part)), 60.0
        for _ in range(3):
            began = time.process_time()
            parse_json(payload)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(400_000) < 100 * max(seconds(20_000), 1e-4)
