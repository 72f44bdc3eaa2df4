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


def livecodebench_prompt(question: str, *, starter_code: str = "") -> str:
    """
    Write the prompt of LiveCodeBench for models that follow instructions.

    Its system message and its question, which the benchmark sends as two messages to models with a chat template, are one text.

    Args:
        question (`str`): Problem statement.
        starter_code (`str`, *optional*, defaults to `""`): Code with which the solution has to begin; without it, the program
            reads standard input.

    Returns:
        `str`: Prompt; the completion has the program in a fenced block.
    """
    if starter_code:
        task = (
            "You will use the following starter code to write the solution to the problem and enclose your code within "
            "delimiters."
        )
    else:
        task = (
            "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample "
            "inputs). Enclose your code within delimiters as follows. Ensure that when the python program runs, it reads the "
            "inputs, runs the algorithm and writes output to STDOUT."
        )
    return (
        "You are an expert Python programmer. You will be given a question (problem specification) and will generate a correct "
        "Python program that matches the specification and passes all tests.\n\n"
        f"### Question:\n{question}\n\n"
        f"### Format: {task}\n"
        f"```python\n{starter_code or '# YOUR CODE HERE'}\n```\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )
