"""A small process that grades programs one after the other: `python -m trl_rltf.execution.worker`."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import site
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sandbox.landlock import FileRules
from ..sandbox.namespaces import change_user, drop_capabilities, enter_namespaces, restrict_mounts
from ..sandbox.scratch import remove_folders
from ..sandbox.seccomp import SystemCallFilter
from ..wire.frames import HEADER, frame, parse_frame
from .files import FIRST_FREE, MemoryFiles
from .program import functions
from .program import run as program_process
from .scripts import process as script_process
from .supervisor import Stop, Supervisor


if TYPE_CHECKING:
    from ..wire.messages import Hello, WorkerConfig


_STACK_BYTES = 128 * 2**20  # solutions recurse deeply; the kernel leaves at least this much room


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
    # As the first process of a namespace, this one is safe from signals that it does not handle; Python handles this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control, reply, errors = (os.dup2(number, FIRST_FREE + number, inheritable=False) for number in range(3))
    first_streams = sys.stdin, sys.stdout, sys.stderr  # kept, or the first to take their place would close their files
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
    child_setup, is_filtered, files = _lock_in(config)
    os.chdir(config["scratch"][0])
    sys.path[:] = [*(path for path in sys.path if path not in config["hidden_paths"]), *config["libraries"]]
    for make_names in (site.setquit, site.setcopyright, site.sethelper):
        make_names()
    for name in config["hidden_variables"]:
        os.environ.pop(name, None)
    os.environ |= dict.fromkeys(("HOME", "TMPDIR"), config["scratch"][0])
    program_process.warm_up()
    script_process.warm_up()
    functions.warm_up()
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
        for sealed in (files.program, files.referee):
            size = _read_exactly(control, HEADER.size)
            if size is None:
                return
            sealed.take(control, HEADER.unpack(size)[0])
        files.answers.clear()
        try:
            head = json.dumps(supervisor.grade(parse_frame(data)[0])).encode()
        except Stop:
            return
        _write_all(reply, HEADER.pack(HEADER.size + len(head) + files.answers.size) + HEADER.pack(len(head)) + head)
        files.answers.send(reply)


def _lock_in(config: WorkerConfig) -> tuple[Callable[[], None], bool, MemoryFiles]:
    """Take on what lasts as long as the worker; returns what each program's process takes on in addition."""
    if config["own_root"] is not None:
        enter_namespaces(config["own_root"], as_root=config["own_user"] is not None)
    if config["restricts_mounts"]:
        restrict_mounts(config["scratch"])
    user, file_user = config["own_user"], config["file_user"]
    if user is not None and file_user is not None:
        change_user(user, file_user, config["scratch"], config["owns_processes"])
    for kind, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, config["memory_limit"]),
        (resource.RLIMIT_NOFILE, config["max_open_files"]),
        (resource.RLIMIT_NPROC, config["rlimit_nproc"]),
    ):
        resource.setrlimit(kind, program_process.lowest_limit(kind, bound))
    # Many solutions raise this limit, which is a bound on nothing but the share of the stack in the address space.
    stack, most = (
        program_process.lowest_limit(resource.RLIMIT_STACK, _STACK_BYTES)[0],
        resource.getrlimit(resource.RLIMIT_STACK)[1],
    )
    resource.setrlimit(resource.RLIMIT_STACK, (stack, most))
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
