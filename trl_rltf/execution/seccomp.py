"""Refuse system calls that no solution to a programming problem needs, with a seccomp filter (seccomp(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable, Mapping


_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_WORD, _AND, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16  # struct seccomp_data
_NEW_NAMESPACES = 0x7E020080  # all CLONE_NEW* flags of clone(2)
_X32 = 0x40000000  # the same calls under other numbers

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
# Allowed on the caller itself, refused on others: number, and the positions of the arguments that have to be 0 for that.
_REFUSED_ON_OTHERS = {
    "prlimit64": ((302, 261), (0,)),
    "setpriority": ((141, 140), (0, 1)),
    "sched_setaffinity": ((203, 122), (0,)),
    "sched_setparam": ((142, 118), (0,)),
    "sched_setscheduler": ((144, 119), (0,)),
    "sched_setattr": ((314, 274), (0,)),
}
# Commands of fcntl whose effect stays with an open file, which the next program may get.
_FCNTL, _LASTING_COMMANDS = (72, 25), (37, 38, 1024, 1026)  # locks of open files, leases, notifications
_CLONE, _CLONE3 = (56, 220), (435, 435)
# What multiprocessing and asyncio need: pairs of connected streams. A datagram could be sent to a socket of others.
_SOCKETPAIR, _TYPE_MASK, _STREAM = (53, 199), 0xF, 1
# What Landlock does not cover: owner, mode, times and attributes of any file that the user owns.
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


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class SystemCallFilter:
    """
    A filter, built once and installed in a process and in all that it starts. It cannot be taken off again.

    Args:
        file_attributes (`bool`): Refuse, instead of the calls that reach out, those that change owner, mode, times and
            attributes of files. For programs whose files are not in a file system of their own.
    """

    def __init__(self, file_attributes: bool = False):
        machine = os.uname().machine
        self._code = b""
        if machine in _ARCHITECTURES and sys.byteorder == "little":
            self._code = _assemble(machine, file_attributes)
        self._buffer = ctypes.create_string_buffer(self._code, len(self._code))
        self._program = _Program(len(self._code) // 8, ctypes.addressof(self._buffer))
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def install(self) -> bool:
        """Install the filter in this process; returns whether the kernel took it."""
        if not self._code or self._prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            return False
        return self._prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(self._program), 0, 0) == 0


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _assemble(machine: str, file_attributes: bool) -> bytes:
    column = _COLUMNS[machine]
    refuse = _instruction(_RETURN, _REFUSE | errno.EPERM)
    code = [
        _instruction(_LOAD_WORD, _ARCHITECTURE_OFFSET),
        _instruction(_JUMP_IF_EQUAL, _ARCHITECTURES[machine], if_true=1),
        _instruction(_RETURN, _KILL),  # 32-bit calls have other numbers
        _instruction(_LOAD_WORD, _NUMBER_OFFSET),
    ]
    if machine == "x86_64":
        code += [_instruction(_JUMP_IF_AT_LEAST, _X32, if_false=1), refuse]
    calls: Mapping[str, tuple[int | None, int | None]] = _FILE_ATTRIBUTES if file_attributes else _REFUSED
    for number in _numbers(calls, column):
        code += [_instruction(_JUMP_IF_EQUAL, number, if_false=1), refuse]
    if not file_attributes:
        for numbers, positions in _REFUSED_ON_OTHERS.values():
            checks = [
                [
                    _instruction(_LOAD_WORD, _ARGUMENTS_OFFSET + 8 * position),
                    _instruction(_JUMP_IF_EQUAL, 0, if_true=1),
                    refuse,
                ]
                for position in positions
            ]
            code.append(_instruction(_JUMP_IF_EQUAL, numbers[column], if_false=3 * len(checks) + 1))
            code += [instruction for check in checks for instruction in check]
            code.append(_instruction(_RETURN, _ALLOW))
        code += [
            _instruction(_JUMP_IF_EQUAL, _FCNTL[column], if_false=2 * len(_LASTING_COMMANDS) + 2),
            _instruction(_LOAD_WORD, _ARGUMENTS_OFFSET + 8),
        ]
        for command in _LASTING_COMMANDS:
            code += [_instruction(_JUMP_IF_EQUAL, command, if_false=1), refuse]
        code.append(_instruction(_RETURN, _ALLOW))
        code += [
            # The flags of clone3 lie in memory, out of reach of a filter; the C library then uses clone.
            _instruction(_JUMP_IF_EQUAL, _CLONE3[column], if_false=1),
            _instruction(_RETURN, _REFUSE | errno.ENOSYS),
            _instruction(_JUMP_IF_EQUAL, _SOCKETPAIR[column], if_false=5),
            _instruction(_LOAD_WORD, _ARGUMENTS_OFFSET + 8),
            _instruction(_AND, _TYPE_MASK),
            _instruction(_JUMP_IF_EQUAL, _STREAM, if_true=1),
            refuse,
            _instruction(_RETURN, _ALLOW),
            _instruction(_JUMP_IF_EQUAL, _CLONE[column], if_false=3),
            _instruction(_LOAD_WORD, _ARGUMENTS_OFFSET),
            _instruction(_JUMP_IF_ANY_BIT, _NEW_NAMESPACES, if_false=1),
            refuse,
        ]
    return b"".join([*code, _instruction(_RETURN, _ALLOW)])


def _numbers(calls: Mapping[str, tuple[int | None, int | None]], column: int) -> Iterable[int]:
    return [number for numbers in calls.values() if (number := numbers[column]) is not None]
