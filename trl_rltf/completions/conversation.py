"""Find the program that counts in a conversation with a tool that runs programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .program import ExtractedProgram, completion_text, extract_program, has_program


# Tool of [`~environments.UnitTestEnvironment`] that runs a program, and its argument.
TOOL_NAME = "run_tests"
_ARGUMENT = "code"


def final_program(completion: Any) -> tuple[ExtractedProgram, str]:
    """
    Find the last program that the model wrote.

    Args:
        completion (`str` or `list[dict]`): The completion, as text or as chat messages.

    Returns:
        `tuple[ExtractedProgram, str]`: The program, and the text of the completion that it is a slice of, see [`final_text`].
    """
    text = final_text(completion)
    return extract_program(text), text


def final_text(completion: Any) -> str:
    """
    Find the text with the last program that the model wrote.

    After a call of `run_tests`, it is the next text that has a program, otherwise the argument of the call. In a completion without
    such a call, it is the last text of the assistant.

    Args:
        completion (`str` or `list[dict]`): The completion, as text or as chat messages.

    Returns:
        `str`: The text.
    """
    later: list[Any] = []
    for message in reversed([] if isinstance(completion, str) else completion):
        code = _submitted(message)
        if code is not None:
            text = completion_text(later[::-1])
            return text if has_program(text) else code
        later.append(message)
    return completion_text(completion)


def _submitted(message: Mapping[str, Any]) -> str | None:
    """Return the program of the last call of `run_tests` in a message."""
    for call in reversed(message.get("tool_calls") or []):
        function = call.get("function") or {}
        arguments = function.get("arguments")
        code = arguments.get(_ARGUMENT) if isinstance(arguments, Mapping) else None
        if function.get("name") == TOOL_NAME and isinstance(code, str):
            return code
    return None
