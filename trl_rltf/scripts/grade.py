"""
Grade a file of programs.

    trl-rltf grade programs.jsonl --tests tests.jsonl --allow_code_eval
    python -m trl_rltf.execution grade programs.jsonl --tests tests.jsonl --allow_code_eval

Neither imports torch.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO, get_args

from ..execution import ExecutionReport, LocalRunner, Outcome, Program, SandboxError, parse_tests
from ..execution.limits import MEMORY_LIMIT, TIMEOUT, problem_limits
from ..execution.program import check_opt_in
from ..execution.progress import with_progress
from ..execution.runner import IsolationChoice
from ..execution.wire.plain_values import dump_json, load_json


_FILES = ("programs", "tests", "output")  # the other arguments are those of the runner
_INTERRUPTED = 130  # the exit status that a shell reports for Ctrl-C
_DESCRIPTION = """Run Python programs against unit tests in a sandbox. Each line of PROGRAMS is a JSON object with `source`, and \
with `problem_id` or `tests`; each line of the file of tests has `problem_id` and `tests`. Both may have `time_limit` (seconds \
per test) and `memory_limit` (bytes). Tests are {"inputs": [...], \
"outputs": [...]}, the same with "fn_name", or {"asserts": [...], "setup": "..."}."""


def main(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """
    Grade the programs, write a report per line, and print a summary.

    Args:
        args (`argparse.Namespace`): Arguments of [`make_parser`].
        parser (`argparse.ArgumentParser`): The parser, which ends the process with a message if a file is malformed.

    Returns:
        `int`: Exit status.
    """
    try:
        _check_output(args)
        rows, programs = _read(args.programs, args.tests)
        with _runner(args) as runner:
            stream = runner.stream(programs)  # refuses malformed tests before the output file is overwritten
            with contextlib.nullcontext(sys.stdout) if args.output is None else args.output.open("w") as output:
                return _grade(runner, rows, stream, output)
    except OSError as error:
        _fail(parser, f"{error.filename}: {error.strerror}." if error.filename is not None else str(error))
    except (ValueError, SandboxError) as error:
        _fail(parser, str(error))


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """
    Make the parser of the command.

    Args:
        prog (`str`, *optional*): Name of the program in the help.

    Returns:
        `argparse.ArgumentParser`: The parser.
    """
    parser = argparse.ArgumentParser(prog=prog, description=_DESCRIPTION)
    parser.add_argument("programs", type=Path, help="JSON Lines, one program per line")
    parser.add_argument("--tests", type=Path, help="JSON Lines, the tests of one problem per line")
    parser.add_argument("--output", type=Path, help="file for the reports, one per line (default: standard output)")
    parser.add_argument("--num_workers", type=int, help="programs that run at a time (default: the number of cores)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT,
        help=f"CPU seconds per test, without a `time_limit` (default: {TIMEOUT:g})",
    )
    parser.add_argument(
        "--wall_timeout", type=float, help="elapsed seconds per test (default: three times the timeout)"
    )
    parser.add_argument(
        "--program_timeout",
        type=float,
        help="CPU seconds of all tests of a program (default: the timeout for each test and once more)",
    )
    parser.add_argument(
        "--memory_limit",
        type=int,
        default=MEMORY_LIMIT,
        help=f"bytes of memory per process, without a `memory_limit` of the program (default: {MEMORY_LIMIT >> 30} GiB)",
    )
    parser.add_argument(
        "--isolation", choices=get_args(IsolationChoice), default="auto", help="isolation of the programs"
    )
    parser.add_argument("--strict_comparison", action="store_true", help="compare without the tolerance of APPS")
    parser.add_argument("--stop_on_first_failure", action="store_true", help="skip the tests after a failed one")
    parser.add_argument("--process_per_test", action="store_true", help="compile a script again for each of its tests")
    parser.add_argument(
        "--whole_module",
        action="store_true",
        help="count errors in code that the tests do not use, as LiveCodeBench does",
    )
    parser.add_argument("--allow_code_eval", action="store_true", help="allow running model-written code")
    return parser


def _runner(args: argparse.Namespace) -> LocalRunner:
    try:
        check_opt_in(args.allow_code_eval or None)
    except ValueError as error:
        raise ValueError(f"{error} On the command line, the argument is --allow_code_eval.") from None
    options = {key: value for key, value in vars(args).items() if key not in _FILES}
    if not options["whole_module"]:
        del options["whole_module"]
    return LocalRunner(**{**options, "allow_code_eval": args.allow_code_eval or None})


def _check_output(args: argparse.Namespace) -> None:
    for path in (args.programs, args.tests):
        if None not in (args.output, path) and args.output.is_file() and path.is_file() and args.output.samefile(path):
            raise ValueError(f"{args.output}: this is an input file. Give --output another name.")


def _read(programs: Path, tests: Path | None) -> tuple[list[dict[str, Any]], list[Program]]:
    known: dict[str, tuple[Any, dict[str, Any]]] = {}
    for where, row in _rows(tests) if tests is not None else ():
        problem_id = _problem_id(row, where)
        if problem_id in known:
            raise ValueError(
                f"{where}: another line has the tests of problem {problem_id!r}. Give each problem one line."
            )
        known[problem_id] = _tests(row, where), _limits(row, where)
    rows, found = [], []
    for where, row in _rows(programs):
        source = _column(row, "source", where)
        if not isinstance(source, str):
            raise ValueError(f"{where}: `source` is {_kind(source)}, but must be a string.")
        limits = _limits(row, where)
        if row.get("tests") is not None:
            entry = _tests(row, where)
        else:
            problem_id = _problem_id(row, where)
            if problem_id not in known:
                remedy = "Name their file with --tests." if tests is None else f"{tests} has no line for that problem."
                raise ValueError(f"{where}: there are no tests of problem {problem_id!r}. {remedy}")
            entry, given = known[problem_id]
            limits = {**given, **limits}
        rows.append(row)
        found.append(Program(source, entry, **limits))
    if not found:
        raise ValueError(f"{programs}: there is no program in this file.")
    return rows, found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip(b" \t\r\n\xef\xbb\xbf"):
                continue
            where = f"{path}, line {number}"
            try:
                row = load_json(line)
            except ValueError as error:
                raise ValueError(f"{where}: this is not JSON ({error}).") from error
            if not isinstance(row, dict):
                raise ValueError(f"{where}: this is {_kind(row)}, but must be an object.")
            yield where, row


def _column(row: dict[str, Any], name: str, where: str) -> Any:
    if name not in row:
        raise ValueError(f"{where}: there is no `{name}`; found {sorted(row)}.")
    return row[name]


def _problem_id(row: dict[str, Any], where: str) -> str:
    problem_id = _column(row, "problem_id", where)
    if isinstance(problem_id, bool) or not isinstance(problem_id, (str, int)):
        raise ValueError(f"{where}: `problem_id` is {_kind(problem_id)}, but must be a string or a whole number.")
    return problem_id if isinstance(problem_id, str) else dump_json(problem_id)


def _tests(row: dict[str, Any], where: str) -> Any:
    tests = _column(row, "tests", where)
    try:
        parse_tests(tests)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return tests


def _limits(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Limits that a row gives, as arguments of `Program`."""
    try:
        return {name: value for name, value in problem_limits(row).items() if value is not None}
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "an object")


