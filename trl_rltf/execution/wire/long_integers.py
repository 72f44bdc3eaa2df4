"""
Read and write JSON and code with integers of any number of digits.

The interpreter limits conversions between integers and text to 4300 digits.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any


_LONG_BITS = 2000  # the limit of the interpreter can be lowered, but not below 640 digits
_lock = _thread.allocate_lock()


@contextlib.contextmanager
def any_number_of_digits() -> Iterator[None]:
    """
    Lift the limit while code is parsed or written.

    `ast` and `compile` have no hook for integers.

    Use this for trusted text only: a conversion of many digits takes long.
    """
    with _lock:
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            yield
        finally:
            sys.set_int_max_str_digits(before)


def load_json(text: str | bytes) -> Any:
    """
    Read JSON with integers of any number of digits.

    For trusted sources only, such as a file of problems.

    Args:
        text (`str` or `bytes`): The JSON text. It may start with a byte order mark.

    Returns:
        `Any`: The value.

    Raises:
        ValueError: If the text is not JSON, not UTF-8, or nested too deeply.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"the text is not UTF-8: {error.reason} at byte {error.start}") from None
    text = text.removeprefix("\ufeff")
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # the interpreter limits the digits of an integer
            return json.loads(text, parse_int=lambda digits: int(_decimal(digits)))
    except RecursionError:
        raise ValueError("the text is nested too deeply") from None


def dump_json(value: Any) -> str:
    """
    Write JSON with integers of any number of digits.

    Args:
        value (`Any`): The value to write.

    Returns:
        `str`: JSON text for [`load_json`].

    Raises:
        ValueError: If a part of the value cannot be written as JSON, or if it is nested too deeply.
    """
    try:
        try:
            return json.dumps(value)
        except ValueError:  # the interpreter limits the digits of an integer
            mark = os.urandom(16).hex()
            return re.sub(f'"{mark}(.*?){mark}"', r"\1", json.dumps(_mark_long_integers(value, mark)))
    except TypeError as error:
        raise ValueError(f"a part cannot be written as JSON: {error}") from None
    except RecursionError:
        raise ValueError("the value is nested too deeply, or contains itself") from None


def _mark_long_integers(value: Any, mark: str) -> Any:
    if isinstance(value, dict):
        keys = (str(_decimal(key)) if type(key) is int else key for key in value)
        return dict(zip(keys, (_mark_long_integers(item, mark) for item in value.values()), strict=True))
    if isinstance(value, (list, tuple)):
        return [_mark_long_integers(item, mark) for item in value]
    if isinstance(value, int) and value.bit_length() >= _LONG_BITS:
        return f"{mark}{_decimal(value)}{mark}"
    return value


def _decimal(number: int | str) -> Any:
    # The conversions of `Decimal` are exact and have no limit. Imported here, since workers rarely need it.
    from decimal import Decimal

    return Decimal(number)
