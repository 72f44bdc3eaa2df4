"""Prompts that are cut to a length, counted in characters by hand."""

import pytest

from trl_rltf.generation.prompt_shortening import shorten_prompt


def count(prompt):
    """A token per character; chat messages cost 2 tokens each for their template."""
    if isinstance(prompt, str):
        return len(prompt)
    texts = [part["text"] for message in prompt if isinstance(message["content"], list) for part in message["content"]]
    texts += [message["content"] for message in prompt if isinstance(message["content"], str)]
    return 2 * len(prompt) + sum(map(len, texts))


def message(role, content):
    return {"role": role, "content": content}


@pytest.mark.parametrize(("max_length", "shortened"), [(6, "abcdef"), (5, "bcdef"), (1, "f")])
def test_a_text_is_cut_at_its_beginning(max_length, shortened):
    assert shorten_prompt("abcdef", max_length, count) == shortened


def test_a_prompt_that_is_short_enough_is_returned_itself():
    messages = [message("user", "abc")]
    assert shorten_prompt(messages, 5, count) is messages


def test_the_first_message_is_cut_first():
    messages = [message("user", "abc"), message("assistant", "def"), message("user", "ghi")]
    assert shorten_prompt(messages, 11, count) == [
        message("user", ""),
        message("assistant", "ef"),
        message("user", "ghi"),
    ]


def test_system_instructions_are_kept():
    messages = [message("system", "Be brief."), message("user", "abcdef")]
    assert shorten_prompt(messages, 16, count) == [message("system", "Be brief."), message("user", "def")]


def test_a_message_in_parts_is_cut_part_by_part():
    parts = [{"type": "text", "text": "abc"}, {"type": "text", "text": "def"}]
    (shortened,) = shorten_prompt([message("user", parts)], 4, count)
    assert shortened["content"] == [{"type": "text", "text": ""}, {"type": "text", "text": "ef"}]
    assert parts[0]["text"] == "abc"


def test_a_template_that_is_too_long_by_itself_is_refused():
    messages = [message("system", "Be brief."), message("user", "abcdef")]
    with pytest.raises(ValueError, match=r"has 19 tokens, and still 14 .* `max_prompt_length` is 10"):
        shorten_prompt(messages, 10, count)
