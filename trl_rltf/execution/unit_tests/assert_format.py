"""Read tests that are asserts: split them, or choose the process that they run in."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..wire.long_integers import any_number_of_digits
from ..wire.plain_values import decode
from .placement import assumed_imports, built_in_functions, fits_a_referee
from .script_names import BUILT_IN, is_class_name, names_bound_by, names_of_program, nodes_in
from .split_assert import split_assert
from .unit_test import UnitTest, UnitTests


# Parts of a setup whose names the program may not replace.
_OWN_DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Assign)
# Parts of a setup that compare, or that may hold expected values.
_MAY_HOLD_ANSWERS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Assert)


def assert_tests(tests: Mapping[str, Any]) -> UnitTests:
    """
    Read tests of the form `{"asserts": [...], "setup": "..."}`.

    Args:
        tests (`Mapping`): The tests.

    Returns:
        [`~execution.unit_tests.unit_test.UnitTests`]: The tests and the mode in which they run, which depends on their text
        alone.

    Raises:
        ValueError: If the tests are malformed, or if one of them checks nothing.
    """
    asserts, setup = tests["asserts"], tests.get("setup") or ""
    if not isinstance(asserts, list) or not all(isinstance(item, str) for item in asserts):
        raise ValueError("`asserts` of the tests must be a list of strings, one assert statement each.")
    if not asserts:
        raise ValueError("the tests are empty: `asserts` needs at least one statement, or drop the problem.")
    if not isinstance(setup, str):
        raise ValueError(f"`setup` of the tests is a {type(setup).__name__}, but must be a string of Python code.")
    with any_number_of_digits(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = _parse_python(setup, "`setup`") if setup else []
        parsed = [_parse_python(text, f"assert {index}") for index, text in enumerate(asserts)]
    _check_asserts("`setup`", setup, code)
    for index, (text, statements) in enumerate(zip(asserts, parsed, strict=True)):
        _check_assert(index, text, statements)
    names = {name for node in code for name in _functions_and_modules(node)}
    cases = [_split_test(text, statements, names) for text, statements in zip(asserts, parsed, strict=True)]
    script = [*code, *(statement for statements in parsed for statement in statements)]
    used = names_of_program(script)
    required = tuple((name,) for name in used)
    early, late = _split_setup(code)
    own_names = tuple(name for node in early if isinstance(node, _OWN_DEFINITIONS) for name in _bound_in(node))
    built_in = () if used else (*built_in_functions(script), *_imported_names(code))
    may_hold = any(isinstance(node, _MAY_HOLD_ANSWERS) for part in code for node in nodes_in(part))
    # `f(case["input"])`: the variable may also hold the answer.
    bound = {name for node in code for name in _bound_in(node)}
    if bound and not may_hold:
        may_hold = any(_takes_a_part(node, bound) for tests in parsed for part in tests for node in nodes_in(part))
    whole = [case for case in cases if case is not None]
    if len(whole) == len(cases) and not may_hold:
        return UnitTests(
            "expression",
            tuple(whole),
            early_setup=_unparse(early),
            own_names=own_names,
            setup=_unparse(late),
            required=required,
            built_in=built_in,
        )
    assumed = assumed_imports(script)
    if fits_a_referee([*assumed, *script]):
        # All asserts, since they are one script: a test may use the variables of earlier tests.
        imports = _unparse(filter(_is_import, early))
        judged = tuple(UnitTest({}, _is_true, statements=text) for text in asserts)
        setup = "\n".join([_unparse(assumed), setup])
        required = tuple((name,) for name in names_of_program([*assumed, *script]))
        return UnitTests(
            "referee", judged, early_setup=imports, referee_setup=setup, required=required, built_in=built_in
        )
    inside = tuple(UnitTest({"statements": text}, _is_true, statements=text) for text in asserts)
    return UnitTests(
        "inside",
        inside,
        early_setup=_unparse(early),
        own_names=own_names,
        setup=_unparse(late),
        required=required,
        built_in=built_in,
    )


def _unparse(statements: Iterable[ast.stmt]) -> str:
    with any_number_of_digits():
        return "\n".join(map(ast.unparse, statements))


def _is_true(values: list[Any]) -> bool:
    return values[0] is True


def _bound_in(node: ast.stmt) -> list[str]:
    """Names that a statement of the setup binds at module level."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    return list(dict.fromkeys(name for part in nodes_in(node) for name in names_bound_by(part)))


def _takes_a_part(node: ast.AST, names: Collection[str]) -> bool:
    """Whether a node is an item of a variable with one of these names."""
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in names


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _imported_names(code: list[ast.stmt]) -> list[str]:
    return [alias.asname or alias.name for node in code if isinstance(node, ast.ImportFrom) for alias in node.names]


