"""
Describe the messages between caller, worker and the processes of a program.

    caller                                        worker
       │ WorkerConfig ─────────────────────────────▶ │  once
       │ ◀───────────────────────────────────  Hello │
       │ Request, ProgramPayload, RefereePayload ──▶ │  per group of tests; the worker reads only the request
       │ ◀──────────────── ReplyHead, then raw bytes │

All messages are JSON, see [`~execution.wire.frames.frame`]; a tuple arrives as a list. The raw bytes after a reply are the values
and the output of each test, which only the caller reads.

The processes of a program report [`ErrorDescription`] and [`ErrorSite`] to their worker, which checks each field in
[`~execution.wire.parsing.parse_error`] and [`~execution.wire.parsing.parse_site`].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict


Mode = Literal["stdin", "call", "expression", "referee", "inside"]  # see `UnitTests`
EndKind = Literal["done", "error", "timeout", "not_run"]
Phase = Literal["compile", "run"]


class ProgramLimits(TypedDict, total=False):
    """
    Limits of one program that differ from those of its worker.

    Args:
        timeout (`float`): CPU seconds per test.
        wall_timeout (`float`): Elapsed seconds per test.
        memory_limit (`int`): Bytes of address space per process; more than those of the worker are possible.
    """

    timeout: float
    wall_timeout: float
    memory_limit: int


class WorkerLimits(TypedDict):
    """
    Limits of each program that has no others.

    Args:
        timeout (`float`): CPU seconds per test.
        wall_timeout (`float`): Elapsed seconds per test.
        program_timeout (`float` or `None`): CPU seconds of all tests together; `None` for `timeout` per test and once more.
        memory_limit (`int`): Bytes of address space per process, also of the worker.
        output_limit (`int`): Bytes per test that a program may print, and bytes per file.
        max_processes (`int`): Processes at a time.
    """

    timeout: float
    wall_timeout: float
    program_timeout: float | None
    memory_limit: int
    output_limit: int
    max_processes: int


class OwnRoot(TypedDict):
    """
    The file system that a worker builds for itself.

    See [`~execution.sandbox.namespaces.enter_namespaces`].

    Args:
        folder (`str`): An empty folder to build it in.
        view (`Sequence[Sequence[str]]`): The three lists of a [`~execution.sandbox.file_view.FileView`].
        memory_folders (`dict[str, int]`): Folders that become file systems in memory, and their sizes in bytes.
        links (`dict[str, str]`): Path of each symbolic link, and its target.
    """

    folder: str
    view: Sequence[Sequence[str]]
    memory_folders: Mapping[str, int]
    links: Mapping[str, str]


class FileRuleArguments(TypedDict):
    """
    Arguments of [`~execution.sandbox.landlock.FileRules`].

    Args:
        writable (`Sequence[str]`): Folders in which all is allowed.
        readable (`Sequence[str]`, *optional*): Files and folders to read and execute.
        listed (`Sequence[str]`, *optional*): Folders in which names can be listed.
        devices (`Sequence[str]`, *optional*): Files to read and write.
    """

    writable: Sequence[str]
    readable: NotRequired[Sequence[str]]
    listed: NotRequired[Sequence[str]]
    devices: NotRequired[Sequence[str]]


class SandboxLayout(TypedDict):
    """
    The part of the sandbox that a worker sets up itself.

    Args:
        scratch (`Sequence[str]`): Folders to empty after each program. The first one is the working directory.
        own_root (`OwnRoot` or `None`): The file system to build, or `None` to keep the one that is there.
        file_rules (`FileRuleArguments` or `None`): Landlock rules for each process of a program.
        owns_processes (`bool`): Whether the worker is the first process of a PID namespace.
        own_user (`int` or `None`): User id to take.
        file_user (`int` or `None`): User id to open files as.
        restricts_mounts (`bool`): Whether to call [`~execution.sandbox.namespaces.restrict_mounts`].
        hides_files (`bool`): Whether a system call filter has to protect the attributes of files.
        open_devices (`Sequence[str]`): Devices of this machine. A program may set their times to now.
    """

    scratch: Sequence[str]
    own_root: OwnRoot | None
    file_rules: FileRuleArguments | None
    owns_processes: bool
    own_user: int | None
    file_user: int | None
    restricts_mounts: bool
    hides_files: bool
    open_devices: Sequence[str]


class WorkerConfig(WorkerLimits, SandboxLayout):
    """
    First message to a worker: limits, layout of the sandbox, and surroundings.

    Args:
        rlimit_nproc (`int`): Bound on the processes of the worker's user, including the worker.
        max_open_files (`int`): Open files per process.
        hidden_paths (`Sequence[str]`): Entries of `sys.path` that programs must not have.
        hidden_variables (`Sequence[str]`): Environment variables that programs must not have.
        libraries (`Sequence[str]`): Folders of installed packages, for `sys.path`.
    """

    rlimit_nproc: int
    max_open_files: int
    hidden_paths: Sequence[str]
    hidden_variables: Sequence[str]
    libraries: Sequence[str]


class Hello(TypedDict):
    """
    First message of a worker, once it is inside its sandbox.

    Args:
        ready (`bool`): Always true.
        pid (`int`): Its process id, as the worker sees it.
        filtered (`bool`): Whether system calls are filtered.
    """

    ready: bool
    pid: int
    filtered: bool


class Request(TypedDict):
    """
    Order to run some tests of one program. The payloads follow it.

    Args:
        mode (`str`): How the tests run, see [`~execution.unit_tests.unit_test.UnitTests`].
        num_sent (`int`): Number of tests to run now.
        num_tests (`int`): Number of tests of the program; some of them may have run already.
        spent (`tuple[float, float]`): CPU and elapsed seconds that the program has used in earlier requests.
        process_per_test (`bool`): Whether a script is compiled again for each test.
        limits (`ProgramLimits`): Limits of this program in place of those of the worker.
    """

    mode: Mode
    num_sent: int
    num_tests: int
    spent: tuple[float, float]
    process_per_test: bool
    limits: ProgramLimits


class Probe(TypedDict, total=False):
    """
    The part of a test that enters the process of the program.

    It has the keys of one mode.

    Args:
        stdin (`str`): Mode `"stdin"`: the input.
        call (`str`): Mode `"call"`: name of the function.
        arguments (`Any`): Mode `"call"`: list of the arguments, from [`~execution.wire.plain_values.encode`].
        expression (`str`): Mode `"expression"`: the expression to evaluate.
        statements (`str`): Mode `"inside"`: the whole test.
    """

    stdin: str
    call: str
    arguments: Any
    expression: str
    statements: str


class ScriptPayload(TypedDict):
    """
    First payload of mode `"stdin"`.

    The second payload holds the inputs, from [`~execution.wire.frames.pack_parts`].

    Args:
        source (`str`): The program.
    """

    source: str


class ProgramPayload(ScriptPayload):
    """
    First payload of all modes but `"stdin"`.

    It holds the program, and the parts of its tests that its process may see.

    Args:
        mode (`str`): As in the request.
        probes (`Sequence[Probe]`): One per test.
        early_setup (`str`): Code that runs before the program.
        own_names (`Sequence[str]`): Names of the early setup that the program may not replace.
        setup (`str`): Code that runs between the program and the tests.
        required (`Sequence[Sequence[str]]`): Groups of names; the tests use one name of each group.
        built_in (`Sequence[str]`): Built-in names, one of which the program has to define.
        whole_module (`bool`): Whether all of the program has to run.
    """

    mode: Mode
    probes: Sequence[Probe]
    early_setup: str
    own_names: Sequence[str]
    setup: str
    required: Sequence[Sequence[str]]
    built_in: Sequence[str]
    whole_module: bool


class RefereePayload(TypedDict):
    """
    Second payload of mode `"referee"`: the tests.

    In the modes `"call"`, `"expression"` and `"inside"` the second payload is an empty object.

    Args:
        setup (`str`): The whole setup.
        statements (`Sequence[str]`): Each test.
        names (`Sequence[str]`): The functions of the program that the tests call.
    """

    setup: str
    statements: Sequence[str]
    names: Sequence[str]


class ErrorDescription(TypedDict):
    """
    An error, as the process of a program reports it.

    Args:
        phase (`str`): `"compile"` or `"run"`.
        type (`str`): Name of the exception class, or of a signal or limit.
        message (`str`): Message, at most 500 characters.
        position (`list[int]` or `None`): First line, last line, column and end column in the program. Columns count UTF-8 bytes
            in phase `"run"` and characters in phase `"compile"`; -1 means unknown.
    """

    phase: Phase
    type: str
    message: str
    position: list[int] | None


class ErrorSite(TypedDict):
    """
    The place of an error in the source.

    Args:
        detail (`str`): See `error_detail` of [`~execution.report.ExecutionReport`].
        span (`list[int]` or `None`): The statement: line, column, last line and end column, in characters.
        expression_span (`list[int]` or `None`): The sub-expression, in the same form.
    """

    detail: str
    span: list[int] | None
    expression_span: list[int] | None


class LocatedError(ErrorDescription, ErrorSite):
    """An error in a reply, with its site."""


class Observation(TypedDict):
    """
    The end of one test.

    Args:
        kind (`str`): `"done"`, `"error"`, `"timeout"` or `"not_run"`. A test that is done may still be wrong.
    """

    kind: EndKind


class CaseResult(Observation):
    """
    One test in a reply.

    Args:
        values (`tuple[int, int]`): Offset and size of its values in the bytes after the reply.
        stdout (`tuple[int, int]`): Offset and size of its output there.
    """

    values: tuple[int, int]
    stdout: tuple[int, int]


class ReplyHead(TypedDict):
    """
    A worker's answer to a request.

    Args:
        tests (`list[CaseResult]`): One per test of the request.
        error (`LocatedError` or `None`): First error of the program.
        trailing (`LocatedError` or `None`): Error in trailing code, see [`~execution.report.ExecutionReport`].
        compiled (`bool`): Whether the program compiles.
        cpu (`float`): CPU seconds of this request.
        memory (`int`): Bytes of resident memory at the peak of the largest process.
        wall (`float`): Elapsed seconds of this request.
        retire (`bool`, *optional*): Whether this worker must not grade another program.
    """

    tests: list[CaseResult]
    error: LocatedError | None
    trailing: LocatedError | None
    compiled: bool
    cpu: float
    memory: int
    wall: float
    retire: NotRequired[bool]
