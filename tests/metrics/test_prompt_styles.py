"""The form of the prompts of an evaluation, by hand."""

import copy

import architectures

from trl_rltf.generation import Sampling
from trl_rltf.generation.completion import Completion
from trl_rltf.generation.sampling import encode_prompt
from trl_rltf.metrics.prompt_styles import styled_completions, styled_prompt, styled_sampling


HEAD = {"prompt": "def f(x):\n", "starter_code": "def f(x):\n"}
TEXT = {"prompt": "Add one.\n", "starter_code": ""}
REQUEST = "Solve this problem with one Python program in a Markdown code block.\n\n"
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_a_plain_prompt_is_the_text():
    assert styled_prompt(TEXT, "plain") == "Add one.\n"


def test_a_chat_prompt_is_the_message_of_a_user():
    assert styled_prompt(TEXT, "chat") == [{"role": "user", "content": "Add one.\n"}]


def test_the_answer_begins_with_a_code_block_and_given_code_is_shown_as_code():
    user, assistant = styled_prompt(TEXT, "code_block")
    assert user == {"role": "user", "content": f"{REQUEST}Add one."}
    assert assistant == {"role": "assistant", "content": "```python\n"}
    user, _ = styled_prompt(HEAD, "code_block")
    assert user["content"] == f"{REQUEST}```python\ndef f(x):\n```"


def test_a_code_block_ends_at_its_fence_and_other_stop_strings_stay():
    sampling = Sampling(stop_strings=("#",))
    assert styled_sampling(sampling, "chat").stop_strings == ("#",)
    assert styled_sampling(sampling, "code_block").stop_strings == ("#", "\n```")


def test_the_completion_has_the_beginning_of_the_answer_and_stays_clipped():
    (completion,) = styled_completions([Completion("x = 1", True)], "code_block")
    assert completion == "```python\nx = 1"
    assert completion.is_clipped
    assert styled_completions([Completion("x = 1")], "chat") == ["x = 1"]


def test_the_model_continues_the_answer_that_has_begun():
    tokenizer = copy.deepcopy(architectures.make("llama")[1])  # other tests share it
    tokenizer.chat_template = TEMPLATE
    ids = encode_prompt(tokenizer, styled_prompt(TEXT, "code_block"), None, {})
    assert tokenizer.decode(ids) == f"<user>{REQUEST}Add one.</s><assistant>```python\n"
    ids = encode_prompt(tokenizer, styled_prompt(TEXT, "chat"), None, {})
    assert tokenizer.decode(ids).endswith("</s><assistant>")
