"""Shorten prompts that are too long: cut the beginning of their content, and keep the chat template around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def shorten_prompt(prompt: Any, max_length: int, count_tokens: Callable[[Any], int]) -> Any:
    """
    Cut a prompt down to a number of tokens.

    What is cut is the beginning of a text, or of the text of the last message of a user: the end of a programming task has
    the request, the examples and the line that asks for the answer. Other messages, the chat template and special tokens
    stay as they are.

    Args:
        prompt (`str` or `list`): The prompt, as text or as chat messages.
        max_length (`int`): Number of tokens that it may have, template and special tokens included.
        count_tokens (`Callable`): Counts the tokens of such a prompt as the model gets it.

    Returns:
        `str` or `list`: The prompt itself if it is not too long, else a copy with less content.

    Raises:
        ValueError: If there is no room for content, because all the rest is too long by itself.
    """
    num_tokens = count_tokens(prompt)
    if num_tokens <= max_length:
        return prompt
    too_few, enough = 0, max(0, _content_length(prompt) - 1)  # characters to cut
    num_left = count_tokens(_without_beginning(prompt, enough))
    if num_left > max_length:
        raise ValueError(
            f"It has {num_tokens} tokens, and {num_left} when only one character is left of what can be cut: template, special "
            f"tokens and other messages take the rest. `max_prompt_length` is {max_length}."
        )
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if count_tokens(_without_beginning(prompt, middle)) > max_length:
            too_few = middle
        else:
            enough = middle
    return _without_beginning(prompt, enough)


def _last_user_message(messages: list[Any]) -> int:
    """Index of the message that is cut."""
    asked = [index for index, message in enumerate(messages) if message["role"] == "user"]
    return asked[-1] if asked else len(messages) - 1


def _content_length(prompt: Any) -> int:
    content = prompt if isinstance(prompt, str) else prompt[_last_user_message(prompt)]["content"]
    return len(content) if isinstance(content, str) else sum(len(part.get("text") or "") for part in content or [])


def _without_beginning(prompt: Any, num_characters: int) -> Any:
    if isinstance(prompt, str):
        return prompt[num_characters:]
    index = _last_user_message(prompt)
    message = prompt[index]
    if isinstance(message["content"], str):
        content: Any = message["content"][num_characters:]
    else:
        content = []
        for part in message["content"] or []:
            text = part.get("text") or ""  # an image has none, or `None`
            content.append({**part, "text": text[num_characters:]} if text else part)
            num_characters = max(0, num_characters - len(text))
    return [*prompt[:index], {**message, "content": content}, *prompt[index + 1 :]]
