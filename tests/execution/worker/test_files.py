"""Files in memory, through which bytes pass a worker unread."""

import json
import os

import pytest

from trl_rltf.execution.wire.frames import pack_parts
from trl_rltf.execution.worker.files import PassThroughFile


@pytest.fixture
def descriptor():
    """Descriptor of an empty file in memory."""
    number = os.memfd_create("test")
    yield number
    os.close(number)


@pytest.fixture
def file(descriptor):
    return PassThroughFile(descriptor)


@pytest.fixture
def other():
    """Descriptor of a second file in memory."""
    number = os.memfd_create("other")
    yield number
    os.close(number)


def fill(file, content, size=None):
    source, sink = os.pipe()
    try:
        os.write(sink, content)
        os.close(sink)
        file.fill_from(source, len(content) if size is None else size)
        return os.read(source, 100)
    finally:
        os.close(source)


def content_of(descriptor):
    return os.pread(descriptor, 10_000, 0)


def test_filling_replaces_the_content_and_leaves_the_rest_in_the_pipe(file, descriptor):
    fill(file, b"a longer text than the next one")
    assert fill(file, b"textrest", size=4) == b"rest"
    assert (content_of(descriptor), file.size, file.content) == (b"text", 4, None)


def test_a_pipe_that_ends_too_early_is_an_error(file):
    with pytest.raises(EOFError, match="the caller is gone"):
        fill(file, b"text", size=5)


def test_appended_bytes_are_found_at_the_place_that_is_returned(file, descriptor, other):
    os.write(other, b"0123456789")
    places = [file.append(other, 2, 3), file.append(other, 0, 0), file.append(other, 8, 2)]
    assert places == [(0, 3), (3, 0), (3, 2)]
    assert content_of(descriptor) == b"23489"


def test_bytes_past_the_end_of_the_other_file_are_not_appended(file, descriptor, other):
    os.write(other, b"0123")
    assert file.append(other, 2, 100) == (0, 2)
    assert content_of(descriptor) == b"23"


def test_all_bytes_are_sent_from_the_beginning(file, other):
    os.write(other, b"answers")
    file.append(other, 0, 7)
    source, sink = os.pipe()
    file.send_to(sink)
    file.send_to(sink)
    assert os.read(source, 100) == b"answersanswers"
    os.close(source)
    os.close(sink)


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_parts_are_moved_one_by_one_from_any_of_them_on(file, other, first):
    parts = [b"one", b"", b"three" * 1000]
    fill(file, pack_parts(parts))
    file.skip_to(first)
    moved = []
    while file.move_part_to(other):
        moved.append(content_of(other)[: os.fstat(other).st_size])
        os.ftruncate(other, 0)
        os.lseek(other, 0, os.SEEK_SET)
    assert moved == parts[first:]
    assert not file.move_part_to(other)


def test_a_cleared_file_has_no_parts(file, other):
    fill(file, pack_parts([b"one"]))
    file.clear()
    assert not file.move_part_to(other)
    assert file.size == 0


def test_only_opening_reads_the_content(file):
    fill(file, json.dumps({"source": "print(1)"}).encode())
    assert file.content is None
    file.open()
    assert file.content == {"source": "print(1)"}


def test_files_of_a_program_are_as_at_first_before_the_next_one(scenario):
    states = scenario("files_are_renewed")
    assert states["changed"] != states["before"] == states["after"]
    assert min(states["times"]) > 10_000, "a time that the last program set is still there"


def test_only_the_beginning_of_an_output_is_moved_unless_all_of_it_is_needed(scenario):
    result = scenario("output_is_moved")
    assert result["moved"] == [
        [[0, 10], False],
        [[10, 2000], False],  # a sample of 5000 bytes
        [[2010, 5000], False],  # all of them
        [[7010, 2000], True],  # more than a program may print
    ]
    assert result["answers"] == 9010
