"""Run the grader: `python -m trl_rltf.execution grade programs.jsonl`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..scripts import grade


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command `grade`.

    Args:
        arguments (`Sequence[str]`, *optional*): Command and its arguments. Defaults to `sys.argv[1:]`.

    Returns:
        `int`: Exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m trl_rltf.execution")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # The parser of `grade` parses the rest, so that its messages have its name.
    commands.add_parser("grade", help="grade the programs of a file", add_help=False)
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser.parse_args(given[:1])
    grading = grade.make_parser(prog=f"{parser.prog} grade")
    return grade.main(grading.parse_args(given[1:]), grading)


if __name__ == "__main__":
    sys.exit(main())
