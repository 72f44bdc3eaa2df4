"""Corrections of failing programs: beginnings, continuations, names and the search, by hand."""

import ast

import pytest

from trl_rltf.corrections import Correction, FailedProgram, find_corrections
from trl_rltf.corrections.splices import beginnings, continuations
from trl_rltf.corrections.variables import bound_names, match_in_order, rename
from trl_rltf.execution import Outcome, Program


TESTS = {"asserts": ["assert f([1, 2, 3]) == 6", "assert f([]) == 0"]}
WRONG = "def f(xs):\n    total = 0\n    for x in xs:\n        total -= x\n    return total\n"
RIGHT = "def f(values):\n  s = 0\n  for v in values:\n    s += v  # add\n  return s\n"


def test_beginnings_end_before_each_statement_the_longest_first():
    texts = [beginning.text for beginning in beginnings(WRONG)]
    lines = WRONG.splitlines(keepends=True)
    assert texts == ["".join(lines[:count]) for count in (4, 3, 2, 1)]


def test_the_last_decision_of_a_beginning_can_be_left_out():
    without_last = [beginning.without_last for beginning in beginnings(WRONG)]
    assert without_last[:3] == [
        "def f(xs):\n    total = 0\n    for x in xs:\n        pass\n",
        "def f(xs):\n    total = 0\n    if True:\n",
        "def f(xs):\n    pass\n",
    ]
    assert without_last[3] is None  # the head of a function decides nothing


def test_a_branch_that_is_left_out_keeps_its_place():
    source = "if a:\n    b = 1\nelif c:\n    d = 2\n"
    assert [one.without_last for one in beginnings(source)] == [
        "if a:\n    b = 1\nelif True:\n",
        "if a:\n    pass\n",
        "if True:\n",
    ]


def test_imports_and_docstrings_decide_nothing():
    source = 'import math\ndef f(x):\n    """Text."""\n    return x\n'
    assert [beginning.without_last for beginning in beginnings(source)] == [None, None, None]


def test_statements_that_share_a_line_are_not_parted():
    assert [beginning.text for beginning in beginnings("a = 1; b = 2\nc = 3\n")] == ["a = 1; b = 2\n"]


def test_a_decorated_function_is_not_parted_from_its_decorator():
    source = "import functools\n@functools.cache\ndef f(x):\n    return x\n"
    assert [one.text for one in beginnings(source)] == ["".join(source.splitlines(True)[:n]) for n in (3, 1)]


@pytest.mark.parametrize("source", ["def f(:", "(" * 10000, "x = '\0'"])
def test_a_program_that_does_not_compile_has_neither_beginnings_nor_continuations(source):
    assert beginnings(source) == []
    assert list(continuations(source, WRONG)) == []
    assert list(continuations(RIGHT, source)) == []


def test_continuations_have_the_indent_and_then_the_names_of_the_other_program():
    found = list(continuations(RIGHT, WRONG))
    assert len(found) == 12  # five statements and the empty end, twice
    assert found[2] == "    for v in values:\n        s += v\n    return s\n"
    assert found[8] == "    for x in xs:\n        total += x\n    return total\n"
    assert found[5] == found[11] == ""


def test_names_are_listed_in_the_order_of_their_binding():
    source = "import os\ndef f(b, a=1):\n    for i, j in a:\n        c = i\n    try:\n        pass\n    except E as e:\n        sum = c\n"
    assert bound_names(ast.parse(source)) == ["b", "a", "i", "j", "c", "e"]


@pytest.mark.parametrize(
    ("names", "targets", "new_names"),
    [
        (["a", "b"], ["x", "y"], {"a": "x", "b": "y"}),
        (["a", "b"], ["b", "a"], {"a": "b", "b": "a"}),
        (["a", "b"], ["a"], {}),
        (["a", "b"], ["b"], {"a": "b", "b": "b_"}),
        (["a"], ["x", "y"], {"a": "x"}),
    ],
)
def test_variables_are_matched_in_order_and_stay_different(names, targets, new_names):
    assert match_in_order(names, targets) == new_names


def test_only_variables_are_renamed():
    source = "def g(a):\n    return a\ndef f(key):\n    return sorted(g(a=key.key), key=len)"
    renamed = ast.unparse(rename(ast.parse(source), {"a": "x", "key": "k"}))
    assert renamed == "def g(x):\n    return x\n\ndef f(k):\n    return sorted(g(x=k.key), key=len)"


def test_the_longest_beginning_with_a_right_continuation_is_kept(runner):
    (correction,) = find_corrections([FailedProgram(WRONG, TESTS, [RIGHT])], runner)
    assert correction == Correction(
        "def f(xs):\n    total = 0\n    for x in xs:\n", "        total += x\n    return total\n", 0
    )
    (report,) = runner.run([Program(correction.source, TESTS)])
    assert report.outcome is Outcome.PASS


def test_a_beginning_that_does_not_matter_is_no_correction(runner):
    idle = "def f(xs):\n    print('begin')\n    return 1\n"
    from_the_start = "def f(xs):\n    return 1\n"
    programs = [FailedProgram(source, TESTS, [RIGHT]) for source in (idle, from_the_start, "def f(")]
    assert find_corrections(programs, runner) == [None, None, None]


def test_a_wrong_donor_is_passed_over_and_each_program_has_its_own_tests(runner):
    product = {"asserts": ["assert f([1, 2, 3]) == 6", "assert f([]) == 1"]}
    times = "def f(xs):\n    result = 1\n    for x in xs:\n        result *= x\n    return result\n"
    programs = [
        FailedProgram(WRONG, TESTS, [times, RIGHT]),
        FailedProgram(
            "def f(xs):\n    p = 1\n    for x in xs:\n        p += x\n    return p\n", product, [RIGHT, times]
        ),
    ]
    first, second = find_corrections(programs, runner)
    assert first.donor == 1
    assert second == Correction("def f(xs):\n    p = 1\n    for x in xs:\n", "        p *= x\n    return p\n", 1)


def test_the_number_of_candidates_is_bounded(runner):
    assert find_corrections([FailedProgram(WRONG, TESTS, [RIGHT])], runner, max_candidates=1) == [None]


def test_the_limits_of_a_problem_hold(runner):
    slow = RIGHT.replace("# add", "\n    for _ in range(10 ** 8): pass")
    (correction,) = find_corrections([FailedProgram(WRONG, TESTS, [slow], limits={"timeout": 0.2})], runner)
    assert correction is None


def test_one_program_as_the_donors_is_refused():
    with pytest.raises(TypeError, match="`donors` is one text, but must be a list of programs"):
        FailedProgram(WRONG, TESTS, RIGHT)
