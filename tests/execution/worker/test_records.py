"""Records from a program's process: read in order, hard to forge, bounded in size."""

import json
import os

import pytest

from trl_rltf.execution.sandbox.libc import fork
from trl_rltf.execution.worker.records import RecordKind, RecordReader, RecordWriter


@pytest.fixture
def log():
    """Descriptor of an empty file that both ends share."""
    descriptor = os.memfd_create("log")
    yield descriptor
    os.close(descriptor)


def ends(log, num_tests=3):
    reader = RecordReader(num_tests)
    return reader, RecordWriter(log, reader.tokens)


def test_records_come_in_order_with_their_payload(log):
    reader, writer = ends(log)
    writer.send(RecordKind.LOADED)
    writer.send_json(RecordKind.ERROR, 2, {"type": "ValueError"})
    first, second = reader.read(log)
    assert (first.kind, first.test, first.payload) == (RecordKind.LOADED, -1, b"")
    assert (second.kind, second.test, json.loads(second.payload)) == (RecordKind.ERROR, 2, {"type": "ValueError"})
    assert 0 < first.cpu <= second.cpu
    assert 0 < first.wall <= second.wall


def test_a_record_is_read_once(log):
    reader, writer = ends(log)
    writer.send(RecordKind.DONE, 0, b"[1]")
    assert len(list(reader.read(log))) == 1
    assert list(reader.read(log)) == []
    writer.send(RecordKind.DONE, 1, b"[2]")
    assert [record.test for record in reader.read(log)] == [1]


def test_the_values_of_a_test_are_not_read_and_can_be_found_in_the_file(log):
    reader, writer = ends(log)
    writer.send(RecordKind.DONE, 0, b"[41]")
    writer.send(RecordKind.DONE, 1, b"[42]")
    records = list(reader.read(log))
    assert [record.payload for record in records] == [b"", b""]
    assert [os.pread(log, record.size, record.offset) for record in records] == [b"[41]", b"[42]"]


@pytest.mark.parametrize(("size", "is_read"), [(2**16, True), (2**16 + 1, False)])
def test_a_payload_that_is_too_long_is_not_read(log, size, is_read):
    reader, writer = ends(log)
    writer.send(RecordKind.ERROR, 0, b"x" * size)
    writer.send(RecordKind.LOADED)
    first, second = reader.read(log)
    assert (first.payload == b"x" * size) is is_read
    assert first.size == size
    assert second.kind == RecordKind.LOADED, "the next record is not found"


@pytest.mark.parametrize("token", [b"\0" * 8, b"guessed!"])
def test_bytes_without_the_right_token_end_the_log(log, token):
    reader, writer = ends(log)
    os.write(log, token + bytes(24) + b"\0" * 8)
    writer.send(RecordKind.DONE, 0, b"[1]")
    assert list(reader.read(log)) == []


def test_a_record_that_is_written_a_second_time_does_not_count(log):
    reader, writer = ends(log)
    writer.send(RecordKind.DONE, 0, b"[1]")
    os.write(log, os.pread(log, os.fstat(log).st_size, 0))
    writer.send(RecordKind.DONE, 1, b"[2]")
    assert [record.test for record in reader.read(log)] == [0]


def test_tokens_do_not_repeat_and_are_enough_for_all_records_of_a_program(log):
    reader, writer = ends(log, num_tests=5)
    tokens = [reader.tokens[start : start + 8] for start in range(0, len(reader.tokens), 8)]
    assert len(set(tokens)) == len(tokens)
    writer.send(RecordKind.TRAILING)
    writer.send(RecordKind.SITE)
    for test in range(5):
        writer.send(RecordKind.DONE, test)
    assert len(list(reader.read(log))) == 7


def test_records_after_the_last_token_do_not_count(log):
    reader, writer = ends(log, num_tests=1)
    for _ in range(10):
        writer.send(RecordKind.LOADED)
    assert len(list(reader.read(log))) == 1 + 4


def test_a_record_about_a_test_that_does_not_exist_is_left_out(log):
    reader, writer = ends(log, num_tests=2)
    writer.send(RecordKind.DONE, 2)
    writer.send(RecordKind.DONE, 1)
    assert [record.test for record in reader.read(log)] == [1]


def test_a_record_that_is_not_complete_waits_for_its_rest(log):
    reader, writer = ends(log)
    writer.send(RecordKind.DONE, 0, b"[1, 2, 3]")
    data = os.pread(log, os.fstat(log).st_size, 0)
    os.ftruncate(log, 0)
    os.lseek(log, 0, os.SEEK_SET)
    for position in range(len(data) - 1):
        os.write(log, data[position : position + 1])
        assert list(reader.read(log)) == []
    os.write(log, data[-1:])
    assert [record.size for record in reader.read(log)] == [len(b"[1, 2, 3]")]


def test_a_length_that_reaches_past_the_end_of_the_file_is_not_read(log):
    reader, writer = ends(log)
    writer.send(RecordKind.ERROR, 0, b"12345")
    os.ftruncate(log, os.fstat(log).st_size - 1)
    assert list(reader.read(log)) == []


def test_a_fork_of_the_program_reports_nothing_and_ends(log):
    reader, writer = ends(log)
    pid = fork()
    if pid == 0:
        writer.send(RecordKind.DONE, 0)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(reader.read(log)) == []


def test_a_program_that_replaces_functions_of_os_does_not_change_its_report(log, monkeypatch):
    reader, writer = ends(log)
    monkeypatch.setattr(os, "write", lambda descriptor, data: len(data))
    monkeypatch.setattr(json, "dumps", lambda content: "[true]")
    writer.send_json(RecordKind.ERROR, 0, [False])
    monkeypatch.undo()
    assert [record.payload for record in reader.read(log)] == [b"[false]"]
