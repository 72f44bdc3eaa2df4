"""Refuse system calls that no solution of a problem needs, see seccomp(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Self

from .libc import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, prctl


_SECCOMP_MODE_FILTER = 2
_LOAD_WORD, _AND, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16  # struct seccomp_data
_LOW_WORD = 0xFFFFFFFF
_NEW_NAMESPACES = 0x7E020080  # all CLONE_NEW* flags of clone(2)
_X32 = 0x40000000  # flag of the x32 calls: the same calls under other numbers

# Per machine: the audit name of the architecture, and the number of each call.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMNS = {"x86_64": 0, "aarch64": 1}

# Calls that reach other processes, other users of the machine, or memory that no limit counts.
_REFUSED = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "mount_setattr": (442, 442),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "io_setup": (206, 0),
    "statmount": (457, 457),
    "listmount": (458, 458),
    # These read or set which parts of a file are in memory, without a change of the file. A program could leave a
    # message for the next program in this way.
    "fadvise64": (221, 223),
    "readahead": (187, 213),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "ioprio_set": (251, 30),
    "flock": (73, 32),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setgroups": (116, 159),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "iopl": (172, None),
    "ioperm": (173, None),
}
# Allowed on the process itself, where the arguments at these positions are 0, and refused on others.
_REFUSED_ON_OTHERS = {
    "prlimit64": ((302, 261), (0,)),
    "setpriority": ((141, 140), (0, 1)),
    "sched_setaffinity": ((203, 122), (0,)),
    "sched_setparam": ((142, 118), (0,)),
    "sched_setscheduler": ((144, 119), (0,)),
    "sched_setattr": ((314, 274), (0,)),
}
# Commands of fcntl that send signals, or whose effect stays with an open file, which the next program may get: owners of
# signals, locks of open files, leases, notifications and hints for writing.
_FCNTL, _LASTING_COMMANDS = (72, 25), (8, 10, 15, 37, 38, 1024, 1026, 1036, 1038)
# Of the thousands of requests of ioctl, those for terminals and for any descriptor. Others change attributes of foreign files,
# type into terminals, or ask about the network.
_IOCTL, _ALLOWED_REQUESTS = (
    (16, 29),
    (
        *(0x5401, 0x5402, 0x5403, 0x5404, 0x5409, 0x540A, 0x540B),  # attributes of a terminal, and its queues
        *(0x540E, 0x540F, 0x5410, 0x5411, 0x5413, 0x5414, 0x5422, 0x5429),  # its session, groups and size
        *(0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D),  # its attributes, in the later structure
        *(0x80045430, 0x40045431, 0x80045439, 0x5441),  # pairs of terminals
        *(0x541B, 0x5421, 0x5450, 0x5451, 0x5460),  # FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FIOQSIZE
    ),
)
# The flags of preadv2, its argument at this position, can ask not to wait for the disk. The result then shows which
# parts of a file are in memory.
_PREADV2, _FLAGS_OF_READING = (327, 286), 5
_CLONE, _CLONE3 = (56, 220), (435, 435)
# multiprocessing and asyncio need pairs of connected streams. A datagram could be sent to another socket.
_SOCKETPAIR, _TYPE_MASK, _STREAM = (53, 199), 0xF, 1
# Landlock does not cover owner, mode, times and attributes of the files that the user owns.
_FILE_ATTRIBUTES = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "file_setattr": (469, 469),
}
# Calls that send a signal to the process or thread in their first argument, and calls that name it in another way.
_SIGNALS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_tgsigqueueinfo": (297, 240)}
_OTHER_SIGNALS = {"rt_sigqueueinfo": (129, 138), "pidfd_send_signal": (424, 424)}


class _BpfProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class SystemCallFilter:
    """
    A filter for a process and all that it starts. It cannot be removed.

    Args:
        rules (`Callable[[int], list[bytes]]`): Takes the column of the machine and returns the instructions that decide about a
            call whose number is loaded. A call that they do not decide is allowed.
        machine (`str`, *optional*): Name of the machine, as `uname -m` prints it. Defaults to this one.

    Attributes:
        code (`bytes`): The program of the filter, empty on a machine that is not supported.
    """

    def __init__(self, rules: Callable[[int], list[bytes]], machine: str | None = None):
        machine = os.uname().machine if machine is None else machine
        self.code = b""
        if machine in _ARCHITECTURES and sys.byteorder == "little":
            self.code = b"".join([*_beginning(machine), *rules(_COLUMNS[machine]), _instruction(_RETURN, _ALLOW)])
        self._buffer = ctypes.create_string_buffer(self.code, len(self.code))
        self._program = _BpfProgram(len(self.code) // 8, ctypes.addressof(self._buffer))

    @classmethod
    def of_worker(cls, machine: str | None = None) -> Self:
        """Build the filter for a worker and all of its programs."""
        return cls(_worker_rules, machine)

    @classmethod
    def of_program(cls, hides_files: bool, protected: Collection[int], machine: str | None = None) -> Self:
        """
        Build the filter that programs get in addition.

        Args:
            hides_files (`bool`): Refuse to change owner, mode and times of files: for programs that only Landlock keeps from
                other files.
            protected (`Collection[int]`): Processes that get no signal, neither alone nor together with all others. Empty
                where programs are in a PID namespace.
            machine (`str`, *optional*): Name of the machine.
        """

        def rules(column: int) -> list[bytes]:
            code = _refuse_all(_FILE_ATTRIBUTES, column) if hides_files else []
            if protected:
                targets = [number & _LOW_WORD for pid in protected for number in (pid, -pid)]
                code += _refuse_all(_OTHER_SIGNALS, column)
                for numbers in _SIGNALS.values():
                    code += _refuse_values(numbers[column], 0, [*targets, -1 & _LOW_WORD])
            return code

        return cls(rules, machine)

    def install(self) -> bool:
        """Install the filter in this process. Returns whether the kernel accepted it."""
        if not self.code or prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            return False
        return prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(self._program), 0, 0) == 0


def _beginning(machine: str) -> list[bytes]:
    code = [
        _instruction(_LOAD_WORD, _ARCHITECTURE_OFFSET),
        _instruction(_JUMP_IF_EQUAL, _ARCHITECTURES[machine], if_true=1),
        _instruction(_RETURN, _KILL),  # 32-bit calls have other numbers
        _instruction(_LOAD_WORD, _NUMBER_OFFSET),
    ]
    return [*code, _instruction(_JUMP_IF_AT_LEAST, _X32, if_false=1), _REFUSE_CALL] if machine == "x86_64" else code


def _worker_rules(column: int) -> list[bytes]:
    code = _refuse_all(_REFUSED, column)
    for numbers, positions in _REFUSED_ON_OTHERS.values():
        checks = [check for position in positions for check in (*_argument(position), *_unless_equal(0))]
        code += _for_call(numbers[column], checks)
    code += _refuse_values(_FCNTL[column], 1, _LASTING_COMMANDS)
    allowed = [
        _instruction(_JUMP_IF_EQUAL, request, if_true=len(_ALLOWED_REQUESTS) - index)
        for index, request in enumerate(_ALLOWED_REQUESTS)
    ]
    code += _for_call(_IOCTL[column], [*_argument(1), *allowed, _REFUSE_CALL])
    code += _for_call(_PREADV2[column], [*_argument(_FLAGS_OF_READING), *_unless_equal(0)])
    code += [
        # The flags of clone3 are in memory, where a filter cannot read them. The C library uses clone instead.
        _instruction(_JUMP_IF_EQUAL, _CLONE3[column], if_false=1),
        _instruction(_RETURN, _REFUSE | errno.ENOSYS),
    ]
    code += _for_call(_SOCKETPAIR[column], [*_argument(1), _instruction(_AND, _TYPE_MASK), *_unless_equal(_STREAM)])
    clone = [*_argument(0), _instruction(_JUMP_IF_ANY_BIT, _NEW_NAMESPACES, if_false=1), _REFUSE_CALL]
    return code + _for_call(_CLONE[column], clone)


def _refuse_all(calls: Mapping[str, tuple[int | None, int | None]], column: int) -> list[bytes]:
    numbers = [number for numbers in calls.values() if (number := numbers[column]) is not None]
    return [part for number in numbers for part in (_instruction(_JUMP_IF_EQUAL, number, if_false=1), _REFUSE_CALL)]


def _refuse_values(call: int, position: int, values: Iterable[int]) -> list[bytes]:
    """Refuse a call if the argument at that position is one of these."""
    checks = [part for value in values for part in (_instruction(_JUMP_IF_EQUAL, value, if_false=1), _REFUSE_CALL)]
    return _for_call(call, [*_argument(position), *checks])


def _for_call(number: int, checks: Sequence[bytes]) -> list[bytes]:
    """Do these checks on one call, and allow it after them."""
    body = [*checks, _instruction(_RETURN, _ALLOW)]
    return [_instruction(_JUMP_IF_EQUAL, number, if_false=len(body)), *body]


def _argument(position: int) -> list[bytes]:
    return [_instruction(_LOAD_WORD, _ARGUMENTS_OFFSET + 8 * position)]  # its low half: the kernel ignores the other


def _unless_equal(value: int) -> list[bytes]:
    return [_instruction(_JUMP_IF_EQUAL, value, if_true=1), _REFUSE_CALL]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


_REFUSE_CALL = _instruction(_RETURN, _REFUSE | errno.EPERM)
