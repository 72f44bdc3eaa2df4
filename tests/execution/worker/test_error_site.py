"""Each row of the table of errors in docs/rewards.md has an example here, with its scope and its place."""

import pytest
from support import SUM_TESTS, span_at

from trl_rltf.execution import Program
from trl_rltf.rewards import ErrorScope, error_scope


LINE, GLOBAL, IGNORE = ErrorScope.LINE, ErrorScope.GLOBAL, ErrorScope.IGNORE

# source, error type, scope, statement, expression
TABLE = {
    "a list index": ("x = [1]\nx[3]", "IndexError", LINE, span_at(2, 0, 2, 4), span_at(2, 0, 2, 4)),
    "a type": ("a = 1\nb = a + 'x'", "TypeError", LINE, span_at(2, 0, 2, 11), span_at(2, 4, 2, 11)),
    "a value": ("n = int('x')", "ValueError", LINE, span_at(1, 0, 1, 12), span_at(1, 4, 1, 12)),
    "a name": ("x = 1 + y", "NameError", LINE, span_at(1, 0, 1, 9), span_at(1, 8, 1, 9)),
    "a key": ("d = {}\nprint(d['a'])", "KeyError", LINE, span_at(2, 0, 2, 13), span_at(2, 6, 2, 12)),
    "an attribute": ("x = [].push(1)", "AttributeError", LINE, span_at(1, 0, 1, 14), span_at(1, 4, 1, 11)),
    "a division": (
        "x = 3\nif x / 0 > 1:\n    x = 4",
        "ZeroDivisionError",
        LINE,
        span_at(2, 0, 2, 13),
        span_at(2, 3, 2, 8),
    ),
    "a module": ("import nothing_here", "ModuleNotFoundError", LINE, span_at(1, 0, 1, 19), span_at(1, 0, 1, 19)),
    "an assertion": ("x = 1\nassert x == 2", "AssertionError", LINE, span_at(2, 0, 2, 13), span_at(2, 7, 2, 13)),
    "the end of the input": ("while True:\n    input()", "EOFError", LINE, span_at(2, 4, 2, 11), span_at(2, 4, 2, 11)),
    "the deepest frame": (
        "def f(v):\n    return v[9]\nf([])",
        "IndexError",
        LINE,
        span_at(2, 4, 2, 15),
        span_at(2, 11, 2, 15),
    ),
    "a loop header": ("for i in 5:\n    print(i)", "TypeError", LINE, span_at(1, 0, 1, 11), None),
    "a statement over lines": (
        "x = [\n    1,\n    int('a'),\n]",
        "ValueError",
        LINE,
        span_at(1, 0, 4, 1),
        span_at(3, 4, 3, 12),
    ),
    "raised by the program": (
        "raise RuntimeError('no')",
        "RuntimeError",
        LINE,
        span_at(1, 0, 1, 24),
        span_at(1, 0, 1, 24),
    ),
    "a timeout raised by the program": (
        "raise TimeoutError",
        "TimeoutError",
        LINE,
        span_at(1, 0, 1, 18),
        span_at(1, 0, 1, 18),
    ),
    "an except clause": (
        "try:\n    1 / 0\nexcept Foo:\n    pass",
        "NameError",
        LINE,
        span_at(3, 0, 3, 11),
        span_at(3, 7, 3, 10),
    ),
    "a decorator": ("@nothing\ndef f():\n    pass", "NameError", LINE, span_at(1, 0, 2, 8), span_at(1, 1, 1, 8)),
    "a library function": (
        "import json\njson.loads('{')",
        "JSONDecodeError",
        LINE,
        span_at(2, 0, 2, 15),
        span_at(2, 0, 2, 15),
    ),
    "a syntax error": ("x = 1\ny = = 2\nz = 3", "SyntaxError", LINE, span_at(2, 0, 2, 7), span_at(2, 4, 2, 5)),
    "a missing colon": ("if True\n    x = 1\ny = 2", "SyntaxError", LINE, span_at(1, 0, 1, 7), span_at(1, 7, 1, 8)),
    "an operand is missing": ("x = 1 +\ny = 2", "SyntaxError", LINE, span_at(1, 0, 1, 7), span_at(1, 7, 1, 8)),
    "an unexpected indent": ("x = 1\n    y = 2", "IndentationError", LINE, span_at(2, 4, 2, 9), None),
    "a block that is missing inside": ("def f():\nx = 1\n", "IndentationError", LINE, span_at(2, 0, 2, 5), None),
    "a return outside": ("class A:\n    return 1", "SyntaxError", LINE, span_at(2, 4, 2, 12), None),
    "a null byte": ("x = 1\ny = '\0'\n", "ValueError|SyntaxError", LINE, span_at(2, 0, 2, 7), None),
    "a timeout": ("while True:\n    pass", "TimeoutError", GLOBAL, None, None),
    "a recursion": ("def f():\n    f()\nf()", "RecursionError", GLOBAL, None, None),
    "truncated in an expression": ("x = 1\nprint(x, [1, 2", "SyntaxError", GLOBAL, None, None),
    "truncated in a header": ("x = 1\nfor i in range(3):", "IndentationError|SyntaxError", GLOBAL, None, None),
    "truncated in a body": ("def f(x):\n    if x:\n", "IndentationError", GLOBAL, None, None),
    "an unterminated triple quote": ("x = 1\ny = '''abc", "SyntaxError", IGNORE, None, None),
    "tabs and blanks": ("if True:\n\tx = 1\n        y = 2", "TabError", IGNORE, None, None),
    "a dedent that fits nothing": ("if True:\n        x = 1\n    y = 2", "IndentationError", IGNORE, None, None),
    "an argument twice": ("def f(a, a):\n    pass", "SyntaxError", IGNORE, None, None),
    "import * in a function": ("def f():\n    from math import *", "SyntaxError", IGNORE, None, None),
    "raised by the interpreter": ("d = {1: 1}\nfor k in d:\n    d[k + 1] = 1", "RuntimeError", IGNORE, None, None),
    "a signal": ("import os\nos.kill(os.getpid(), 11)", "SIGSEGV", IGNORE, None, None),
    "an exit code": ("import os\nos._exit(3)", "SystemExit", IGNORE, None, None),
    "a wrong answer": ("print('no')", "None", IGNORE, None, None),
}


@pytest.mark.parametrize("name", TABLE)
def test_an_error_has_the_scope_and_the_place_of_the_table(runner, name):
    source, error_type, scope, statement, expression = TABLE[name]
    report = runner.run([Program(source, SUM_TESTS)])[0]
    assert str(report.error_type) in error_type.split("|")
    assert error_scope(report) is scope, report
    if scope is LINE:
        assert report.span == statement
        if expression is not None:
            assert report.expression_span == expression


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(runner, end):
    source = f"x = 'a\x0cb\u2028c'{end}y = 1{end}z = x[99]{end}"
    assert runner.run([Program(source, SUM_TESTS)])[0].span == span_at(3, 0, 3, 9)


def test_a_byte_order_mark_moves_the_first_line_by_one_character(runner):
    sources = ("x = 1 + y", "x = = 1", "\nx = 1 + y", "def f(:")
    for source in sources:
        plain, marked = runner.run([Program(source, SUM_TESTS), Program("\ufeff" + source, SUM_TESTS)])
        shift = int(plain.span.line == 1)
        assert marked.span == span_at(
            plain.span.line, plain.span.column + shift, plain.span.end_line, plain.span.end_column + shift
        )
