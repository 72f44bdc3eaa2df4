"""The filter of system calls, run by a slow interpreter of its instructions (classic BPF)."""

import errno
import re
import signal
import struct
from pathlib import Path

import pytest

from trl_rltf.execution.sandbox import seccomp
from trl_rltf.execution.sandbox.seccomp import SystemCallFilter


ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_…
REFUSED, NOT_THERE = REFUSE | errno.EPERM, REFUSE | errno.ENOSYS
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
MACHINES = pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
NEW_USER_NAMESPACE, TERMINAL_SIZE, TYPE_INTO_TERMINAL = 0x10000000, 0x5413, 0x5412


def run(code, number, *arguments, audit=AUDIT["x86_64"]):
    """Decide about one call: interpret the instructions one by one, as bpf(4) describes them."""
    numbers = [argument & 2**64 - 1 for argument in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, audit, 0, *numbers)  # struct seccomp_data
    accumulator = place = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("<HBBI", code, 8 * place)
        place += 1
        match operation:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x54:
                accumulator &= value
            case 0x15:
                place += if_true if accumulator == value else if_false
            case 0x35:
                place += if_true if accumulator >= value else if_false
            case 0x45:
                place += if_true if accumulator & value else if_false
            case 0x06:
                return value
            case _:
                raise AssertionError(f"unknown operation {operation:#x}")


@pytest.mark.parametrize(
    ("number", "arguments", "verdict"),
    [
        pytest.param(0, (0, 0, 10), ALLOW, id="read"),
        pytest.param(1, (1, 0, 10), ALLOW, id="write"),
        pytest.param(257, (-100, 0, 0), ALLOW, id="openat"),
        pytest.param(59, (), ALLOW, id="execve"),
        pytest.param(9, (), ALLOW, id="mmap"),
        pytest.param(500, (), ALLOW, id="a call that is newer than the filter"),
        pytest.param(41, (2, 1, 0), REFUSED, id="socket"),
        pytest.param(101, (0,), REFUSED, id="ptrace"),
        pytest.param(319, (), REFUSED, id="memfd_create"),
        pytest.param(272, (), REFUSED, id="unshare"),
        pytest.param(425, (), REFUSED, id="io_uring_setup"),
        pytest.param(56, (signal.SIGCHLD,), ALLOW, id="fork by clone"),
        pytest.param(56, (0x3D0F00,), ALLOW, id="a thread by clone"),
        pytest.param(56, (NEW_USER_NAMESPACE | signal.SIGCHLD,), REFUSED, id="clone into a user namespace"),
        pytest.param(435, (), NOT_THERE, id="clone3"),
        pytest.param(302, (0, 7), ALLOW, id="its limits"),
        pytest.param(302, (1, 7), REFUSED, id="limits of another process"),
        pytest.param(141, (0, 0, 5), ALLOW, id="its priority"),
        pytest.param(141, (0, 17, 5), REFUSED, id="priority of another process"),
        pytest.param(141, (2, 0, 5), REFUSED, id="priority of a user"),
        pytest.param(203, (0,), ALLOW, id="its CPUs"),
        pytest.param(203, (9,), REFUSED, id="CPUs of another process"),
        pytest.param(72, (3, 2, 1), ALLOW, id="flags of a descriptor"),
        pytest.param(72, (3, 6, 0), ALLOW, id="lock of a file"),
        pytest.param(72, (3, 37, 0), REFUSED, id="lock of an open file"),
        pytest.param(72, (3, 8, 1), REFUSED, id="owner of signals"),
        pytest.param(72, (3, 1024, 1), REFUSED, id="lease"),
        pytest.param(16, (0, TERMINAL_SIZE), ALLOW, id="size of a terminal"),
        pytest.param(16, (0, 0x541B), ALLOW, id="bytes to read"),
        pytest.param(16, (0, 0x5460), ALLOW, id="the last request of the list"),
        pytest.param(16, (0, TYPE_INTO_TERMINAL), REFUSED, id="typing into a terminal"),
        pytest.param(16, (0, 0x8912), REFUSED, id="network interfaces"),
        pytest.param(327, (3, 0, 1, 0, 0, 0), ALLOW, id="preadv2"),
        pytest.param(327, (3, 0, 1, 0, 0, 8), REFUSED, id="preadv2 that does not wait"),
        pytest.param(53, (1, 1, 0), ALLOW, id="a pair of streams"),
        pytest.param(53, (1, 1 | 0x80000, 0), ALLOW, id="a pair of streams, closed on exec"),
        pytest.param(53, (1, 2, 0), REFUSED, id="a pair of datagrams"),
        pytest.param(62, (4, 9), ALLOW, id="a signal"),
        pytest.param(90, (), ALLOW, id="chmod"),
    ],
)
def test_the_filter_of_a_worker_decides_about_each_call(number, arguments, verdict):
    assert run(SystemCallFilter.of_worker("x86_64").code, number, *arguments) == verdict


