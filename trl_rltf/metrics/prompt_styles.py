"""Forms in which an evaluation sends the prompt of a problem to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ..generation.completion import Completion
from ..generation.sampling import Sampling


PromptStyle = Literal["plain", "chat", "code_block"]

_BLOCK_START = "```python\n"
_BLOCK_END = "\n```"
_REQUEST = "Solve this problem with one Python program in a Markdown code block."


def styled_prompt(problem: Mapping[str, Any], style: PromptStyle) -> Any:
    """
    Make the prompt of a problem.

    Args:
        problem (`Mapping`): Row of the problem, with `prompt` and, if a solution begins with given code, `starter_code`.
        style (`str`): `"plain"`, the text; `"chat"`, the text as the message of a user; `"code_block"`, a message that asks for a
            code block, and an answer that begins with one.

    Returns:
        `str` or `list[dict]`: The prompt.
    """
    text = problem["prompt"]
    if style == "plain":
        return text
    if style == "chat":
        return [{"role": "user", "content": text}]
    task = f"{_BLOCK_START}{text.strip()}{_BLOCK_END}" if problem.get("starter_code") else text.strip()
    return [
        {"role": "user", "content": f"{_REQUEST}\n\n{task}"},
        {"role": "assistant", "content": _BLOCK_START},
    ]


def styled_sampling(sampling: Sampling, style: PromptStyle) -> Sampling:
    """
    Add the strings that end a completion in this style.

    Args:
        sampling ([`~generation.Sampling`]): How to sample.
        style (`str`): Style of the prompt.
    """
    if style != "code_block":
        return sampling
    return replace(sampling, stop_strings=(*sampling.stop_strings, _BLOCK_END))


def styled_completions(completions: Sequence[Completion], style: PromptStyle) -> list[Completion]:
    """
    Put the beginning of the answer before what the model wrote.

    Args:
        completions (`Sequence[Completion]`): Completions of the model.
        style (`str`): Style of the prompt.
    """
    if style != "code_block":
        return list(completions)
    return [Completion(_BLOCK_START + text, text.is_clipped) for text in completions]
