"""Serve requests to grade programs: `python -m trl_rltf.execution.worker`."""

from __future__ import annotations

import gc
import os
import signal
import site
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sandbox.landlock import FileRules
from ..sandbox.namespaces import change_user, drop_capabilities, enter_namespaces, restrict_mounts
from ..sandbox.rlimits import bound_resources
from ..sandbox.scratch import remove_folders
from ..sandbox.seccomp import SystemCallFilter
from ..wire.frames import HEADER, frame, parse_frame
from .child import CallerGone
from .fast_json import dump, load
from .files import FIRST_FREE, MemoryFiles
from .program.functions import warm_up_functions
from .program.interpreter import warm_up_interpreter
from .scripts.script import warm_up_scripts
from .supervisor import Supervisor


if TYPE_CHECKING:
    from ..wire.messages import Hello, WorkerConfig


def read_frame(descriptor: int) -> bytes | None:
    """Read one length-prefixed frame; `None` when the other side is gone."""
    header = _read_exactly(descriptor, HEADER.size)
    return None if header is None else _read_exactly(descriptor, HEADER.unpack(header)[0])


def _read_exactly(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 2**20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main() -> None:
    """Serve requests from standard input until it closes."""
    # The first process of a namespace gets only the signals that it handles from the processes inside. Python handles
    # SIGINT by default.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control, reply, errors = (os.dup2(number, FIRST_FREE + number, inheritable=False) for number in range(3))
    first_streams = sys.stdin, sys.stdout, sys.stderr  # kept, because a stream that is collected closes its file
    try:
        _serve(control, reply)
    except BaseException:
        os.write(errors, traceback.format_exc().encode(errors="backslashreplace"))  # for the caller to read
        raise
    finally:
        del first_streams


def _serve(control: int, reply: int) -> None:
    first = read_frame(control)
    if first is None:
        return
    config: WorkerConfig = parse_frame(first)[0]
    child_setup, is_filtered, files = enter_sandbox(config)
    os.chdir(config["scratch"][0])
    sys.path[:] = [*(path for path in sys.path if path not in config["hidden_paths"]), *config["libraries"]]
    for make_names in (site.setquit, site.setcopyright, site.sethelper):
        make_names()
    for name in config["hidden_variables"]:
        os.environ.pop(name, None)
    os.environ |= dict.fromkeys(("HOME", "TMPDIR"), config["scratch"][0])
    warm_up_interpreter()
    warm_up_scripts()
    warm_up_functions()
    supervisor = Supervisor(control, config, files, is_filtered, child_setup)
    gc.collect()
    gc.freeze()  # shared with every program's process; a collection there must not copy it
    gc.disable()
    try:
        hello: Hello = {"ready": True, "pid": os.getpid(), "filtered": is_filtered}
        _write_all(reply, frame(hello))
        _serve_requests(control, reply, supervisor, files)
    finally:
        if config["own_root"] is None:
            remove_folders(config["scratch"])  # the caller may have been killed


def _serve_requests(control: int, reply: int, supervisor: Supervisor, files: MemoryFiles) -> None:
    while (data := read_frame(control)) is not None:
        for payload in (files.program, files.tests):
            size = _read_exactly(control, HEADER.size)
            if size is None:
                return
            payload.fill_from(control, HEADER.unpack(size)[0])
        files.answers.clear()
        try:
            head = dump(supervisor.grade(load(data[HEADER.size :])))
        except CallerGone:
            return
        _write_all(reply, HEADER.pack(HEADER.size + len(head) + files.answers.size) + HEADER.pack(len(head)) + head)
        files.answers.send_to(reply)


def enter_sandbox(config: WorkerConfig) -> tuple[Callable[[], None], bool, MemoryFiles]:
    """
    Lock in this process and all that it starts, for good.

    Args:
        config (`WorkerConfig`): The limits and the layout of the sandbox.

    Returns:
        `tuple[Callable, bool, MemoryFiles]`: A function that locks in the process of a program further, whether system calls
        are filtered, and the files for programs, which cannot be made later.
    """
    if config["own_root"] is not None:
        enter_namespaces(config["own_root"], as_root=config["own_user"] is not None)
    if config["restricts_mounts"]:
        restrict_mounts(config["scratch"])
    if config["own_user"] is not None:
        assert config["file_user"] is not None
        change_user(config["own_user"], config["file_user"], config["scratch"], config["owns_processes"])
    bound_resources(config["memory_limit"], config["max_open_files"], config["rlimit_nproc"])
    drop_capabilities()  # of a trainer that runs as root
    files = MemoryFiles()
    is_filtered = SystemCallFilter.of_worker().install()
    rules = None if config["file_rules"] is None else FileRules(**config["file_rules"])
    protected = () if config["owns_processes"] else (os.getpid(), os.getppid())
    further = SystemCallFilter.of_program(config["hides_files"], protected)

    def child_setup() -> None:
        if rules is not None:
            rules.enforce()
        if is_filtered and (config["hides_files"] or protected):
            further.install()

    return child_setup, is_filtered, files


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
