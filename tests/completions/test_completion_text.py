"""The text of prompts and completions, and programs of list items, from the text to the reward."""

import pytest

from trl_rltf.completions import extract_program
from trl_rltf.completions.program import completion_text, prompt_text
from trl_rltf.presets import paper_reward


def test_the_text_of_a_prompt_is_that_of_its_text_parts():
    parts = [{"type": "image", "text": None}, {"type": "text", "text": "Double "}, {"type": "text", "text": "it."}]
    assert prompt_text([{"role": "system", "content": None}, {"role": "user", "content": parts}]) == "Double it."


CALL = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "look"}}]}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], ""),
        ([{"role": "assistant", "content": "a"}], "a"),
        ([{"role": "assistant", "content": [{"type": "image", "text": None}, {"type": "text", "text": "a"}]}], "a"),
        ([{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}], "a"),
        ([{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}, CALL], "a"),
        ([CALL, {"role": "tool", "content": "b"}], ""),
        ([{"content": "a"}], "a"),
    ],
)
def test_the_text_of_a_completion_is_the_last_of_the_assistant(messages, text):
    assert completion_text(messages) == text


LIST_ITEM = "1. Double it:\n   ```python\n   n = int(input())\n   print(n * {})\n   ```\n2. Done.\n"


def test_a_program_in_a_list_item_is_graded(runner, tokenizer):
    function = paper_reward(runner, token_feedback="expression_penalty")
    texts = [LIST_ITEM.format(factor) for factor in ("2", "x")]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    tests = [{"inputs": ["3\n"], "outputs": ["6\n"]}] * 2
    right, wrong = function(
        prompts=["", ""], completions=texts, completion_ids=ids, tests=tests, processing_class=tokenizer
    )
    assert float(right) == 1.0
    punished = [i for i, value in enumerate(wrong.tokens) if value < float(wrong)]
    assert "x" in tokenizer.decode([ids[1][i] for i in punished])
    assert len(punished) <= 2


def test_the_code_of_a_program_that_is_not_indented_is_its_source():
    source = "\nx = '''\n  a'''\n"
    assert extract_program(source).code == source