def test_the_high_half_of_an_argument_does_not_count():
    code = SystemCallFilter.of_worker("x86_64").code
    assert run(code, 302, 1 << 32) == ALLOW  # the kernel reads a process id from the low half
    assert run(code, 302, (1 << 32) + 1) == REFUSED


@MACHINES
def test_the_calls_that_are_always_refused_are_those_of_the_list(machine, column):
    code = SystemCallFilter.of_worker(machine).code
    refused = {numbers[column] for numbers in seccomp._REFUSED.values()} - {None}
    always = {number for number in range(480) if run(code, number, audit=AUDIT[machine]) == REFUSED}
    # With arguments of 0, these two have a request, and a type of socket, that are not allowed.
    assert always == refused | {seccomp._IOCTL[column], seccomp._SOCKETPAIR[column]}


@MACHINES
def test_the_numbers_of_the_calls_are_those_of_the_kernel(machine, column):
    if not HEADERS[machine].exists():
        pytest.skip(f"the headers of the kernel are not on this machine ({HEADERS[machine]})")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    expected = {name: int(number) for name, number in defined if name != "syscalls"}  # which is their count
    calls = {**seccomp._REFUSED, **seccomp._FILE_ATTRIBUTES, **seccomp._SIGNALS, **seccomp._OTHER_SIGNALS}
    calls |= {name: numbers for name, (numbers, _) in seccomp._REFUSED_ON_OTHERS.items()}
    calls |= {"fcntl": seccomp._FCNTL, "ioctl": seccomp._IOCTL, "preadv2": seccomp._PREADV2}
    calls |= {"clone": seccomp._CLONE, "clone3": seccomp._CLONE3, "socketpair": seccomp._SOCKETPAIR}
    listed = {name: numbers[column] for name, numbers in calls.items() if numbers[column] is not None}
    newest = max(expected.values())  # the headers may be older than the list
    assert listed == {name: expected[name] if number <= newest else number for name, number in listed.items()}
    if machine == "aarch64":
        assert not {name for name, numbers in calls.items() if numbers[1] is None} & set(expected)


@MACHINES
def test_calls_of_another_architecture_kill_the_process(machine, column):
    code = SystemCallFilter.of_worker(machine).code
    for other in AUDIT.values():
        assert (run(code, 500, audit=other) == KILL) is (other != AUDIT[machine])


def test_the_same_calls_under_their_x32_numbers_are_refused():
    assert run(SystemCallFilter.of_worker("x86_64").code, 0x40000000 | 1) == REFUSED


def test_a_machine_that_is_not_listed_gets_no_filter():
    unknown = SystemCallFilter.of_worker("riscv64")
    assert unknown.code == b""
    assert not unknown.install()


PROTECTED = [7, 8]


@pytest.mark.parametrize(
    ("number", "arguments", "verdict"),
    [
        pytest.param(62, (100, 9), ALLOW, id="a signal to its child"),
        pytest.param(62, (0, 9), ALLOW, id="a signal to its group"),
        pytest.param(62, (7, 9), REFUSED, id="a signal to the worker"),
        pytest.param(62, (8, 9), REFUSED, id="a signal to the caller"),
        pytest.param(62, (-7, 9), REFUSED, id="a signal to the worker's group"),
        pytest.param(62, (-1, 9), REFUSED, id="a signal to all processes"),
        pytest.param(234, (7, 7, 9), REFUSED, id="a signal to a thread of the worker"),
        pytest.param(424, (), REFUSED, id="a signal by descriptor"),
        pytest.param(90, (), ALLOW, id="chmod"),
        pytest.param(280, (), ALLOW, id="utimensat"),
        pytest.param(41, (), ALLOW, id="socket"),  # the filter of the worker, which is in force too, refuses it
    ],
)
def test_programs_next_to_their_worker_cannot_signal_it(number, arguments, verdict):
    assert run(SystemCallFilter.of_program(False, PROTECTED, "x86_64").code, number, *arguments) == verdict


@pytest.mark.parametrize("number", [90, 260, 280, 452], ids=["chmod", "fchownat", "utimensat", "fchmodat2"])
def test_attributes_of_files_are_refused_where_the_files_are_those_of_the_machine(number):
    assert run(SystemCallFilter.of_program(True, (), "x86_64").code, number) == REFUSED
    assert run(SystemCallFilter.of_program(False, (), "x86_64").code, number) == ALLOW


def test_without_processes_to_protect_signals_are_allowed():
    code = SystemCallFilter.of_program(True, (), "x86_64").code
    assert run(code, 62, -1, 9) == ALLOW


@MACHINES
def test_a_filter_has_fewer_instructions_than_the_kernel_takes_and_jumps_inside_it(machine, column):
    for built in (SystemCallFilter.of_worker(machine), SystemCallFilter.of_program(True, PROTECTED, machine)):
        count = len(built.code) // 8
        assert count <= 4096
        for place in range(count):
            operation, if_true, if_false, _ = struct.unpack_from("<HBBI", built.code, 8 * place)
            assert operation == 0x06 or place + 1 + max(if_true, if_false) < count
