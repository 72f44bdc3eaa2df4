"""The formats of unit tests that other frameworks use."""

import json

import numpy as np
import pytest

from trl_rltf.execution import LocalRunner, Program
from trl_rltf.integrations import check_tests
from trl_rltf.integrations.problem_tests import read_tests


STDIN = {"inputs": ["1\n"], "outputs": ["2\n"]}
CALL = {"inputs": [[1, [2]]], "outputs": [[1, 2]], "fn_name": "join"}
CASE = {"input": "1\n", "output": "2\n", "type": "stdin_stdout"}


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (STDIN, STDIN),
        (json.dumps(STDIN), STDIN),
        (CALL, CALL),
        ({"inputs": np.array(["1\n"]), "outputs": np.array(["2\n"])}, STDIN),
        ({"inputs": ["1\n[2]"], "outputs": ["[1, 2]"], "fn_name": "join"}, CALL),
        ({"language": "python", "test_cases": [CASE]}, STDIN),
        ({"language": "python", "test_cases": [{**CASE, "fn_name": None}]}, STDIN),
        (json.dumps({"language": "Python3", "test_cases": [CASE]}), STDIN),
        ([{"input": "1\n", "output": "2\n", "testtype": "stdin"}], STDIN),
        ({"test_cases": [{"input": [1, [2]], "output": [1, 2], "type": "function_call", "fn_name": "join"}]}, CALL),
        ([{"input": "1\n[2]", "output": "[1, 2]", "testtype": "functional", "metadata": {"func_name": "join"}}], CALL),
        ("assert join(1, [2]) == [1, 2]", {"asserts": ["assert join(1, [2]) == [1, 2]"]}),
    ],
)
def test_each_format_becomes_one_of_ours(tests, expected):
    assert json.loads(read_tests(tests, "row 0")) == expected


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (None, "of type NoneType"),
        (7, "of type int"),
        ("", "empty|nothing|no assert|no test"),
        ("assert (", "row 3: "),
        ("{", "row 3: "),
        ("[" * 100_000, "row 3: "),
        ([], "at least one test"),
        ({}, "unknown format"),
        ({"inputs": ["1"], "outputs": []}, "1 `inputs` but 0 `outputs`"),
        ({"inputs": ["[1"], "outputs": ["1"], "fn_name": "f"}, "input 0 of a call-based test is not JSON"),
        ({"test_cases": [{"input": "1"}]}, r"test 0 needs `input` and `output`, found \['input'\]"),
        ({"test_cases": ["1"]}, "test 0 needs `input` and `output`, found str"),
        ({"test_cases": [{**CASE, "type": "video"}]}, "of type 'video'"),
        ({"test_cases": [{**CASE, "type": "function_call"}]}, "has no `fn_name`"),
        ({"test_cases": [{**CASE, "type": None, "fn_name": name} for name in "fg"]}, "several functions"),
        ({"language": "cpp", "test_cases": [CASE]}, "only Python is graded"),
        ({"language": 7, "test_cases": [CASE]}, "only Python is graded"),
    ],
)
def test_malformed_tests_are_an_error_that_names_the_row(tests, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_tests([STDIN, STDIN, STDIN, tests])
    assert str(caught.value).startswith("row 3: ")


def test_a_function_with_arguments_as_lines_of_text_is_graded():
    tests = read_tests({"inputs": ['"a"\n2', '"b"\n1'], "outputs": ['"aa"', '"b"'], "fn_name": "repeat"}, "row 0")
    with LocalRunner(num_workers=1, timeout=1.0) as runner:
        right, wrong = runner.run(
            [Program(f"def repeat(text, times):\n    return text * {n}", tests) for n in ("times", "2")]
        )
    assert (right.pass_ratio, wrong.pass_ratio) == (1.0, 0.5)
