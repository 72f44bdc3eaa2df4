"""End a script with the sentence of an error, where this package raised it."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path


_PACKAGE = Path(__file__).resolve().parent.parent
_BAD_INPUT = 2
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
