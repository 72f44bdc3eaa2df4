"""Decide from the text of tests whether they can run apart from the program, in a process of their own."""

# Tests fit if they use the program only as functions that take and give plain data, and compare what comes back with what
# they know themselves. All else (classes, exceptions and helpers of the program, state of the interpreter, identity) means
# something only where the program is. The decision never depends on the program.

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Sequence

from .script_names import BUILT_IN, ScriptNames, all_bound, is_class_name, loaded_names, names_bound_by


_FUNCTIONS = frozenset(
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod float format frozenset hex int isinstance len list max min "
    "oct ord pow print range repr round set sorted str sum tuple type".split()
)
_TYPES = frozenset(name for name in _FUNCTIONS if isinstance(getattr(builtins, name), type))
# What these give can be read once, so it is only for a loop, or for a function that reads all of it.
_ITERATOR_MAKERS = frozenset(["enumerate", "filter", "map", "reversed", "zip"])
_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_READING_METHODS = frozenset(
    "all any bit_length capitalize conjugate copy count decode encode endswith find format get index intersection isalnum isalpha "
    "isdigit islower isoformat isspace issubset issuperset isupper items join keys lower lstrip mean most_common partition "
    "replace rfind rsplit rstrip split splitlines startswith strip swapcase title tolist union upper values zfill".split()
)
_CHANGING_METHODS = frozenset("add append clear discard extend insert pop popleft remove reverse sort update".split())
_ARRAY_ATTRIBUTES = frozenset(["dtype", "ndim", "shape", "size"])
_NUMPY = (
    "allclose array array_equal asarray isclose isnan abs all any arange linspace zeros ones sum mean sort round testing "
    "assert_allclose assert_array_equal assert_almost_equal assert_array_almost_equal linalg norm nan inf pi ndarray bool_ "
    "float32 float64 int32 int64"
)
# Modules that a test may use, and what of them (`None`: all). Nothing there keeps state that the program would see.
_MODULES: dict[str, frozenset[str] | None] = {
    "cmath": None,
    "collections": frozenset(["Counter", "OrderedDict", "deque"]),
    "copy": frozenset(["copy", "deepcopy"]),
    "datetime": frozenset(["date", "datetime", "time", "timedelta"]),
    "decimal": frozenset(["Decimal"]),
    "fractions": frozenset(["Fraction"]),
    "json": frozenset(["dumps", "loads"]),
    "math": None,
    "numpy": frozenset(_NUMPY.split()),
    "random": frozenset(["randint", "random", "uniform", "choice", "sample", "shuffle"]),
    "string": None,
    "typing": None,
}
_NODES = tuple(
    getattr(ast, name)
    for name in (
        "Assert Assign AnnAssign AugAssign Break Continue Expr For FunctionDef If Import ImportFrom Pass Raise Return Try While "
        "ExceptHandler arguments arg Attribute BinOp BoolOp Call Compare Constant Dict DictComp FormattedValue GeneratorExp IfExp "
        "JoinedStr Lambda List ListComp Name NamedExpr Set SetComp Slice Starred Subscript Tuple UnaryOp comprehension keyword "
        "expr_context boolop operator unaryop cmpop"
    ).split()
)
_FOR_READERS = frozenset(["METADATA"])  # of HumanEval, which no test uses


class _DoesNotFit(Exception):
    pass


def built_in_functions(parts: Iterable[ast.AST]) -> list[str]:
    """
    Built-in functions that parts of tests use and do not bind; a program may define one of its own by such a name. Those
    that people hardly write themselves (`getattr`, `iter`, `open`) count as well.
    """
    nodes = [node for part in parts for node in ast.walk(part)]
    bound = {name for node in nodes for name in names_bound_by(node)}
    return [name for name in loaded_names(nodes) if name not in bound and name in BUILT_IN - _ERRORS]


def assumed_imports(script: Iterable[ast.stmt]) -> list[ast.stmt]:
    """
    Imports of modules that tests use and leave to the program to import, such as `math.isclose` and `np.allclose`. What
    compares is never the program's, so a referee imports them itself.
    """
    nodes = [node for statement in script for node in ast.walk(statement)]
    bases = loaded_names(node.value for node in nodes if isinstance(node, ast.Attribute))
    known = {name: name for name in _MODULES} | {"np": "numpy"}
    names = [name for name in bases if name in known and name not in all_bound(nodes)]
    return [ast.Import([ast.alias(known[name], None if name == known[name] else name)]) for name in names]


