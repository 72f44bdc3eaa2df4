"""
Write the report of a run, as one HTML file.

    trl-rltf report outputs/mini-apps
    trl-rltf report outputs/humaneval-qwen --output report.html

The folder is the `output_dir` of a training or an evaluation. The page docs/report.md describes the report.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


_BAD_INPUT = 2


def main(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """
    Write the report, and print its path.

    Args:
        args (`argparse.Namespace`): Arguments of [`make_parser`].
        parser (`argparse.ArgumentParser`): The parser, which ends the process with a message if the input cannot be used.

    Returns:
        `int`: 0.
    """
    try:
        from ..report import write_report

        path = write_report(args.folder, args.output, max_completions=args.max_completions, title=args.title)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package == "trl_rltf":
            raise
        parser.exit(
            _BAD_INPUT,
            f'{parser.prog}: the package {package!r} is not installed. Run `pip install "trl-rltf[report]"`.\n',
        )
    except (OSError, ValueError) as error:
        parser.exit(_BAD_INPUT, f"{parser.prog}: {error}\n")
    sys.stdout.write(f"Report: {path}\n")
    return 0


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """
    Make the parser of the command.

    Args:
        prog (`str`, *optional*): Name of the program in the help.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description="Write the report of a run: one HTML file with curves, results and completions to read."
    )
    parser.add_argument(
        "folder", type=Path, help="the output_dir of a training or an evaluation, also of an unfinished one"
    )
    parser.add_argument("--output", type=Path, help="file to write (default: report.html in the folder)")
    parser.add_argument("--title", help="title of the page (default: name of the folder)")
    parser.add_argument(
        "--max_completions",
        type=int,
        default=10_000,
        help="maximum number of completions; more are taken at equal distances (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    _parser = make_parser()
    sys.exit(main(_parser.parse_args(), _parser))
