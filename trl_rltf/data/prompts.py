"""Prompts of the benchmarks, as in the literature."""

from __future__ import annotations

from collections.abc import Sequence


def apps_prompt(question: str, *, starter_code: str = "", call_based: bool = False) -> str:
    """
    Write the prompt of APPS, CodeRL and RLTF.

    Args:
        question (`str`): Problem statement.
        starter_code (`str`, *optional*, defaults to `""`): Code with which the solution has to begin.
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
    Write the prompt of MBPP (Austin et al. 2021, section 3.1), without examples.

    Args:
        text (`str`): Problem statement.
        tests (`Sequence[str]`): Assert statements to show.

    Returns:
        `str`: Prompt; the completion is the program.
    """
    shown = "\n".join(tests)
    return (
        f"You are an expert Python programmer, and here is your task: {text} Your code should pass these tests:\n\n"
        f"{shown}\n\n"
    )
