"""The program that counts, where a model calls a tool that runs programs."""

import pytest

from trl_rltf.completions.conversation import final_program


def call(code, name="run_tests", text=""):
    function = {"name": name, "arguments": {"code": code}}
    return {"role": "assistant", "content": text, "tool_calls": [{"type": "function", "function": function}]}


def say(text):
    return {"role": "assistant", "content": text}


REPORT = {
    "role": "tool",
    "name": "run_tests",
    "content": "0 of 1 visible tests passed.\n```python\nprint('tool')\n```",
}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([call("a = 1"), REPORT, say("Fixed:\n```python\nb = 2\n```\n")], "b = 2\n"),
        ([call("a = 1"), REPORT, say("b = 2\nprint(b)")], "b = 2\nprint(b)"),
        ([call("a = 1"), REPORT, say("It works.")], "a = 1"),
        ([call("a = 1"), REPORT, say("It prints\n```\n3\n```\n")], "a = 1"),
        ([call("a = 1"), REPORT], "a = 1"),
        ([call("a = 1"), REPORT, call("b = 2"), REPORT], "b = 2"),
        ([call("a = 1"), REPORT, call("b = 2", text="```python\nc = 3\n```"), REPORT, say("")], "b = 2"),
        ([say("```python\nc = 3\n```"), call("a = 1"), REPORT], "a = 1"),
        ([call("```python\na = 1\n```"), REPORT], "a = 1\n"),
        ([say("```python\nc = 3\n```"), call("a = 1", name="search"), REPORT], "c = 3\n"),
        ([call(None), REPORT, say("```python\nc = 3\n```")], "c = 3\n"),
        ([{"role": "assistant", "content": None, "tool_calls": [{"type": "other"}]}, say("x = 1")], "x = 1"),
        ([say("Hm.")], "Hm."),
        ([], ""),
    ],
)
def test_the_last_program_counts_in_a_call_or_in_a_later_text(messages, code):
    program, text = final_program(messages)
    assert program.code == code
    assert text[program.start :].startswith(program.source)


def test_of_several_calls_in_a_message_the_last_counts():
    both = {
        "role": "assistant",
        "content": "",
        "tool_calls": call("a = 1")["tool_calls"] + call("b = 2")["tool_calls"],
    }
    assert final_program([both, REPORT, REPORT])[0].code == "b = 2"


def test_the_program_of_a_text_is_found_as_ever():
    assert final_program("```python\nx = 1\n```")[0].code == "x = 1\n"
