"""Answers of reference solutions, and the inputs on which they agree."""

from trl_rltf.data.augmentation.answers import find_agreement
from trl_rltf.data.augmentation.seen_tests import read_seen_tests


STDIN = read_seen_tests({"inputs": ["1\n"], "outputs": ["1\n"]})
CALL = read_seen_tests({"fn_name": "f", "inputs": [[1]], "outputs": [1]})
ASSERTS = read_seen_tests({"asserts": ["assert f({1}) == {2}"], "setup": "from math import factorial"})
LIMITS = {"timeout": 1.0, "memory_limit": None}


def agree(solutions, seen, inputs, runner):
    return find_agreement(solutions, seen, inputs, runner, LIMITS)


def test_inputs_on_which_the_solutions_differ_or_fail_are_dropped_and_counted(runner):
    first = "n = int(input())\nprint(10 // n)\n"
    second = "n = int(input())\nprint(10 // n if n < 5 else 0)\n"
    agreed = agree([first, second], STDIN, ["1\n", "0\n", "7\n", "x\n", "5\n"], runner)
    assert agreed.pairs == [("1\n", "10\n")]
    assert agreed.chosen == [0]
    assert agreed.dropped == {"error": 2, "disagreement": 2}
    assert agreed.disagreement == 2 / 3


def test_answers_that_the_comparison_accepts_agree(runner):
    agreed = agree(["print(0.5)", "print('0.50000001 ')"], STDIN, ["1\n"], runner)
    assert agreed.pairs == [("1\n", "0.5\n")]


def test_returned_values_become_outputs_in_json(runner):
    agreed = agree(["def f(n): return (n, [n])", "def f(x): return [x, (x,)]"], CALL, [[3]], runner)
    assert agreed.pairs == [([3], [3, [3]])]


def test_asserts_have_values_that_json_cannot_write_and_their_setup(runner):
    agreed = agree(["def f(s): return {factorial(x) for x in s}"], ASSERTS, [[{3, 4}], [{-1}]], runner)
    assert agreed.pairs == [([{3, 4}], {6, 24})]
    assert agreed.dropped == {"error": 1}


def test_a_slow_input_loses_no_other_input(runner):
    source = "def f(n):\n    while n == 2:\n        pass\n    return n\n"
    agreed = agree([source, source + "\n"], CALL, [[1], [2], [3]], runner)
    assert agreed.pairs == [([1], 1), ([3], 3)]


def test_an_empty_or_a_very_long_output_is_no_test(runner):
    agreed = agree(["n = int(input())\nprint('x' * n)"], STDIN, ["0\n", "5\n", "200000\n"], runner)
    assert agreed.pairs == [("5\n", "xxxxx\n")]
    assert agreed.dropped == {"not_expressible": 1, "error": 1}


def test_a_program_cannot_see_which_input_it_gets(runner):
    agreed = agree(["def f(n): return n", "def f(n, expected=None): return expected or n"], CALL, [[7]], runner)
    assert agreed.pairs == [([7], 7)]