def _grade(runner: LocalRunner, rows: list[dict[str, Any]], stream: Iterator[ExecutionReport], output: TextIO) -> int:
    began, reports, status = time.perf_counter(), [], 0
    try:
        for row, report in zip(rows, with_progress(stream, total=len(rows), disable=None), strict=True):
            reports.append(report)
            print(dump_json(_line(row, report)), file=output, flush=True)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    _show_summary(runner, reports, len(rows), time.perf_counter() - began)
    return status


def _line(row: dict[str, Any], report: ExecutionReport) -> dict[str, Any]:
    known = {key: value for key, value in row.items() if key not in ("source", "tests")}
    counts = {"num_passed": report.num_passed, "num_run": report.num_run, "num_tests": report.num_tests}
    return {**known, **dataclasses.asdict(report), "outcome": report.outcome.name, **counts}


def _show_summary(runner: LocalRunner, reports: list[ExecutionReport], num_programs: int, seconds: float) -> None:
    counts = Counter(report.outcome for report in reports)
    isolation = ", ".join(runner.sandbox.layers)
    _print_error(f"{len(reports)} of {num_programs} programs")
    for outcome in sorted(Outcome, reverse=True):
        if counts[outcome]:
            _print_error(f"  {outcome.name:<14} {counts[outcome]:>8} {counts[outcome] / len(reports):>7.1%}")
    tests, passed = sum(r.num_tests for r in reports), sum(r.num_passed for r in reports)
    _print_error(f"{passed} of {tests} tests passed; {len(reports) / max(seconds, 1e-9):.0f} programs/s; {isolation}")
    trailing = sum(report.trailing_error_type is not None for report in reports)
    if trailing:
        _print_error(
            f"{trailing} programs have an error in code that the tests do not use; see `trailing_error_type`."
        )
    self_graded = sum(bool(report.self_graded_tests) for report in reports)
    if self_graded:
        _print_error(f"{self_graded} programs took part in their own verdict; see `self_graded_tests`.")


def _print_error(line: str) -> None:
    # Without a library for tables: the grader works where nothing else is installed.
    sys.stderr.write(f"{line}\n")


def _fail(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    parser.exit(2, f"{parser.prog}: {message}\n")