def fits_a_referee(script: Sequence[ast.stmt]) -> bool:
    """
    Whether tests can run in a process of their own, where the program is not.

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
    What tests may do that run apart from the program.

    Args:
        statements (`Sequence[ast.stmt]`): All of them, which run one after the other with the same variables.
    """

    def __init__(self, statements: Sequence[ast.stmt]):
        self._names = ScriptNames(statements)
        self._references: set[ast.AST] = set()  # functions that are handed over to be called
        self._readers: set[ast.AST] = set()  # expressions that are read once, from the first item to the last
        self._is_tried = False

    def check(self) -> None:
        """
        Look at all of it.

        Raises:
            _DoesNotFit: At the first part that cannot run apart from the program.
        """
        # A program may be asked for a function with a built-in name: only in its own process is that known.
        self._demand(self._names.uses_program())
        self._check_order()
        self._visit_all(self._names.statements)

    def _check_order(self) -> None:
        """A name of the tests must not be the program's before, nor be bound for the program to read."""
        loaded: set[str] = set()
        known: set[str] = set()
        kept: set[str] = set()
        for statement in self._names.statements:
            names, new = set(loaded_names(ast.walk(statement))), all_bound([statement])
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
        if not isinstance(node, _NODES):
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
            self._demand(node.attr in _ARRAY_ATTRIBUTES or node in self._references)
            self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        # What the program returned may be its own still.
        self._demand(isinstance(node.ctx, ast.Load) or not self._names.is_answer(node.value))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        # `[[0]] * 3` is one list three times.
        lists = [part.elts for part in (node.left, node.right) if isinstance(part, (ast.List, ast.Tuple))]
        self._demand(all(isinstance(item, (ast.Constant, ast.UnaryOp)) for items in lists for item in items))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if isinstance(operator, (ast.Is, ast.IsNot)):
                self._demand(_is_single(left) or _is_single(right))
            # Otherwise the test expects nothing of its own, and only the program can say what is equal.
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
        # Two names for one list, or a list in another: whether a program changes it or replaces it cannot be told from copies.
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
        # A call whose value is not used is there for what it changes, or raises.
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
            # A class makes objects; and a function that is given an answer may be one that judges it.
            self._demand(not is_class_name(name) and not any(map(self._names.is_answer, arguments)))
            # One list given twice is two lists in another process.
            given = [argument.id for argument in arguments if isinstance(argument, ast.Name)]
            self._demand(len(set(given)) == len(given))
        elif self._names.is_own_function(node.func):
            self._references |= {argument for argument in arguments if self._names.is_of_program(argument)}
        elif self._names.path(node.func):
            self._readers.update(arguments)
        elif isinstance(node.func, ast.Attribute):
            is_own = not self._names.is_answer(node.func.value) and not any(map(self._names.is_answer, arguments))
            allowed = _READING_METHODS | _CHANGING_METHODS if is_own else _READING_METHODS
            self._demand(node.func.attr in allowed)
            self._readers.update(arguments)
        else:
            is_read = name in _FUNCTIONS or (name in _ITERATOR_MAKERS and node in self._readers)
            self._demand(is_read and self._names.is_built_in(name))
            self._check_functions(name, node)
        self.generic_visit(node)

    def _check_functions(self, name: str, call: ast.Call) -> None:
        """Of a call of a built-in function: what it is given to call, and what it reads."""
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
                isinstance(function, ast.Name) and function.id in _FUNCTIONS and self._names.is_built_in(function.id)
            )
            self._demand(is_known or is_type or (name == "map" and self._names.is_of_program(function)))
        self._references.update(given)
        self._readers.update(
            argument.value if isinstance(argument, ast.Starred) else argument for argument in call.args
        )

    def _check_errors(self, node: ast.expr | None) -> None:
        for error in node.elts if isinstance(node, ast.Tuple) else [node]:
            is_name = isinstance(error, ast.Name) and error.id in _ERRORS and self._names.is_built_in(error.id)
            self._demand(error is None or is_name)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _is_allowed(path: tuple[str, ...]) -> bool:
    """Whether a test may use a module, or something of it."""
    names = _MODULES.get(path[0], frozenset())
    return path[0] in _MODULES and (names is None or names.issuperset(path[1:])) and path[-1] != "*"


def _is_single(node: ast.expr) -> bool:
    """Whether an operand is the same object everywhere: `None`, `True`, `...` or a built-in type."""
    if isinstance(node, ast.Constant):
        return node.value is None or node.value is ... or isinstance(node.value, bool)
    return isinstance(node, ast.Name) and node.id in _TYPES


def _uses_variables(call: ast.expr) -> bool:
    """Whether the arguments of a call use variables."""
    return any(isinstance(node, ast.Name) and node is not getattr(call, "func", None) for node in ast.walk(call))
