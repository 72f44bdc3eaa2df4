"""An assert is split into an expression for the program and a check for the caller."""

import ast
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.unit_tests.split_assert import split_assert


def split(text, own_names=()):
    return split_assert(ast.parse(text, mode="eval").body, text, own_names)


@pytest.mark.parametrize(
    ("text", "expression", "right", "wrong"),
    [
        ("f(2) == 4", "f(2)", [4, 4.0], [5, "4", None]),
        ("4 == f(2)", "f(2)", [4], [5]),
        ("f(2) != 4", "f(2)", [5], [4]),
        ("1 < f(2) <= 4", "f(2)", [2, 4], [1, 5]),
        ("f(2) in (4, 5)", "f(2)", [4, 5], [6]),
        ("4 in f(2)", "f(2)", [[4], {4: 1}], [[5]]),
        ("f(2) is None", "f(2)", [None], [0]),
        ("f(2) is not True", "f(2)", [1, False], [True]),
        ("not f(2) == 4", "f(2)", [5], [4]),
        ("f(2) == {'a': (1, [2])}", "f(2)", [{"a": (1, [2])}], [{"a": [1, [2]]}]),
        ("f(2) == set([1, 2])", "f(2)", [{2, 1}], [[1, 2]]),
        ("f(2) == -3 * 7 + 1", "f(2)", [-20], [-21]),
        ("abs(f(2) - 1.5) < 0.1", "f(2)", [1.45, 1.55], [1.4, 1.61]),
        ("abs(1.5 - f(2)) <= 0.5", "f(2)", [1.0, 2.0], [0.9]),
        ("math.isclose(f(2), 100.0, rel_tol=0.01)", "f(2)", [99.0, 101.0], [98.0]),
        ("isclose(1.0, f(2), abs_tol=0.25)", "f(2)", [1.25], [1.5]),
        ("sorted(f(2)) == [1, 2]", "sorted(f(2))", [[1, 2]], [[2, 1]]),
        ("f(2)", "not not (f(2))", [True], [False]),
        ("box.area(2) == 4", "box.area(2)", [4], [5]),
        ("Solution().f(2) == 4", "Solution().f(2)", [4], [5]),
        ("f([1, 2], key='a') == 4", "f([1, 2], key='a')", [4], [5]),
    ],
)
def test_an_assert_is_split(text, expression, right, wrong):
    found, check = split(text)
    assert found == expression
    assert all(map(check, right))
    assert not any(map(check, wrong))


@pytest.mark.parametrize(
    "text",
    [
        "f(2) == g(4)",
        "f(2) == x",
        "f(2) and g(2)",
        "f(1) < f(2) < f(3)",
        "f(2) is 'a'",
        "f(2) - 4 == 0",
        "max(f(1) - 3, 0) <= 1e-6",
        "f(g(2)) == 4",
        "check(f(2), 4)",
        "math.fabs(f(2) - 4) < 1",
        "math.floor(2.5) == 2",
        "f(1).equals(2)",
        "math.isclose(f(2), g(2))",
        "math.isclose(f(2), 4, rel_tol=g())",
        "(f(1) == 2) == True",
        "Box(2) == 4",
        "f(2)[0] == 4",
        "all(a == b for a, b in zip(f(1), [1, 2]))",
    ],
)
def test_an_assert_that_would_show_the_expected_value_is_not_split(text):
    assert split(text) is None


def test_a_function_of_the_tests_is_not_called_in_the_process_of_the_program():
    assert split("check(2) == 4", ["check"]) is None
    assert split("f(table) == 4", ["table"]) is None
    assert split("table == 4", ["table"]) is None
    assert split("table == 4")[0] == "table"
    assert split("f(2) == 4", ["check", "table"])[0] == "f(2)"


def test_an_expression_on_several_lines_or_with_non_ascii_text_is_written_again():
    assert split("f(\n  2\n) == 4")[0] == "f(2)"
    assert split("f('é') == 4")[0] == "f('é')"


values = st.integers(-3, 3) | st.sampled_from([0.5, -0.5, 2.0]) | st.booleans() | st.none() | st.text("ab", max_size=2)


@given(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), values, values, st.booleans())
def test_a_check_agrees_with_the_assert_as_python_runs_it(comparison, answer, constant, is_swapped):
    operands = [repr(constant), "f()"] if is_swapped else ["f()", repr(constant)]
    text = f" {comparison} ".join(operands)
    _, check = split(text)

    def outcome(function):
        try:
            return bool(function())
        except TypeError:
            return TypeError

    assert outcome(lambda: check(answer)) == outcome(lambda: eval(text, {"f": lambda: answer}))


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 2), st.sampled_from([operator.lt, operator.le]))
def test_a_distance_agrees_with_plain_arithmetic(answer, expected, limit, compare):
    symbol = {operator.lt: "<", operator.le: "<="}[compare]
    _, check = split(f"abs(f() - {expected!r}) {symbol} {limit!r}")
    assert check(answer) == compare(abs(answer - expected), limit)
