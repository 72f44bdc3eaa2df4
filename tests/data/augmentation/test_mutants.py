"""Mutants: copies of a program with one fault each."""

import ast

import pytest

from trl_rltf.data.augmentation.mutants import make_mutants


def mutants(source, number=1000):
    return {(mutant.kind, mutant.source) for mutant in make_mutants(source, number)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", {("boundary", "a <= b"), ("comparison", "a >= b"), ("dropped_statement", "pass")}),
        ("x = a + b", {("arithmetic", "x = a - b"), ("dropped_statement", "pass")}),
        ("return_ = a and b", {("logic", "return_ = a or b"), ("dropped_statement", "pass")}),
        ("x = -y", {("arithmetic", "x = +y"), ("dropped_statement", "pass")}),
        ("x = not y", {("logic", "x = not not y"), ("dropped_statement", "pass")}),
        ("x = True", {("constant", "x = False"), ("dropped_statement", "pass")}),
        ("x = 5", {("constant", "x = 6"), ("constant", "x = 4"), ("dropped_statement", "pass")}),
        ("f(a, b)", {("swapped_arguments", "f(b, a)"), ("dropped_statement", "pass")}),
        (
            "range(n)",
            {("off_by_one", "range(n + 1)"), ("off_by_one", "range(n - 1)"), ("dropped_statement", "pass")},
        ),
        (
            "x = a[i:j]",
            {("off_by_one", "x = a[i + 1:j]"), ("off_by_one", "x = a[i:j + 1]"), ("dropped_statement", "pass")},
        ),
    ],
)
def test_each_kind_of_fault_is_made(source, expected):
    assert mutants(source) == expected


def test_a_docstring_and_a_text_format_have_no_mutants():
    assert mutants('"doc"') == set()
    assert {kind for kind, _ in mutants('x = "%d" % y')} == {"dropped_statement"}


def test_the_kinds_take_turns():
    source = "x = 1\ny = 2\nz = 3\nif x < y:\n    z = x + y\n"
    kinds = [mutant.kind for mutant in make_mutants(source, 5)]
    assert kinds == ["arithmetic", "boundary", "comparison", "constant", "dropped_statement"]


def test_mutants_differ_from_each_other_and_from_the_program():
    source = "def f(a, b):\n    if a > b:\n        return a - b\n    return b - a\n"
    made = [mutant.source for mutant in make_mutants(source, 100)]
    assert len(set(made)) == len(made) == 5
    assert ast.unparse(ast.parse(source)) not in made


def test_equal_seeds_choose_equal_mutants_and_other_seeds_others():
    source = "\n".join(f"x{i} = {i}" for i in range(50))
    first, second, third = (make_mutants(source, 5, seed=seed) for seed in (1, 1, 2))
    assert first == second != third


@pytest.mark.parametrize("source", ["x = = 1", "", "(" * 500, "\0"])
def test_text_that_is_no_program_has_no_mutants(source):
    assert make_mutants(source, 10) == []
