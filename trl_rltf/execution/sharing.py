"""Decide whether one process may run a script on several inputs, one after the other, as if each had a fresh interpreter."""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Iterator
from typing import Any


# Modules of the standard library that keep nothing which a later run would see.
_KEEPS_NOTHING = frozenset(
    "abc array ast base64 binascii bisect calendar cmath collections contextlib copy copyreg dataclasses datetime "
    "decimal difflib dis enum fractions functools graphlib hashlib heapq hmac html inspect io itertools json "
    "keyword math numbers opcode operator os pprint queue random re reprlib secrets shlex stat statistics string "
    "struct sys textwrap time timeit token tokenize traceback types typing unicodedata uuid zlib zoneinfo".split()
)
# Other names by which a script reaches state that outlives its run: the process itself, import machinery, handlers.
_REACHES_FURTHER = frozenset(
    "__builtins__ __import__ modules settrace setprofile setswitchinterval excepthook unraisablehook displayhook "
    "fork chdir environ putenv dup dup2 close closerange umask setrlimit system popen execv execve _exit getcontext "
    "setcontext seterr set_printoptions process_time thread_time times clock getrusage".split()
)
# A name that only looks like one of these costs time, not a verdict.
_STATEFUL = _REACHES_FURTHER | (sys.stdlib_module_names - _KEEPS_NOTHING)
_OTHERS_THAT_KEEP_NOTHING = frozenset(["numpy"])
# Errors that an earlier run in the same process can cause: what it left in memory, or open.
_PERHAPS_NOT_ITS_OWN = (MemoryError, OSError, RecursionError)


_HARMLESS_PACKAGES = sys.stdlib_module_names | _OTHERS_THAT_KEEP_NOTHING


class Sharing:
    """
    Watch whether the runs of scripts stay apart. It is made in the worker, before any of them has run.
    """

    def __init__(self) -> None:
        self._modules = frozenset(sys.modules)
        self._builtins = dict(builtins.__dict__)
        self._used: dict[str, dict[str, Any]] = {}

    def may_share(self, code: types.CodeType) -> bool:
        """Whether a script looks as if its runs could share a process; asked before the first."""
        names = set(names_in(code))
        # What a script sets in `sys` is put back before each run.
        used = (names & self._modules) - {"sys"}
        self._used = {name: dict(sys.modules[name].__dict__) for name in used}
        return _STATEFUL.isdisjoint(names)

    def may_go_on(self) -> bool:
        """Whether the next input can be run in this process; asked after each run."""
        try:
            is_clean = builtins.__dict__ == self._builtins and not os.listdir()
        except OSError:
            return False
        if not is_clean:
            return False
        if any(sys.modules[name].__dict__ != content for name, content in self._used.items()):
            return False
        packages = {name.partition(".")[0] for name in sys.modules.keys() - self._modules}
        return packages <= _HARMLESS_PACKAGES

    def may_be_at_fault(self, error: BaseException) -> bool:
        """Whether an error in a later run may come from an earlier one."""
        return isinstance(error, _PERHAPS_NOT_ITS_OWN)


def names_in(code: types.CodeType) -> Iterator[str]:
    """The names that a program uses, in all of its functions, and texts that are such names."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)
        elif isinstance(constant, str) and constant in _STATEFUL:
            yield constant  # `__import__("threading")`, `getattr(sys, "modules")`
