"""The visible tests of a statement."""

import json

import pytest

from trl_rltf import load_apps
from trl_rltf.data import apps_prompt, visible_tests
from trl_rltf.execution import LocalRunner, Outcome, Program


STDIN = {"inputs": ["hidden"], "outputs": ["hidden"]}
# These problems accept several answers; the statement has another one than the tests.
SEVERAL_ANSWERS = {"0002", "0028", "0033", "0041", "0044", "0046", "2020", "2051", "2382"}


def shown(statement, tests=None):
    return visible_tests({"prompt": apps_prompt(statement), "tests": json.dumps(tests or STDIN)})


def test_examples_of_codeforces():
    statement = "Add.\n\n-----Input-----\n\nTwo numbers.\n\n-----Output-----\n\nTheir sum.\n\n-----Examples-----\nInput\n1 2\n\nOutput\n3\n\n4\n\nInput\n5 6\n\nOutput\n11\n\n\n\n-----Note-----\n\nInput\n9"
    assert shown(statement) == {"inputs": ["1 2\n", "5 6\n"], "outputs": ["3\n\n4\n", "11\n"]}


def test_the_last_example_ends_with_the_statement():
    assert shown("Add.\n-----Example-----\nInput\n1 2\nOutput\n3") == {"inputs": ["1 2\n"], "outputs": ["3\n"]}


def test_examples_with_separate_headings():
    statement = "Add.\n-----Sample Input-----\n1 2\n\n-----Sample Output-----\n3\n\nThe sum of 1 and 2 is 3."
    assert shown(statement) == {"inputs": ["1 2\n"], "outputs": ["3\n"]}


def test_examples_with_numbers():
    statement = "Add.\n-----Examples-----\nSample Input 1:\n1 2\nSample Output 1:\n3\n\nSample Input 2:\n4 5\nSample Output 2:\n9\n"
    assert shown(statement) == {"inputs": ["1 2\n", "4 5\n"], "outputs": ["3\n", "9\n"]}


@pytest.mark.parametrize(
    "statement", ["Add.", "Add.\n-----Example-----\nInput\n1 2\n", "-----Input-----\nx\n-----Output-----\ny"]
)
def test_statements_without_complete_examples_have_no_visible_tests(statement):
    assert shown(statement) is None


def test_call_based_problems_have_no_visible_tests():
    assert shown("Add.\n-----Example-----\nInput\n1\nOutput\n1\n", {"fn_name": "f", **STDIN}) is None


def test_the_first_assert_is_visible():
    tests = {"asserts": ["assert f(1) == 1", "assert f(2) == 2"], "setup": "import math"}
    assert shown("Add.", tests) == {"asserts": ["assert f(1) == 1"], "setup": "import math"}


@pytest.mark.slow
def test_right_programs_pass_the_examples_of_real_statements(shared_data):
    problems = [row for row in load_apps(shared_data / "apps") if "fn_name" not in json.loads(row["tests"])]
    examples = [visible_tests(row) for row in problems]
    assert len(problems) == 99
    assert None not in examples
    programs = [
        (row, source, example)
        for row, example in zip(problems, examples, strict=True)
        for source in row["solutions"][:2]
    ]
    with LocalRunner(num_workers=2, timeout=10.0) as runner:  # some solutions take about a second
        is_right = runner.run([Program(source, row["tests"]) for row, source, _ in programs])
        passes = runner.run([Program(source, example) for _, source, example in programs])
    wrong = {
        row["problem_id"]
        for (row, _, _), whole, example in zip(programs, is_right, passes, strict=True)
        if whole.outcome is Outcome.PASS and example.outcome is not Outcome.PASS
    }
    assert wrong <= SEVERAL_ANSWERS


def test_tests_with_integers_of_any_size_are_read():
    big = "7" * 9131
    text = f'{{"fn_name": "f", "inputs": [[{big}]], "outputs": [{big}]}}'
    assert visible_tests({"prompt": "", "tests": text}) is None
    asserts = f'{{"asserts": ["assert f(1) == 1"], "setup": "", "id": {big}}}'
    assert visible_tests({"prompt": "", "tests": asserts}) == {"asserts": ["assert f(1) == 1"], "setup": ""}
