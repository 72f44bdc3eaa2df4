"""JSON from a hostile process is read at bounded cost, or not at all."""

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
def test_json_from_an_honest_process_is_read(content):
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
def test_json_that_is_too_expensive_or_malformed_is_not_read(payload):
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
def test_reading_takes_time_linear_in_the_size(part):
    def seconds(size):
        payload, best = b"[" + part * (size // len(part)), 60.0
        for _ in range(3):
            began = time.process_time()
            parse_json(payload)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(400_000) < 100 * max(seconds(20_000), 1e-4)


def test_a_description_of_an_error_is_read():
    error = {"phase": "compile", "type": "SyntaxError", "message": "no", "position": [1, 2, 3, -1]}
    assert parse_error(json.dumps(error).encode()) == error
    site = {"detail": "truncated", "span": [1, 0, 2, 9], "expression_span": None}
    assert parse_site(json.dumps(site).encode()) == site


NOTHING_KNOWN = {"phase": "run", "type": "Unknown", "message": "", "position": None}


@pytest.mark.parametrize(
    "field",
    [
        {"phase": ["compile"]},
        {"type": 7},
        {"message": {"a": 1}},
        {"position": [1, 2, 3]},
        {"position": [1, 2, 3, 4.0]},
        {"position": [1, 2, 3, True]},
        {"position": [1, 2, 3, 2**31]},
        {"position": "abcd"},
        {"further": 1},
    ],
)
def test_a_field_of_the_wrong_type_gets_a_default(field):
    assert parse_error(json.dumps(field).encode()) == NOTHING_KNOWN


@pytest.mark.parametrize("payload", [b"[]", b"7", b"null", b"{", b""])
def test_a_payload_that_is_not_an_object_gives_defaults(payload):
    assert parse_error(payload) == NOTHING_KNOWN
    assert parse_site(payload) == {"detail": "", "span": None, "expression_span": None}


def test_texts_of_an_error_are_cut():
    error = parse_error(json.dumps({"type": "T" * 1000, "message": "m" * 1000}).encode())
    assert (len(error["type"]), len(error["message"])) == (200, 500)
    assert len(parse_site(json.dumps({"detail": "d" * 1000}).encode())["detail"]) == 100
