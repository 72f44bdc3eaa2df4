"""Cut the beginning of prompts that are too long, but not their chat template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


_INSTRUCTIONS = ("system", "developer")  # roles whose messages are not cut


def shorten_prompt(prompt: Any, max_length: int, count_tokens: Callable[[Any], int]) -> Any:
    """
    Shorten a prompt to a maximum number of tokens.

    The beginning is cut: that of a text, or that of the contents of messages, the first message first. The end of a programming
    task has the request, the examples and the line that asks for the answer; the end of a conversation has its last question.
    The chat template, special tokens and system instructions are kept.

    Args:
        prompt (`str` or `list`): The prompt, as text or as chat messages.
        max_length (`int`): Maximum number of tokens, template and special tokens included.
        count_tokens (`Callable`): Counts the tokens of a prompt as the model gets it.

    Returns:
        `str` or `list`: The prompt itself if it is short enough, otherwise a shortened copy.

    Raises:
        ValueError: If template, special tokens and instructions alone are too long.
    """
    num_tokens = count_tokens(prompt)
    if num_tokens <= max_length:
        return prompt
    too_few, enough = 0, max(0, _content_length(prompt) - 1)  # characters to cut
    num_left = count_tokens(_without_beginning(prompt, enough))
    if num_left > max_length:
        raise ValueError(
            f"It has {num_tokens} tokens, and still {num_left} when all but one character of its content is cut: the rest is "
            f"template, special tokens and system instructions. `max_prompt_length` is {max_length}. Raise it, or shorten the "
            "instructions."
        )
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if count_tokens(_without_beginning(prompt, middle)) > max_length:
            too_few = middle
        else:
            enough = middle
    return _without_beginning(prompt, enough)


def _content_length(prompt: Any) -> int:
    if isinstance(prompt, str):
        return len(prompt)
    return sum(len(text) for message in prompt for text in _texts(message, prompt))


def _texts(message: Mapping[str, Any], messages: Sequence[Any]) -> list[str]:
    """The texts of a message that may be cut, one per part."""
    if message["role"] in _INSTRUCTIONS and len(messages) > 1:
        return []
    content = message.get("content") or []  # a tool call has no content
    return [content] if isinstance(content, str) else [part.get("text") or "" for part in content]


def _without_beginning(prompt: Any, num_characters: int) -> Any:
    """The prompt without its first `num_characters` characters that may be cut."""
    if isinstance(prompt, str):
        return prompt[num_characters:]
    shortened = []
    for message in prompt:
        texts = _texts(message, prompt)
        if num_characters and any(texts):
            message = {**message, "content": _content_without_beginning(message["content"], texts, num_characters)}
            num_characters = max(0, num_characters - sum(map(len, texts)))
        shortened.append(message)
    return shortened


def _content_without_beginning(content: Any, texts: Sequence[str], num_characters: int) -> Any:
    if isinstance(content, str):
        return content[num_characters:]
    parts = []
    for part, text in zip(content, texts, strict=True):
        parts.append({**part, "text": text[num_characters:]} if text else part)
        num_characters = max(0, num_characters - len(text))
    return parts
