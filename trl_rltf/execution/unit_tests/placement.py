"""
Decide from the text of tests whether they can run apart from the program.

They can if they use the program only as functions that take and return plain data, and compare each answer with values of the
tests. Everything else (classes, exceptions and helpers of the program, state of the interpreter, identity) has a meaning only in
the process of the program. The decision never depends on the program.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from .allowed_names import (
    ARRAY_ATTRIBUTES,
    BUILT_IN_ERRORS,
    BUILT_IN_TYPES,
    CHANGING_METHODS,
    ITERATOR_MAKERS,
    MODULES,
    READING_FUNCTIONS,
    READING_METHODS,
    SYNTAX,
)
from .script_names import (
    BUILT_IN,
    ScriptNames,
    all_bound,
    is_class_name,
    loaded_names,
    names_bound_by,
    nodes_in,
)


_FOR_READERS = frozenset(["METADATA"])  # of HumanEval, which no test uses


class _DoesNotFit(Exception):
    """A part of the tests cannot run apart from the program."""


def built_in_functions(parts: Iterable[ast.AST]) -> list[str]:
    """
    List the built-in functions that parts of tests use and do not bind.

    A program may define a function by such a name. Names that are rarely redefined (`getattr`, `iter`, `open`) count as well.
    """
    nodes = [node for part in parts for node in nodes_in(part)]
    bound = {name for node in nodes for name in names_bound_by(node)}
    return [name for name in loaded_names(nodes) if name not in bound and name in BUILT_IN - BUILT_IN_ERRORS]


def assumed_imports(script: Iterable[ast.stmt]) -> list[ast.stmt]:
    """
    Make the import statements that tests lack for modules such as `math` and `np`.

    Such tests expect that the program imports the module. A function that compares must not come from the program, so a
    referee imports it itself.
    """
    nodes = [node for statement in script for node in nodes_in(statement)]
    bases = loaded_names(node.value for node in nodes if isinstance(node, ast.Attribute))
    known = {name: name for name in MODULES} | {"np": "numpy"}
    names = [name for name in bases if name in known and name not in all_bound(nodes)]
    return [ast.Import([ast.alias(known[name], None if name == known[name] else name)]) for name in names]


def fits_a_referee(script: Sequence[ast.stmt]) -> bool:
    """
    Whether tests can run in a separate process, away from the program.

    Args:
        script (`Sequence[ast.stmt]`): The statements of the setup and of all asserts, in order.

    Returns:
        `bool`: Whether all of them can.
    """
    try:
        _Rules(script).check()
    except _DoesNotFit:
        return False
    return True


class _Rules(ast.NodeVisitor):
    """
    Rules for tests that run apart from the program.

    Args:
        statements (`Sequence[ast.stmt]`): All statements, which run one after the other with the same variables.
    """

    def __init__(self, statements: Sequence[ast.stmt]):
        self._names = ScriptNames(statements)
        self._references: set[ast.AST] = set()  # functions that are passed on, to be called
        self._readers: set[ast.AST] = set()  # expressions that are read once, from the first item to the last
        self._is_tried = False

    def check(self) -> None:
        """
        Check all statements.

        Raises:
            _DoesNotFit: At the first part that cannot run apart from the program.
        """
        # The tests may call a function of the program that has a built-in name. Whether the program defines the name
        # is known only in its process.
        self._demand(self._names.uses_program())
        self._check_order()
        self._visit_all(self._names.statements)

    def _check_order(self) -> None:
        """
        Check which names belong to the program and which to the tests.

        No name may change from the program to the tests, and the program may read no name of the tests.
        """
        loaded: set[str] = set()
        known: set[str] = set()
        kept: set[str] = set()
        for statement in self._names.statements:
            names, new = set(loaded_names(nodes_in(statement))), all_bound([statement])
            targets: set[str] = set()
            if isinstance(statement, ast.FunctionDef):
                targets = new = {statement.name}
                names -= self._names.bound[statement.name]
            elif isinstance(statement, ast.Assign):
                targets = all_bound(statement.targets)
            elif isinstance(statement, ast.AnnAssign):
                targets = all_bound([statement.target])
            if (loaded & (new - known)) or (names & (targets - known)):
                raise _DoesNotFit
            kept |= {name for name in targets if (None, name) not in self._names.answers}
            loaded, known = loaded | names, known | new
        if kept - loaded - _FOR_READERS:
            raise _DoesNotFit

    def visit(self, node: ast.AST) -> None:
        if not isinstance(node, SYNTAX):
            raise _DoesNotFit
        super().visit(node)

    def _demand(self, is_allowed: object) -> None:
        if not is_allowed:
            raise _DoesNotFit

    def visit_Name(self, node: ast.Name) -> None:
        variable = self._names.variable(node.id)
        is_data = variable is not None and variable not in self._names.callables
        self._demand(is_data or node in self._references)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._demand(isinstance(node.ctx, ast.Load))
        if self._names.path(node):
            self._demand(_is_allowed(self._names.path(node)))
        else:
            self._demand(node.attr in ARRAY_ATTRIBUTES or node in self._references)
            self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        # The program may still hold a value that it returned.
        self._demand(isinstance(node.ctx, ast.Load) or not self._names.is_answer(node.value))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        # `[[0]] * 3` holds one list three times.
        lists = [part.elts for part in (node.left, node.right) if isinstance(part, (ast.List, ast.Tuple))]
        self._demand(all(isinstance(item, (ast.Constant, ast.UnaryOp)) for items in lists for item in items))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if isinstance(operator, (ast.Is, ast.IsNot)):
                self._demand(_is_single(left) or _is_single(right))
            # Two answers: the test holds no expected value, and only the program can compare them.
            self._demand(not (self._names.is_answer(left) and self._names.is_answer(right)))
        for operand in operands:
            if not (_is_single(operand) and self._names.variable(getattr(operand, "id", "")) is None):
                self.visit(operand)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._demand(node in self._readers)
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._demand(node in self._references)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._demand(not node.is_async)
        self._readers.add(node.iter)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._readers.add(node.iter)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        # Two names for one list, or a list in another: copies do not show whether a program changed it or replaced it.
        parts = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple, ast.Set)) else [node.value]
        is_shared = any(
            isinstance(part, (ast.Name, ast.Subscript)) and not self._names.is_answer(part) for part in parts
        )
        self._demand(not is_shared)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.target, *([node.value] if node.value else [])])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._demand(not self._names.is_answer(node.target) or isinstance(node.value, ast.Constant))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        # A call whose value is not used is there for a change or an exception.
        is_effect = self._names.is_call_of_program(node.value) and not (
            self._is_tried and not _uses_variables(node.value)
        )
        self._demand(not is_effect)
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        before, self._is_tried = self._is_tried, True
        self._visit_all(node.body)
        self._is_tried = before
        self._visit_all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._check_errors(node.type)
        self._visit_all(node.body)

    def visit_Raise(self, node: ast.Raise) -> None:
        call = node.exc if isinstance(node.exc, ast.Call) else None
        self._check_errors(node.exc if call is None else call.func)
        self._demand(node.cause is None)
        self._visit_all(call.args if call is not None else [])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._demand(
            not node.decorator_list and self._names.functions.get(node.name) is node and self._names.function is None
        )
        self._names.function = node.name
        self._visit_all([*node.args.defaults, *(value for value in node.args.kw_defaults if value), *node.body])
        self._names.function = None

    def visit_Import(self, node: ast.Import) -> None:
        self._demand(all(_is_allowed(tuple(alias.name.split("."))) for alias in node.names))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._demand(all(_is_allowed((*str(node.module).split("."), alias.name)) for alias in node.names))

    def visit_Call(self, node: ast.Call) -> None:
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        self._references.add(node.func)
        if self._names.is_of_program(node.func):
            # A class makes objects, and a function that gets an answer may decide whether it is right.
            self._demand(not is_class_name(name) and not any(map(self._names.is_answer, arguments)))
            # One list that is passed twice becomes two lists in another process.
            given = [argument.id for argument in arguments if isinstance(argument, ast.Name)]
            self._demand(len(set(given)) == len(given))
        elif self._names.is_own_function(node.func):
            self._references |= {argument for argument in arguments if self._names.is_of_program(argument)}
        elif self._names.path(node.func):
            self._readers.update(arguments)
        elif isinstance(node.func, ast.Attribute):
            is_own = not self._names.is_answer(node.func.value) and not any(map(self._names.is_answer, arguments))
            allowed = READING_METHODS | CHANGING_METHODS if is_own else READING_METHODS
            self._demand(node.func.attr in allowed)
            self._readers.update(arguments)
        else:
            is_read = name in READING_FUNCTIONS or (name in ITERATOR_MAKERS and node in self._readers)
            self._demand(is_read and self._names.is_built_in(name))
            self._check_functions(name, node)
        self.generic_visit(node)

    def _check_functions(self, name: str, call: ast.Call) -> None:
        """
        Check the functions that a built-in function gets to call.

        It also records the arguments that the built-in function reads.
        """
        given = [keyword.value for keyword in call.keywords if keyword.arg == "key"]
        if name in ("map", "filter"):
            given += call.args[:1]
            self._demand(
                not self._names.is_call_of_program(call) or not any(map(self._names.is_answer, call.args[1:]))
            )
        if name == "isinstance":
            types = call.args[1:]
            given += [part for kind in types for part in (kind.elts if isinstance(kind, ast.Tuple) else [kind])]
        for function in given:
            is_known = (
                isinstance(function, ast.Lambda) or self._names.path(function) or self._names.is_own_function(function)
            )
            is_type = (
                isinstance(function, ast.Name)
                and function.id in READING_FUNCTIONS
                and self._names.is_built_in(function.id)
            )
            self._demand(is_known or is_type or (name == "map" and self._names.is_of_program(function)))
        self._references.update(given)
        self._readers.update(
            argument.value if isinstance(argument, ast.Starred) else argument for argument in call.args
        )

    def _check_errors(self, node: ast.expr | None) -> None:
        for error in node.elts if isinstance(node, ast.Tuple) else [node]:
            is_name = isinstance(error, ast.Name) and error.id in BUILT_IN_ERRORS and self._names.is_built_in(error.id)
            self._demand(error is None or is_name)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _is_allowed(path: tuple[str, ...]) -> bool:
    """Whether a test may use a module, or a name in it."""
    names = MODULES.get(path[0], frozenset())
    return path[0] in MODULES and (names is None or names.issuperset(path[1:])) and path[-1] != "*"


def _is_single(node: ast.expr) -> bool:
    """
    Whether an operand is the same object in each process.

    Such objects are `None`, `True`, `False`, `...` and the built-in types.
    """
    if isinstance(node, ast.Constant):
        return node.value is None or node.value is ... or isinstance(node.value, bool)
    return isinstance(node, ast.Name) and node.id in BUILT_IN_TYPES


def _uses_variables(call: ast.expr) -> bool:
    """Whether the arguments of a call use variables."""
    return any(isinstance(node, ast.Name) and node is not getattr(call, "func", None) for node in nodes_in(call))
