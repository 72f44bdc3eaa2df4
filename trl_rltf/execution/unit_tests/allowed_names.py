"""List the syntax and the names that tests may use apart from the program."""

from __future__ import annotations

import ast
import builtins


READING_FUNCTIONS = frozenset(
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod float format frozenset hex int isinstance len list max min "
    "oct ord pow print range repr round set sorted str sum tuple type".split()
)
BUILT_IN_TYPES = frozenset(name for name in READING_FUNCTIONS if isinstance(getattr(builtins, name), type))
# Their results can be read only once, so only a loop, or a function that reads everything, may get them.
ITERATOR_MAKERS = frozenset(["enumerate", "filter", "map", "reversed", "zip"])
BUILT_IN_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
READING_METHODS = frozenset(
    "all any bit_length capitalize conjugate copy count decode encode endswith find format get index intersection isalnum isalpha "
    "isdigit islower isoformat isspace issubset issuperset isupper items join keys lower lstrip mean most_common partition "
    "replace rfind rsplit rstrip split splitlines startswith strip swapcase title tolist union upper values zfill".split()
)
CHANGING_METHODS = frozenset("add append clear discard extend insert pop popleft remove reverse sort update".split())
ARRAY_ATTRIBUTES = frozenset(["dtype", "ndim", "shape", "size"])
_NUMPY = (
    "allclose array array_equal asarray isclose isnan abs all any arange linspace zeros ones sum mean sort round testing "
    "assert_allclose assert_array_equal assert_almost_equal assert_array_almost_equal linalg norm nan inf pi ndarray bool_ "
    "float32 float64 int32 int64"
)
# Modules that a test may use, and the names in them (`None`: all). They keep no state that the program could see.
MODULES: dict[str, frozenset[str] | None] = {
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
SYNTAX = tuple(
    getattr(ast, name)
    for name in (
        "Assert Assign AnnAssign AugAssign Break Continue Expr For FunctionDef If Import ImportFrom Pass Raise Return Try While "
        "ExceptHandler arguments arg Attribute BinOp BoolOp Call Compare Constant Dict DictComp FormattedValue GeneratorExp IfExp "
        "JoinedStr Lambda List ListComp Name NamedExpr Set SetComp Slice Starred Subscript Tuple UnaryOp comprehension keyword "
        "expr_context boolop operator unaryop cmpop"
    ).split()
)
