"""Join a completion with the code that its prompt begins with."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings


# One blank is what some tokenizers put before any text.
_INDENTS = ("  ", "\t")
_FENCES = ("```", "~~~")


def complete_program(starter_code: str, program: str) -> str:
    """
    Make a whole program of the code that a prompt begins with and a completion.

    A base model continues the prompt of HumanEval, and a model that follows instructions writes the function again,
    often without the imports and helper functions of the prompt.

    - If the program begins with an indented line, it continues the starter code.
    - If the program defines the last function of the starter code, what it lacks of the imports and of the other functions of
      the starter code is put before it.
    - If a line without an indent begins with `return`, the program is the body of that function without its indent.
    - Any other program is left as it is.

    Args:
        starter_code (`str`): Column `starter_code` of a problem. An empty one leaves the program as it is.
        program (`str`): Program of a completion.

    Returns:
        `str`: The whole program.
    """
    functions = re.findall(r"^(?:async )?def (\w+)", starter_code, re.MULTILINE)
    if not functions:
        return program
    if continues_function(program):
        return starter_code + program
    defined = set(re.findall(r"^(?:async )?def (\w+)", program, re.MULTILINE))
    if functions[-1] not in defined:
        is_body = re.search(r"^return\b", program, re.MULTILINE) is not None
        return starter_code + textwrap.indent(program, "    ") if is_body else program
    missing = [
        ast.unparse(node)
        for node in _statements(starter_code)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        or (isinstance(node, ast.FunctionDef) and node.name not in {*defined, functions[-1]})
    ]
    return "\n".join([*missing, program])


def continues_function(completion: str) -> bool:
    """
    Whether a completion begins with an indented line, like a body of a function.

    Args:
        completion (`str`): Text of a completion, as the model wrote it.
    """
    first_line = next((line for line in completion.split("\n") if line.strip()), "")
    return first_line.startswith(_INDENTS) and not first_line.lstrip().startswith(_FENCES)


def _statements(starter_code: str) -> list[ast.stmt]:
    """Statements of starter code, whose last function may lack a body."""
    for text in (f"{starter_code}\n    pass\n", starter_code):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(text).body
        except (SyntaxError, ValueError):
            continue
    return []
