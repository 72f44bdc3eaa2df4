"""Resolve the names in tests, and find the variables that hold answers."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence


# Without the names that an interactive interpreter adds: the caller's interpreter must not change how a test runs.
BUILT_IN = frozenset(vars(builtins)) - {"_", "display", "get_ipython"}
_BINDERS = frozenset(
    [
        *(ast.Name, ast.arg, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom),
        *(ast.ExceptHandler, ast.MatchAs, ast.MatchStar),
    ]
)
# A variable of the tests: the function that it is local to (or `None`), and its name.
Variable = tuple[str | None, str]


def nodes_in(root: ast.AST) -> list[ast.AST]:
    """
    List a node and its parts, in the order of `ast.walk`.

    This takes half the time of `ast.walk`, which is most of the time to read an assert.
    """
    nodes = [root]
    for node in nodes:  # which grows meanwhile
        for name in node._fields:
            part = getattr(node, name, None)
            if isinstance(part, ast.AST):
                nodes.append(part)
            elif isinstance(part, list):
                nodes += [item for item in part if isinstance(item, ast.AST)]
    return nodes


def names_bound_by(node: ast.AST) -> Iterator[str]:
    """Names that a node binds, without names that its parts bind."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name


def loaded_names(nodes: Iterable[ast.AST]) -> dict[str, None]:
    """Names that nodes read, without names that their parts read."""
    return dict.fromkeys(n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def is_class_name(name: str) -> bool:
    """Whether a name looks like a class: `Stack`, but not `Find_Max` of MBPP."""
    return name[:1].isupper() and "_" not in name


def all_bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that nodes and their parts bind."""
    return _bound({node for root in nodes for node in nodes_in(root)})


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    return {name for node in nodes if type(node) in _BINDERS for name in names_bound_by(node)}


def names_of_program(parts: Iterable[ast.AST]) -> list[str]:
    """
    List the names that the program has to define.

    The tests use them and do not bind them, and they are not built-in.

    Args:
        parts (`Iterable[ast.AST]`): Statements or expressions.

    Returns:
        `list[str]`: Names, in the order of their first use.
    """
    nodes = [node for part in parts for node in nodes_in(part)]
    used = [name for name in loaded_names(nodes) if name not in BUILT_IN]
    bound = _bound(nodes)
    return [name for name in used if name not in bound]


class ScriptNames:
    """
    Names of tests that run one after the other with the same variables.

    Args:
        statements (`Sequence[ast.stmt]`): All statements of the tests.

    Attributes:
        functions (`dict[str, ast.FunctionDef]`): Functions that the tests define.
        modules (`dict[str, tuple[str, ...]]`): Dotted path of each imported name.
        bound (`dict[str | None, set[str]]`): Names that each function binds, and, for `None`, those outside of functions.
        function (`str` or `None`): Function of the tests in which names are resolved now.
        callables (`set[Variable]`): Parameters that get functions of the program.
        answers (`set[Variable]`): Variables that hold answers of the program.
    """

    def __init__(self, statements: Sequence[ast.stmt]):
        self.statements = statements
        self.functions = {node.name: node for node in statements if isinstance(node, ast.FunctionDef)}
        self.modules: dict[str, tuple[str, ...]] = {}
        for node in (node for statement in statements for node in nodes_in(statement)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    parents = str(node.module).split(".") if isinstance(node, ast.ImportFrom) else []
                    path = alias.name if alias.asname or parents else alias.name.partition(".")[0]
                    self.modules[alias.asname or path] = (*parents, *path.split("."))
        self.bound: dict[str | None, set[str]] = {name: all_bound([node]) for name, node in self.functions.items()}
        self.bound[None] = all_bound(node for node in statements if not isinstance(node, ast.FunctionDef))
        self.function: str | None = None
        self.callables: set[Variable] = set()
        self.answers: set[Variable] = set()
        self._nodes = [
            (statement.name if isinstance(statement, ast.FunctionDef) else None, node)
            for statement in statements
            for node in nodes_in(statement)
            if isinstance(node, (ast.stmt, ast.Call, ast.NamedExpr, ast.comprehension, ast.ExceptHandler))
        ]
        size = -1
        while size != (size := len(self.callables) + len(self.answers)):
            for function, node in self._nodes:
                self.function = function
                self._follow(node)
        self.function = None

    def uses_program(self) -> bool:
        """Whether the tests call a function of the program."""
        is_used = False
        for function, node in self._nodes:
            self.function = function
            is_used = is_used or self.is_call_of_program(node)
        self.function = None
        return is_used

    def variable(self, name: str) -> Variable | None:
        """Variable of the tests that a name stands for, or `None`."""
        if self.function is not None and name in self.bound[self.function] - {self.function, *self.modules}:
            return self.function, name
        return (None, name) if name in self.bound[None] - self.modules.keys() else None

    def is_built_in(self, name: str) -> bool:
        """Whether a name stands for a built-in object."""
        return name in BUILT_IN and not (self.variable(name) or name in {*self.functions, *self.modules})

    def is_of_program(self, node: ast.AST) -> bool:
        """Whether a node is the name of a function of the program."""
        if not isinstance(node, ast.Name) or self.variable(node.id) is not None:
            return isinstance(node, ast.Name) and self.variable(node.id) in self.callables
        return not (node.id in self.functions or node.id in self.modules or node.id in BUILT_IN)

    def is_own_function(self, node: ast.AST) -> bool:
        """Whether a node is the name of a function that the tests define."""
        return isinstance(node, ast.Name) and node.id in self.functions and self.variable(node.id) is None

    def is_call_of_program(self, node: ast.AST) -> bool:
        """Whether a node calls a function of the program, also through `map` or `filter`."""
        match node:
            case ast.Call(func=ast.Name(id="map" | "filter"), args=[function, *_]) if self.is_of_program(function):
                return True
            case ast.Call(func=function):
                return self.is_of_program(function)
        return False

    def path(self, node: ast.AST) -> tuple[str, ...]:
        """
        Dotted path of a name in a module, or an empty tuple.

        An example is `("numpy", "testing", "assert_allclose")`.
        """
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names, node = [node.attr, *names], node.value
        if isinstance(node, ast.Name) and node.id in self.modules and self.variable(node.id) is None:
            return (*self.modules[node.id], *names)
        return ()

    def is_answer(self, node: ast.AST) -> bool:
        """Whether an expression is computed from an answer of the program."""
        return any(
            self.is_call_of_program(part)
            or (isinstance(part, ast.Call) and self.is_own_function(part.func))
            or (isinstance(part, ast.Name) and self.variable(part.id) in self.answers)
            for part in nodes_in(node)
        )

    def _follow(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value)
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.AugAssign(target=target, value=value)
                | ast.NamedExpr(target=target, value=value)
                | ast.For(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ):
                self._bind(target, value)
            case ast.ExceptHandler(name=str(name)):
                self.answers |= {variable for variable in [self.variable(name)] if variable}
            case ast.Call(func=ast.Name(id=name)) if self.is_own_function(node.func):
                arguments = self.functions[name].args
                parameters = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]]
                given = [*zip(parameters, node.args, strict=False), *((str(k.arg), k.value) for k in node.keywords)]
                self.callables |= {(name, parameter) for parameter, value in given if self.is_of_program(value)}
                self.answers |= {(name, parameter) for parameter, value in given if self.is_answer(value)}

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Tuple(elts=targets), ast.Call(func=ast.Name(id="zip"), args=values) if len(targets) == len(
                values
            ):
                for pair in zip(targets, values, strict=True):
                    self._bind(*pair)
            case ast.Tuple(elts=[_, item]), ast.Call(func=ast.Name(id="enumerate"), args=[values, *_]):
                self._bind(item, values)
            case _ if self.is_answer(value):
                found = (self.variable(node.id) for node in nodes_in(target) if isinstance(node, ast.Name))
                self.answers |= {variable for variable in found if variable}
