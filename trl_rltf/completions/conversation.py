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

    After a call of `run_tests`, it is the program in the next text that has one, otherwise that of the call. In a completion without
    such a call, it is that of the last text of the assistant.

    Args:
        completion (`str` or `list[dict]`): The completion, as text or as chat messages.

    Returns:
        `tuple[ExtractedProgram, str]`: The program, and the text of the completion that it is a slice of.
    """
    messages = [] if isinstance(completion, str) else completion
    later: list[Any] = []
    for message in reversed(messages):
        code = _submitted(message)
        if code is not None:
            text = completion_text(later[::-1])
            text = text if has_program(text) else code
            break
        later.append(message)
    else:
        text = completion_text(completion)
    return extract_program(text), text


def _submitted(message: Mapping[str, Any]) -> str | None:
    """Return the program of the last call of `run_tests` in a message."""
    for call in reversed(message.get("tool_calls") or []):
        function = call.get("function") or {}
        arguments = function.get("arguments")
        code = arguments.get(_ARGUMENT) if isinstance(arguments, Mapping) else None
        if function.get("name") == TOOL_NAME and isinstance(code, str):
            return code
    return None
