"""Names in tests are resolved: what belongs to the program, and what holds its answers."""

import ast
from pathlib import Path

import pytest

from trl_rltf.execution.unit_tests.script_names import (
    ScriptNames,
    is_class_name,
    names_bound_by,
    names_of_program,
    nodes_in,
)


def names_in(text):
    return ScriptNames(ast.parse(text).body)


def expression(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("x = 1", []),  # the target binds, not the statement
        ("def f(a): b = 1", ["f"]),
        ("class A: b = 1", ["A"]),
        ("import numpy.linalg, math as m", ["numpy", "m"]),
        ("from math import sqrt as root, pi", ["root", "pi"]),
    ],
)
def test_a_statement_binds_names_itself(text, bound):
    assert list(names_bound_by(ast.parse(text).body[0])) == bound


@pytest.mark.parametrize(
    ("name", "is_class"), [("Stack", True), ("Find_Max", False), ("f", False), ("A", True), ("", False)]
)
def test_a_class_is_recognized_by_its_name(name, is_class):
    assert is_class_name(name) is is_class


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("assert f(g(1)) == 2", ["f", "g"]),
        ("x = f(1)\nassert x == len(y)", ["f", "y"]),
        ("import math\nassert math.sqrt(f(4)) == 2", ["f"]),
        ("assert [f(i) for i in range(3)]", ["f"]),
        ("def check(c):\n    assert c(1)\ncheck(f)", ["f"]),
    ],
)
def test_names_that_are_used_and_not_bound_belong_to_the_program(text, names):
    assert names_of_program(ast.parse(text).body) == names


def test_variables_that_hold_answers_are_followed():
    names = names_in(
        "x = f(1)\ny = x + 1\nz = 3\nfor a, b in zip([1], f(2)):\n    pass\nfor i, item in enumerate(f(3)):\n    pass"
    )
    assert names.answers == {(None, "x"), (None, "y"), (None, "b"), (None, "item")}


def test_a_parameter_that_gets_a_function_of_the_program_is_callable():
    names = names_in(
        "def check(candidate, value):\n    result = candidate(value)\n    assert result == 2\ncheck(f, 1)"
    )
    assert names.callables == {("check", "candidate")}
    assert names.answers == {("check", "result")}
    assert names.uses_program()


def test_tests_that_call_only_built_in_functions_do_not_use_the_program():
    assert not names_in("assert max([1, 2]) == 2").uses_program()
    assert names_in("assert list(map(f, [1])) == [2]").uses_program()


def test_a_name_means_a_variable_before_a_function_of_the_program():
    names = names_in("value = 3\ndef own():\n    return 1\nassert f(value) == own()")
    assert names.is_of_program(expression("f"))
    assert not names.is_of_program(expression("value"))
    assert not names.is_of_program(expression("own"))
    assert names.is_own_function(expression("own"))
    assert names.is_built_in("len")
    assert not names.is_built_in("value")


def test_the_path_of_an_imported_name_is_resolved():
    names = names_in("import numpy as np\nfrom numpy import testing\nimport os.path\nassert f(1)")
    assert names.path(expression("np.linalg.norm")) == ("numpy", "linalg", "norm")
    assert names.path(expression("testing.assert_allclose")) == ("numpy", "testing", "assert_allclose")
    assert names.path(expression("os.path.join")) == ("os", "path", "join")
    assert names.path(expression("f.attribute")) == ()


def test_the_nodes_of_a_tree_are_those_of_the_standard_library_in_the_same_order():
    tree = ast.parse(Path(ast.__file__).read_text())
    assert nodes_in(tree) == list(ast.walk(tree))
