"""End a script with the sentence of an error, where this package raised it."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from ..execution import SandboxError


_PACKAGE = Path(__file__).resolve().parent.parent
_BAD_INPUT = 2
INTERRUPTED = 130
# What the messages of this package are raised as; `SandboxError` is a `RuntimeError`.
_KINDS = (ValueError, OSError, ImportError, RuntimeError)


@contextlib.contextmanager
def short_errors(prog: str | None = None) -> Iterator[None]:
    """
    End the process with the message of an error alone, without a traceback.

    This is done if this package or the script itself raised the error. Such a message says what was found, what is expected and what
    to do; the lines of the scripts add nothing. An error that another library or the interpreter raised is a bug, or is not
    understood, and keeps its traceback. The exit status is 2.

    Args:
        prog (`str`, *optional*): Name of the program, for the message. Defaults to that of the command line.

    Example:

    ```python
    with short_errors():
        main(*make_parser().parse_args_and_config())
    ```
    """
    try:
        yield
    except _KINDS as error:
        if not is_raised_here(error):
            raise
        sys.stderr.write(f"{prog or os.path.basename(sys.argv[0])}: error: {error}\n")
        raise SystemExit(_BAD_INPUT) from None


def exit_status(parser: argparse.ArgumentParser, command: Callable[[], int]) -> int:
    """
    Run a command without a launcher.

    If its input cannot be used, the process ends with a message.

    Args:
        parser (`argparse.ArgumentParser`): Parser of the command, whose name begins the message.
        command (`Callable[[], int]`): The command.

    Returns:
        `int`: Its exit status, or 130 after Ctrl-C.
    """
    try:
        return command()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (OSError, ValueError, ImportError, SandboxError) as error:
        message = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            message = f"{error.filename}: {error.strerror}."
        parser.exit(_BAD_INPUT, f"{parser.prog}: {message}\n")


def is_raised_here(error: BaseException) -> bool:
    """
    Whether a `raise` statement of this package or of the script raised an error.

    Args:
        error (`BaseException`): The error. One that came out of a call, such as `int("x")`, was not raised here.
    """
    innermost = traceback.extract_tb(error.__traceback__)[-1]
    file = Path(innermost.filename).resolve()
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    is_own = file.is_relative_to(_PACKAGE) or (script is not None and file == Path(script).resolve())
    return is_own and (innermost.line or "").startswith("raise ")
