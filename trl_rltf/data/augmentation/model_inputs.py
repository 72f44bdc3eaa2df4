"""Ask a language model for programs that make inputs, and run them."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ...completions import extract_program
from ...execution import Outcome, Program, Runner
from ..literals import text_of
from .sources import NewInputs, ProblemInputs


MAKER = "make_inputs"  # name of the function that the model writes
_SHOWN_CHARACTERS = 600  # of an input in the prompt
_SHOWN_INPUTS = 2
_MAX_CHARACTERS = 100_000  # of an input
_MAX_INPUTS = 1_000  # that are read from one program
_PLAIN = (bool, int, float, str, type(None), list, tuple, set, frozenset, dict)
_PROMPT = """{statement}

Do not solve this problem. Write a Python function `{maker}()` that returns a list of {number} different inputs for its tests, \
{form}. Include the smallest and the largest allowed inputs, repeated values and other edge cases. Every input must follow the constraints \
of the problem. Examples of inputs:

{examples}

Answer with one Python code block and nothing else."""
_FORMS = {
    "stdin": "each a string, the whole text of standard input",
    "call": "each the list of the arguments of `{function}`",
    "assert": "each the list of the arguments of `{function}`",
}


class ModelInputs:
    """
    Have a language model write programs that make inputs.

    The programs run in the sandbox, as any other program. Text without such a program, programs that fail, and values that are no
    inputs are counted in the notes of the problem.

    Args:
        complete (`Callable[[list[str]], Sequence[str]]`): Writes a completion for each prompt, such as a model. One call runs at a
            time.
        runner ([`~execution.Runner`]): Runs the programs.
        num_programs (`int`, *optional*, defaults to `1`): Programs per problem.

    Raises:
        ValueError: If `num_programs` is below 1.
    """

    name = "model"

    def __init__(self, complete: Callable[[list[str]], Sequence[str]], runner: Runner, *, num_programs: int = 1):
        if num_programs < 1:
            raise ValueError(f"`num_programs` is {num_programs}, but must be at least 1.")
        self.complete = complete
        self.runner = runner
        self.num_programs = num_programs
        self._lock = threading.Lock()

    def make_inputs(self, seen: ProblemInputs, num_inputs: int) -> NewInputs:
        """Make inputs for a problem, see [`InputSource`]."""
        with self._lock:
            texts = list(self.complete([input_prompt(seen, num_inputs)] * self.num_programs))
        inputs: list[Any] = []
        notes = []
        for text in texts:
            made, note = self._run(text)
            valid = [item for value in made if (item := _as_input(value, seen)) is not None]
            if made and len(valid) < len(made):
                note = f"{len(made) - len(valid)} of {len(made)} values are not inputs"
            notes += [note] * bool(note)
            inputs += valid
        return NewInputs(inputs[:num_inputs], notes)

    def _run(self, text: Any) -> tuple[list[Any], str]:
        """Values that the program in a text returns, or what is wrong with it."""
        if not isinstance(text, str):
            return [], f"the model gave a {type(text).__name__}, not text"
        source = extract_program(text).code
        answers: list[Any] = []

        def keep(arguments: Any, answer: Any, expected: Any) -> bool:
            answers.append(answer)
            return True

        tests = {"fn_name": MAKER, "inputs": [[]], "outputs": [None]}
        (report,) = self.runner.run([Program(source, tests, keep)])
        if report.outcome is not Outcome.PASS or not answers:
            return [], f"the program failed: {report.error_type or report.outcome.name}"
        if not isinstance(answers[0], (list, tuple)):
            return [], f"the program returned a {type(answers[0]).__name__}, not a list"
        return list(answers[0][:_MAX_INPUTS]), ""


def input_prompt(seen: ProblemInputs, num_inputs: int) -> str:
    """
    Write the prompt that asks for a program.

    Args:
        seen ([`ProblemInputs`]): The problem.
        num_inputs (`int`): Number of inputs to ask for.

    Returns:
        `str`: The prompt.
    """
    statement = seen.problem.get("prompt") or ""
    examples = [textwrap.shorten(text_of(item), _SHOWN_CHARACTERS, placeholder="...") for item in seen.tests.inputs]
    return _PROMPT.format(
        statement=statement if isinstance(statement, str) else statement[-1]["content"],
        maker=MAKER,
        number=num_inputs,
        form=_FORMS[seen.tests.kind].format(function=seen.tests.function),
        examples="\n".join(examples[:_SHOWN_INPUTS]),
    )


def _as_input(value: Any, seen: ProblemInputs) -> Any:
    """The value as an input of the format, or `None`."""
    if seen.tests.kind == "stdin":
        is_text = isinstance(value, str) and bool(value.strip()) and len(value) <= _MAX_CHARACTERS
        return _encodable(value if value.endswith("\n") else f"{value}\n") if is_text else None
    if not isinstance(value, (list, tuple)) or len(text_of(value)) > _MAX_CHARACTERS:
        return None
    arguments = list(value)
    if len(arguments) not in {len(known) for known in seen.tests.inputs} or not _is_plain(arguments):
        return None
    return _encodable(arguments)


def _encodable(value: Any) -> Any:
    try:
        text_of(value).encode()
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _is_plain(value: Any) -> bool:
    if type(value) not in _PLAIN:
        return False
    if isinstance(value, dict):
        return all(_is_plain(part) for pair in value.items() for part in pair)
    return all(map(_is_plain, value)) if isinstance(value, (list, tuple, set, frozenset)) else True
