"""Messages are framed with their sizes, which are checked byte by byte."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.wire.frames import HEADER, frame, pack_parts, parse_frame


def test_a_frame_is_two_sizes_and_json():
    assert frame([1, "a"]) == b"\x00\x00\x00\x0c" + b"\x00\x00\x00\x08" + b'[1, "a"]'


def test_the_bytes_after_the_json_are_returned_as_they_are():
    message, rest = parse_frame(b"\x00\x00\x00\x02{}" + b"\x00\xff[]")
    assert message == {}
    assert bytes(rest) == b"\x00\xff[]"


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.none()), st.binary())
def test_a_frame_is_parsed_into_its_message(message, rest):
    data = frame(message) + rest
    size = HEADER.unpack_from(data)[0]
    assert size == len(data) - HEADER.size - len(rest)
    found, after = parse_frame(data[HEADER.size :])
    assert (found, bytes(after)) == (message, rest)


@pytest.mark.parametrize("body", [b"\x00\x00\x00\x02{", b"\x00\x00\x00\x01{}", b"\x00\x00\x00\x00{}"])
def test_a_size_that_does_not_fit_the_json_is_an_error(body):
    with pytest.raises(ValueError, match="Expecting"):
        parse_frame(body)


def test_parts_are_packed_after_their_sizes():
    assert pack_parts([b"ab", b"", b"\n"]) == (
        b"\x00\x00\x00\x00\x00\x00\x00\x02ab"
        + b"\x00\x00\x00\x00\x00\x00\x00\x00"
        + b"\x00\x00\x00\x00\x00\x00\x00\x01\n"
    )
    assert pack_parts([]) == b""


@given(st.lists(st.binary(max_size=20)))
def test_packed_parts_can_be_read_one_by_one(parts):
    data, found = pack_parts(parts), []
    while data:
        size = struct.unpack("!Q", data[:8])[0]
        found.append(data[8 : 8 + size])
        data = data[8 + size :]
    assert found == parts
