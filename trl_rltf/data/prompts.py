"""Prompt texts of the benchmarks, as the literature writes them."""

from __future__ import annotations

from collections.abc import Sequence


def apps_prompt(question: str, starter_code: str = "", call_based: bool = False) -> str:
    """
    The prompt of APPS, CodeRL and RLTF.

    Args:
        question (`str`): Problem statement.
        starter_code (`str`, *optional*, defaults to `""`): Code that the solution has to begin with.
        call_based (`bool`, *optional*, defaults to `False`): Whether the tests call a function instead of reading standard
            input.

    Returns:
        `str`: Prompt; the completion is the program.
    """
    parts = ["\nQUESTION:\n", question]
    if starter_code:
        parts += ["\n", starter_code]
    parts.append("\nUse Call-Based format" if call_based else "\nUse Standard Input format")
    return "".join([*parts, "\nANSWER:\n"])


def mbpp_prompt(text: str, tests: Sequence[str]) -> str:
    """
    The zero-shot prompt of MBPP (Austin et al. 2021, section 3.1) without its few-shot examples.

    Args:
        text (`str`): Problem statement.
        tests (`Sequence[str]`): Assert statements that the model is shown.

    Returns:
        `str`: Prompt; the completion is the program.
    """
    shown = "\n".join(tests)
    return (
        f"You are an expert Python programmer, and here is your task: {text} Your code should pass these tests:\n\n"
        f"{shown}\n\n"
    )


def chat_messages(prompt: str) -> list[dict[str, str]]:
    """
    A prompt as a chat message, for instruction models.

    Args:
        prompt (`str`): Prompt of a problem.

    Returns:
        `list[dict[str, str]]`: One user message: the prompt, and the wish for one block of code.
    """
    return [{"role": "user", "content": f"{prompt.strip()}\n\nAnswer with one block of Python code."}]