def _split_setup(code: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """
    Split a setup into code that runs before the program and code after it.

    Imports and definitions run first, unless they use a name of the program.
    """
    early: list[ast.stmt] = []
    late: list[ast.stmt] = []
    known: set[str] = set()
    for node in code:
        is_definition = isinstance(
            node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.If, ast.Try)
        )
        if is_definition and all(name in known or name in BUILT_IN for name in _needed_by(node)):
            early.append(node)
            known.update(_bound_in(node))
        else:
            late.append(node)
    return early, late


def _needed_by(node: ast.AST) -> list[str]:
    """
    Names that have to be defined when a statement runs.

    Names in the bodies of functions are not among them.
    """
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
        annotations = [argument.annotation for argument in nodes_in(node.args) if isinstance(argument, ast.arg)]
        parts = [
            *decorators,
            *node.args.defaults,
            *node.args.kw_defaults,
            *annotations,
            getattr(node, "returns", None),
        ]
        return [name for part in parts if part is not None for name in _needed_by(part)]
    if isinstance(node, ast.Name):
        return [node.id] if isinstance(node.ctx, ast.Load) else []
    needed = [name for child in ast.iter_child_nodes(node) for name in _needed_by(child)]
    is_scope = isinstance(
        node, (ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.If, ast.Try)
    )
    own = {name for part in nodes_in(node) for name in names_bound_by(part)} if is_scope else set()
    return [name for name in needed if name not in own]


def _functions_and_modules(node: ast.stmt) -> list[str]:
    """Names that a statement of the setup binds to something that may compare."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.Assign(targets=targets, value=value) if any(map(_calls_a_function, nodes_in(value))):
            return [leaf.id for target in targets for leaf in nodes_in(target) if isinstance(leaf, ast.Name)]
    return []


def _calls_a_function(node: ast.AST) -> bool:
    """
    Whether a node calls a function, whose answer an assert may then compare.

    The call of a class makes an input.
    """
    return isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and is_class_name(node.func.id))


def _parse_python(text: str, name: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name} of the tests is not valid Python: {error}.") from error


def _check_assert(index: int, text: str, statements: list[ast.stmt]) -> None:
    _check_asserts(f"assert {index}", text, statements)
    if not any(map(_can_fail, statements)):
        hint = "write an assert statement, call a function that contains one, or join it with the assert that needs it"
        if any(map(_is_for_scripts, statements)):
            hint = "code under `if __name__ == '__main__'` does not run here, so remove that line"
        raise ValueError(f"assert {index} of the tests ({text[:80]!r}) checks nothing: {hint}.")


def _check_asserts(name: str, text: str, statements: Iterable[ast.stmt]) -> None:
    """Refuse asserts that are always true, such as the assert of a tuple."""
    for node in (node for statement in statements for node in _walk_statements(statement)):
        if isinstance(node, ast.Assert) and (what := _always_true(node.test)):
            raise ValueError(f"{name} of the tests ({text[:80]!r}) is always true: it asserts {what}.")


def _walk_statements(statement: ast.stmt) -> Iterable[ast.AST]:
    """
    Walk over a statement and its parts.

    An assert, the usual case, contains no other statement.
    """
    return [statement] if isinstance(statement, ast.Assert) else nodes_in(statement)


def _always_true(test: ast.expr) -> str:
    match test:
        case ast.Tuple(elts=[_, *_]):
            return "a tuple. Remove the parentheses"
        case ast.List(elts=[_, *_]) | ast.Set(elts=[_, *_]) | ast.Dict(keys=[_, *_]):
            return "a container. Assert something about its items"
        case ast.Lambda() | ast.GeneratorExp():
            return "a function or a generator, which is not run. Call it, or write `all(...)`"
    return ""


def _split_test(text: str, statements: list[ast.stmt], own_names: Collection[str]) -> UnitTest | None:
    """Split one assert into a probe and a check, if that is possible."""
    if len(statements) != 1 or not isinstance(statements[0], ast.Assert):
        return None
    split = split_assert(statements[0].test, text, own_names)
    if split is None:
        return None
    expression, check = split
    return UnitTest({"expression": expression}, lambda values: _judge(check, values[0]), statements=text)


def _is_for_scripts(statement: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    test = statement.test if isinstance(statement, ast.If) else None
    names = {node.id for node in nodes_in(test) if isinstance(node, ast.Name)} if test is not None else set()
    return "__name__" in names


def _can_fail(statement: ast.stmt) -> bool:
    """Whether a statement asserts or calls something, rather than only naming it."""
    if isinstance(statement, ast.Assert):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, (ast.Call, ast.Await))
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return False
    if _is_for_scripts(statement):
        return False
    nodes = list(nodes_in(statement))
    calls = any(isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await)) for node in nodes)
    return calls or any(isinstance(node, (ast.Assert, ast.Raise, ast.With)) for node in nodes)


def _judge(check: Callable[[Any], Any], value: Any) -> bool:
    try:
        return bool(check(decode(value)))
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        # As in Python, `None < 3` raises in the test: a value of the wrong type is a wrong answer.
        return False
