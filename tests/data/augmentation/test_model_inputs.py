"""Inputs from programs that a model writes, and text without such a program."""

import pytest

from trl_rltf.data import ModelInputs, ProblemInputs
from trl_rltf.data.augmentation.model_inputs import input_prompt
from trl_rltf.data.augmentation.seen_tests import read_seen_tests


STDIN = {"inputs": ["1 2\n"], "outputs": ["3\n"]}
CALL = {"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}
PROGRAM = "Here it is:\n```python\ndef make_inputs():\n    return {}\n```\n"


def make(text, tests, runner, number=10, **arguments):
    prompts = []

    def complete(asked):
        prompts.extend(asked)
        return [text] * len(asked)

    seen = ProblemInputs({"prompt": "Add two numbers."}, read_seen_tests(tests), "0")
    made = ModelInputs(complete, runner, **arguments).make_inputs(seen, number)
    return list(made.inputs), list(made.notes), prompts


def test_the_program_of_the_model_makes_standard_input(runner):
    inputs, notes, _ = make(PROGRAM.format('["5 6", "7 8\\n"]'), STDIN, runner)
    assert (inputs, notes) == (["5 6\n", "7 8\n"], [])


def test_the_program_of_the_model_makes_arguments(runner):
    inputs, notes, _ = make(PROGRAM.format("[[i, i * i] for i in range(3)]"), CALL, runner)
    assert (inputs, notes) == ([[0, 0], [1, 1], [2, 4]], [])


def test_there_are_at_most_as_many_inputs_as_asked_for(runner):
    assert len(make(PROGRAM.format("[[i, i] for i in range(50)]"), CALL, runner, number=7)[0]) == 7


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("I cannot do that.", "the program failed: "),
        ("", "the program failed: "),
        (PROGRAM.format("1 / 0"), "the program failed: ZeroDivisionError"),
        (PROGRAM.format("__import__('os')._exit(0)"), "the program failed: "),
        (PROGRAM.format("5"), "the program returned a int, not a list"),
        (PROGRAM.format("[5, 'x', [1], [1, 2, 3], [object(), 1], [1, 2]]"), "5 of 6 values are not inputs"),
        (None, "the model gave a NoneType, not text"),
    ],
)
def test_nonsense_is_noted_and_makes_no_input(text, note, runner):
    inputs, notes, _ = make(text, CALL, runner)
    assert inputs in ([], [[1, 2]])
    assert len(notes) == 1
    assert notes[0].startswith(note)


def test_a_program_cannot_leave_the_sandbox(runner, tmp_path):
    target = tmp_path / "written"
    make(PROGRAM.format(f"[open({str(target)!r}, 'w').write('x'), 1]"), CALL, runner)
    assert not target.exists()


def test_the_prompt_has_the_statement_the_form_and_an_example():
    seen = ProblemInputs({"prompt": "Add two numbers."}, read_seen_tests(CALL), "0")
    prompt = input_prompt(seen, 12)
    for part in ("Add two numbers.", "make_inputs()", "12 different inputs", "arguments of `add`", "[1, 2]"):
        assert part in prompt


def test_several_programs_are_asked_for_at_once(runner):
    inputs, _, prompts = make(PROGRAM.format("[[1, 1]]"), CALL, runner, num_programs=3)
    assert (len(prompts), inputs) == (3, [[1, 1]] * 3)
    with pytest.raises(ValueError, match="`num_programs` is 0"):
        make("", CALL, runner, num_programs=0)
