"""Programs completed with starter code, and positions of findings in the completion."""

import pytest

from trl_rltf.analysis import Finding, RuffAnalyser
from trl_rltf.analysis.placed_program import PlacedProgram


pytest.importorskip("ruff", reason="ruff is not installed")

STARTER = (
    'from typing import List\n\n\ndef helper(x):\n    return x\n\n\ndef f(a: List[int]) -> int:\n    """Add."""\n'
)


@pytest.fixture(scope="module")
def analyser():
    return RuffAnalyser()


def marked(analyser, completion, starter_code=None):
    """Rule, line and text of each finding in the completion."""
    program = PlacedProgram.of(completion, starter_code)
    (found,) = analyser([program.code])
    own = [one for finding in found if (one := program.in_program(finding)) is not None]
    text = program.text
    return [(one.rule, one.span.line, text[slice(*program.characters(one.span))]) for one in own]


@pytest.mark.parametrize("before", ["", "The answer é🐍:\n```python\n", "1. Do this:\n   ```python\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_text_of_a_finding_is_found_in_the_completion(analyser, before, line_end):
    indent = "   " if before.startswith("1.") else ""
    lines = ["é = '🐍'; print(nothing)", "def g():", "    left = 2"]
    completion = before + "".join(f"{indent}{line}{line_end}" for line in lines) + (f"{indent}```\n" if before else "")
    assert marked(analyser, completion) == [("F821", 1, "nothing"), ("F841", 3, "left")]


def test_a_syntax_error_between_two_characters_is_at_the_next_one(analyser):
    assert marked(analyser, "```\nprint(1\n```") == [("invalid-syntax", 2, "`")]  # the fence ends the program
    assert marked(analyser, "print(1") == [("invalid-syntax", 1, "1")]


def test_the_body_of_a_function_is_completed_with_the_starter_code(analyser):
    assert marked(analyser, "    return helper(nothing)\n", STARTER) == [("F821", 1, "nothing")]
    assert marked(analyser, "    return helper(nothing)\n") != [("F821", 1, "nothing")]


def test_a_body_without_its_indent_is_completed_with_the_starter_code(analyser):
    completion = "```\nif a:\n    b = 1\nreturn helper(nothing)\n```"
    assert marked(analyser, completion, STARTER) == [("F841", 2, "b"), ("F821", 3, "nothing")]
    assert marked(analyser, "```\nreturn nothing\n```", STARTER) == [("F821", 1, "nothing")]


def test_a_whole_function_gets_the_imports_and_helpers_of_the_starter_code(analyser):
    completion = "```python\ndef f(a: List[int]) -> int:\n    return helper(nothing)\n```"
    assert marked(analyser, completion, STARTER) == [("F821", 2, "nothing")]
    assert [row[2] for row in marked(analyser, completion)] == ["List", "helper", "nothing"]


def test_an_import_that_the_starter_code_has_too_is_no_redefinition(analyser):
    completion = "from typing import List\n\n\ndef f(a: List[int]) -> int:\n    return 1\n"
    assert marked(analyser, completion, STARTER) == []


def test_a_program_with_another_function_is_left_as_it_is(analyser):
    assert marked(analyser, "print(List)\n", STARTER) == [("F821", 1, "List")]
    assert marked(analyser, "", STARTER) == []


def test_defects_of_the_starter_code_are_left_out(analyser):
    starter = "def f(a=[]):\n    unused = 1\n"
    assert marked(analyser, "    return nothing\n", starter) == [("F821", 1, "nothing")]


def test_starter_code_without_a_line_break_at_its_end_shifts_the_first_line(analyser):
    program = PlacedProgram("x = 1; y = z\nw = v\n", " y = z\nw = v\n", " y = z\nw = v\n", 0)._after("x = 1;")
    (found,) = analyser([program.code])
    own = [program.in_program(finding) for finding in found]
    assert [program.text[slice(*program.characters(one.span))] for one in own] == ["z", "v"]


def test_a_finding_without_a_position_stays(analyser):
    finding = Finding("unreadable", "too large")
    assert PlacedProgram.of("x", STARTER).in_program(finding) is finding


def test_the_program_of_a_conversation_is_the_last_one(analyser):
    messages = [
        {"role": "assistant", "content": "```python\nprint(first)\n```"},
        {"role": "user", "content": "Again."},
        {"role": "assistant", "content": "```python\nprint(second)\n```"},
    ]
    assert marked(analyser, messages) == [("F821", 1, "second")]
