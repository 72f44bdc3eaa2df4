"""
Read rows of HumanEval, HumanEval+ and MBPP+.

HumanEval is of Chen et al. 2021, the other two are EvalPlus, of Liu et al. 2023.
"""

from __future__ import annotations

import ast
import logging
import warnings
from typing import Any

from ..execution.wire.long_integers import any_number_of_digits
from .evalplus_inputs import restore_mbpp_input
from .evalplus_tests import make_tests
from .literals import literal
from .options import Options
from .rows import Row


logger = logging.getLogger(__name__)
_MAX_CHARACTERS = 2**20  # of an expected output
# Program that runs a canonical solution. Integers of more than 4300 digits have no `repr`.
_CALLS = """\
{solution}

arguments_of_tests = [{arguments}]

def answer_of_input(index):
    answer = {function}(*arguments_of_tests[index])
    try:
        is_short = len(repr(answer)) <= {limit}
    except ValueError:
        is_short = True
    return [is_short, answer if is_short else None]
"""


def read_humaneval(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of HumanEval, or of HumanEval+ in either of its forms.

    The prompt is the start of the program: imports, sometimes helper functions, and the function under test up to its
    docstring. Its imports are part of the setup of the tests, so that a program may leave them out, and so are the helper
    functions that the tests call; [`complete_program`] adds the other ones to a program.

    Args:
        row ([`~data.rows.Row`]): Columns `task_id`, `prompt`, `entry_point`, `canonical_solution` and `test`; or, in a file of
            EvalPlus, `base_input`, `plus_input` and `atol` instead of `test`.
        options ([`~data.options.Options`]): Runner for canonical solutions.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`.

    Raises:
        BadRow: If the row is malformed.
    """
    prompt, function = row.text("prompt"), _function(row)
    solution = prompt + row.text("canonical_solution")
    script = "" if "base_input" in row.content else row.text("test")
    before = _before_function(row, prompt, function, script)
    if not script:
        tests = _tests_of_inputs(row, function, solution, options, is_mbpp=False)
        tests["setup"] = f"{before}\n{tests['setup']}"
        column = "base_input"
    else:
        tests = {"asserts": [f"check({function})"], "setup": f"{before}\n{script}"}
        column = "test"
    return row.problem(
        prompt,
        tests,
        tests_column=column,
        problem_id=row.text("task_id"),
        solutions=[solution],
        starter_code=prompt,
    )


def read_mbpp_plus(row: Row, options: Options) -> dict[str, Any]:
    """
    Read a row of MBPP+ in either of its forms.

    The prompt is that of EvalPlus: the statement and the first assert, as a docstring.

    Args:
        row ([`~data.rows.Row`]): In a file of EvalPlus, columns `task_id`, `prompt`, `entry_point`, `canonical_solution`,
            `base_input`, `plus_input` and `atol`; on the Hub, `task_id`, `prompt`, `code`, `test_list` and `test`.
        options ([`~data.options.Options`]): Runner for canonical solutions.

    Returns:
        `dict[str, Any]`: One row with the columns of `BENCHMARK_FEATURES`.

    Raises:
        BadRow: If the row is malformed.
    """
    if "base_input" in row.content:
        function, solution = _function(row), row.text("canonical_solution")
        tests = _tests_of_inputs(row, function, f"{row.text('prompt')}\n{solution}", options, is_mbpp=True)
        prompt, column = row.text("prompt"), "base_input"
    else:
        solution, column = row.text("code"), "test"
        first = row.texts("test_list")[:1]
        prompt = '"""\n' + "\n".join([row.text("prompt"), *first]) + '\n"""\n'
        tests = _tests_of_script(row, row.text("test"))
    return row.problem(
        prompt, tests, tests_column=column, problem_id=str(row.require("task_id")), solutions=[solution]
    )


def _function(row: Row) -> str:
    function = row.text("entry_point")
    if not function.isidentifier():
        raise row.bad("entry_point", f"it is {function[:80]!r}, but must be the name of a function")
    return function


def _before_function(row: Row, prompt: str, function: str, script: str) -> str:
    """Imports of a prompt of HumanEval, and its helper functions that the tests use."""
    body = _parse(row, "prompt", f"{prompt}\n    pass\n")
    if not any(isinstance(node, ast.FunctionDef) and node.name == function for node in body):
        raise row.bad("prompt", f"it does not define `{function}`, the function of `entry_point`")
    used = [
        node
        for node in body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        or (isinstance(node, ast.FunctionDef) and node.name != function and f"{node.name}(" in script)
    ]
    return "\n".join(map(ast.unparse, used))


def _tests_of_script(row: Row, script: str) -> dict[str, Any]:
    """
    Tests from a script of MBPP+.

    The loop at its end is the test, and everything before it is the setup.
    """
    body = _parse(row, "test", script)
    if not body:
        raise row.bad("test", "it has no statement, but must be a script that ends with a loop over the inputs")
    with any_number_of_digits():
        *setup, loop = map(ast.unparse, body)
    return {"asserts": [loop], "setup": "\n".join(setup)}


def _parse(row: Row, column: str, text: str) -> list[ast.stmt]:
    try:
        with any_number_of_digits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # prompts have invalid escape sequences
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise row.bad(column, f"it is not valid Python ({error})") from error


def _tests_of_inputs(row: Row, function: str, solution: str, options: Options, *, is_mbpp: bool) -> dict[str, Any]:
    """
    Tests from the inputs of EvalPlus.

    The expected outputs are those of the canonical solution, which runs in the sandbox.
    """
    inputs = [*_inputs(row, "base_input", is_mbpp), *_inputs(row, "plus_input", is_mbpp)]
    atol = row.get("atol") or 0
    if not isinstance(atol, (int, float)) or isinstance(atol, bool) or not 0 <= atol < 1e300:
        raise row.bad("atol", f"it is {atol!r}, but must be a tolerance, at least 0")
    if not inputs:
        raise row.bad("base_input", "it is empty, but a problem needs at least one input")
    try:
        arguments = ",\n".join(map(literal, inputs))
        source = _CALLS.format(solution=solution, function=function, arguments=arguments, limit=_MAX_CHARACTERS)
        answers = options.run_solution(source, "answer_of_input", len(inputs))
        short = [(given, answer) for given, (is_short, answer) in zip(inputs, answers, strict=True) if is_short]
        if len(short) < len(inputs):
            logger.warning(
                "%s: %d of %d tests are left out, whose expected outputs are longer than %d characters",
                row.where,
                len(inputs) - len(short),
                len(inputs),
                _MAX_CHARACTERS,
            )
        given, outputs = zip(*short, strict=True) if short else ((), ())
        return make_tests(function, given, outputs, atol=float(atol), is_mbpp=is_mbpp)
    except RuntimeError as error:
        raise row.bad("canonical_solution", f"it fails on an input of the row ({error})") from error
    except (TypeError, ValueError) as error:
        raise row.bad("base_input", f"its tests cannot be made ({error})") from error


def _inputs(row: Row, column: str, is_mbpp: bool) -> list[list[Any]]:
    inputs = row.get(column) or []
    if not isinstance(inputs, list) or not all(isinstance(arguments, list) for arguments in inputs):
        raise row.bad(column, "it must be a list with the list of the arguments of each test")
    if not is_mbpp:
        return inputs
    number = row.text("task_id").rpartition("/")[2]
    if not number.isdecimal():
        raise row.bad("task_id", f"it is {row.text('task_id')!r}, but must end with the number of a problem of MBPP")
    try:
        return [restore_mbpp_input(int(number), arguments) for arguments in inputs]
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise row.bad(column, f"the arguments do not have the form that problem {number} has ({error})") from error
