"""Load a program for its functions, call them, and report plain data."""

# The program runs in the same process: everything here may be changed by it.

from __future__ import annotations

import builtins
import contextlib
import importlib
import re
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...wire.plain_values import decode, encode
from ..files import NULL
from ..records import RecordKind, RecordWriter
from .error_site import locate
from .interpreter import FILENAME, compile_program, describe_error, module_namespaces, new_module


if TYPE_CHECKING:
    from ...wire.messages import ErrorDescription, ErrorSite, Probe, ProgramPayload


# Raised by a test, as for `None < 3`, these say that the program returned a value of the wrong kind: a wrong answer.
WRONG_ANSWERS = (AssertionError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
_LINE_END = re.compile("\r\n|\r|\n")
_MAX_BEGINNINGS = 64
_RECURSION_LIMIT = 50_000  # of call-based tests, as in LiveCodeBench
# The graders of APPS and LiveCodeBench import these modules, and names of modules, before a call-based solution, and so does
# LeetCode. Programs find them like built-in names, so that no call of a test can reach them.
_PRELUDE_MODULES = tuple(
    "bisect collections copy functools heapq io itertools json math operator re string sys time typing "
    "datetime fractions random statistics".split()
)
_PRELUDE_NAMES = {
    "typing": "*",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits punctuation printable whitespace",
    "operator": "add and_ attrgetter concat contains countOf eq floordiv ge getitem gt indexOf inv invert is_ is_not itemgetter le "
    "lshift lt methodcaller mod mul ne neg not_ or_ pos rshift sub truediv truth xor",
    "functools": "*",
    "itertools": "*",
    "math": "*",
    "collections": "*",
    "heapq": "*",
    "bisect": "*",
    "copy": "deepcopy",
    "re": "findall finditer fullmatch match search split sub subn",
    "json": "dumps loads",
    "io": "BytesIO StringIO",
    "sys": "maxsize setrecursionlimit stdin stdout",
}
# Large and rarely used: imported by the process that needs them.
_LATE_NAMES = {
    "datetime": "date timedelta timezone",
    "fractions": "Fraction",
    "random": "choice choices randint randrange sample shuffle uniform",
    "statistics": "mean median mode stdev variance",
}
_LATE_MODULES = frozenset([*_LATE_NAMES, "io", "json"])
_TIMES_TO_LEARN = 20  # until the interpreter has adapted its code, which is written to memory
_prelude: dict[str, Any] = {}


class Loaded(NamedTuple):
    """
    A program that was loaded for its functions.

    Args:
        namespace (`dict`): Its variables.
        error (`ErrorDescription`, *optional*): The error of the program, if it settles all tests.
        trailing (`ErrorDescription`, *optional*): The error in trailing code, see
            [`~execution.report.ExecutionReport`].
        site (`ErrorSite`, *optional*): The place of either error, where the program did not compile.
        is_compiled (`bool`, *optional*, defaults to `True`): Whether enough of it compiles.
        missing (`Sequence[str]`, *optional*): Names that the tests use and the program does not define.
    """

    namespace: dict[str, Any]
    error: ErrorDescription | None = None
    trailing: ErrorDescription | None = None
    site: ErrorSite | None = None
    is_compiled: bool = True
    missing: Sequence[str] = ()


def warm_up_functions() -> None:
    """
    Import the prelude and run a small program, once, in the worker.

    See [`~execution.worker.program.interpreter.warm_up_interpreter`].
    """
    for name in _PRELUDE_MODULES:
        if name not in _LATE_MODULES:
            _prelude[name] = importlib.import_module(name)
    for name, listed in _PRELUDE_NAMES.items():
        if name not in _LATE_MODULES:
            module = importlib.import_module(name)
            names = listed.split() if listed != "*" else getattr(module, "__all__", dir(module))
            _prelude.update(
                {key: getattr(module, key) for key in names if key[0] != "_" and not hasattr(builtins, key)}
            )
    source = "def f(values):\n    total = 0\n    for value in values:\n        total += value\n    return [total]\n"
    request: ProgramPayload = {
        "source": source,
        "mode": "expression",
        "probes": [{"expression": "f([1, 2])"}],
        "early_setup": "",
        "own_names": [],
        "setup": "",
        "required": [["f"]],
        "built_in": [],
        "whole_module": False,
    }
    for _ in range(_TIMES_TO_LEARN):
        run_functions(request, [0], RecordWriter(NULL, b""))
        module_namespaces["program"] = new_module("program")


def run_functions(request: ProgramPayload, indices: Sequence[int], writer: RecordWriter) -> None:
    """
    Load a program, run tests of its functions, and report.

    Args:
        request (`ProgramPayload`): The program, and the parts of its tests that it may see.
        indices (`Sequence[int]`): The tests to run, in order.
        writer ([`~execution.worker.records.RecordWriter`]): Takes the reports.
    """
    loaded = load(request)
    if not report_loading(loaded, indices, writer):
        return
    namespace, probes = loaded.namespace, request["probes"]
    try:
        expressions = _expressions(probes, indices, namespace) if request["mode"] == "expression" else {}
    except BaseException as error:  # a program may have replaced the compiler
        writer.send_json(RecordKind.ERROR, -1, describe_error(error, "run"))
        return
    for index in indices:
        try:
            if "statements" in probes[index]:
                run_test(probes[index]["statements"], namespace)
                value: Any = True
            else:
                value = encode(expressions[index]() if index in expressions else _call(probes[index], namespace))
        except BaseException as error:  # an error of the program is data
            description = describe_error(error, "run")
            is_answer = "statements" in probes[index] and description["position"] is None
            if is_answer and isinstance(error, WRONG_ANSWERS):
                writer.send_json(RecordKind.DONE, index, [False])
            else:
                writer.send_json(RecordKind.ERROR, index, description)
        else:
            writer.send_json(RecordKind.DONE, index, [value])
    try:  # noqa: SIM105 - few calls, see `warm_up_interpreter`
        sys.stdout.flush()
    except Exception:  # of a stream that the program made; its output is only for the report
        pass


def report_loading(loaded: Loaded, indices: Sequence[int], writer: RecordWriter) -> bool:
    """Report how loading went. Returns whether the tests can run."""
    if not loaded.is_compiled:
        writer.send_json(RecordKind.SYNTAX_ERROR, -1, loaded.error)
        writer.send_json(RecordKind.SITE, -1, loaded.site)
    elif loaded.error is not None and loaded.error["type"] == "AssertionError":
        for index in indices:  # the program's own assert: it runs, and is wrong
            writer.send_json(RecordKind.DONE, index, [])
    elif loaded.error is not None:
        writer.send_json(RecordKind.ERROR, -1, loaded.error)
    elif loaded.trailing is not None:
        writer.send_json(RecordKind.TRAILING, -1, loaded.trailing)
        if loaded.site is not None:
            writer.send_json(RecordKind.SITE, -1, loaded.site)
    return loaded.error is None


def load(request: ProgramPayload) -> Loaded:
    """
    Run a program to get the names that it defines.

    If a statement fails or does not compile, the tests run with the names that are defined by then.

    Args:
        request (`ProgramPayload`): The program, and the parts of its tests that it may see.

    Returns:
        [`Loaded`]: Its variables, and its errors.
    """
    source, required = request["source"], request["required"]
    trailing = site = None
    try:
        code = compile_program(source)
    except BaseException as error:  # the source is any text, and the compiler raises more than SyntaxError
        trailing = describe_error(error, "compile")
        site = locate(source, trailing)
        beginning = None if request["whole_module"] else _compile_beginning(source, trailing, required)
        if beginning is None:
            return Loaded({}, trailing, None, site, is_compiled=False)
        code = beginning
    namespace = module_namespaces["program"]
    try:
        run_test(request["early_setup"], namespace)
        if request["mode"] == "call":
            sys.setrecursionlimit(_RECURSION_LIMIT)
            namespace["__builtins__"] = {**builtins.__dict__, **_prelude, **_late_prelude(code)}
        before = dict(namespace)
        exec(code, namespace)
    except SystemExit as error:
        if error.code not in (None, 0):
            trailing, site = describe_error(error, "run"), None
    except BaseException as error:
        trailing, site = describe_error(error, "run"), None
    if trailing is not None and site is None:  # a statement has failed
        is_defined = all(any(name in namespace for name in group) for group in required)
        if request["whole_module"] or not required or not is_defined:
            return Loaded(namespace, trailing)
    names = request["built_in"]
    if names and all(name not in namespace or namespace[name] is before.get(name) for name in names):
        message = f"the program defines none of the names that its tests use: {', '.join(names)}"
        return Loaded(namespace, _name_error(message))
    try:
        for name in request["own_names"]:
            namespace[name] = before[name]
        run_test(request["setup"], namespace)
    except BaseException as error:
        return Loaded(namespace, describe_error(error, "run"))
    is_remote = request["mode"] == "referee"
    missing = [name for group in required for name in group if name not in namespace] if is_remote else ()
    return Loaded(namespace, None, trailing, site, missing=missing)


def run_test(text: str, namespace: dict[str, Any]) -> None:
    """Run statements of the tests, which may contain integers of any number of digits."""
    if text:
        exec(_compile_test(text, "exec"), namespace)


def _compile_test(text: str, mode: str) -> types.CodeType:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return compile(text, "<test>", mode, dont_inherit=True)
    finally:
        sys.set_int_max_str_digits(limit)


def _name_error(message: str) -> ErrorDescription:
    return {"phase": "run", "type": "NameError", "message": message, "position": None}


def _compile_beginning(
    source: str, error: ErrorDescription, required: Sequence[Sequence[str]]
) -> types.CodeType | None:
    """
    Compile the longest beginning of whole statements that compiles.

    Returns `None` if it does not define the names that the tests use.
    """
    ends = [0, *(match.end() for match in _LINE_END.finditer(source))]
    # A statement starts where a line starts with its first character.
    starts = [number for number, end in enumerate(ends) if source[end : end + 1].strip(" \t\f\r\n#)]}")]
    line = error["position"][0] if error["position"] else len(ends)
    for _ in range(_MAX_BEGINNINGS):
        starts = [number for number in starts if 0 < number < line]
        if not starts:
            return None
        line = starts.pop()
        beginning = source[: ends[line]]
        try:
            code = compile_program(beginning)
        except SyntaxError as failure:
            line = min(line, failure.lineno or line)
        except BaseException:
            continue
        else:
            return code if _defines(beginning, required) else None
    return None


def _defines(source: str, required: Sequence[Sequence[str]]) -> bool:
    import symtable  # here, because few programs need it, and each fork pays for the imports of the worker

    symbols = symtable.symtable(source, FILENAME, "exec").get_symbols()
    defined = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    return bool(required) and all(not defined.isdisjoint(group) for group in required)


def _late_prelude(code: types.CodeType) -> dict[str, Any]:
    """Import the large modules of the prelude, and NumPy, if the program names them."""
    used = set(_names_in(code))
    late: dict[str, Any] = {}
    for name in _LATE_MODULES & used:
        late[name] = importlib.import_module(name)
    for name, listed in {**_PRELUDE_NAMES, **_LATE_NAMES}.items():
        if name in _LATE_MODULES:
            late.update({key: getattr(importlib.import_module(name), key) for key in listed.split() if key in used})
    if used & {"np", "numpy"}:
        with contextlib.suppress(ImportError):
            late["np"] = late["numpy"] = importlib.import_module("numpy")
    return late


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def _expressions(
    probes: Sequence[Probe], indices: Sequence[int], namespace: dict[str, Any]
) -> dict[int, Callable[[], Any]]:
    """Compile the expressions of all tests at once, each as a function."""
    text = "".join([f"lambda: ({probes[index]['expression']}\n),\n" for index in indices])
    code = _compile_test(f"[{text}]", "eval")
    return dict(zip(indices, eval(code, namespace), strict=True))


def _call(probe: Probe, namespace: dict[str, Any]) -> Any:
    name = probe["call"]
    owner = namespace.get("Solution")
    function = getattr(owner(), name, None) if isinstance(owner, type) else None
    function = namespace.get(name) if function is None else function
    if function is None:
        raise NameError(f"the program defines no function {name!r}")
    return function(*decode(probe["arguments"]))
