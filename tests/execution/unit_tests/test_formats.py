"""The three formats are read, and only the probe of a test enters the process of the program."""

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trl_rltf.execution import parse_tests
from trl_rltf.execution.wire.plain_values import decode, encode


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("assert f(2) == 4", "f(2)"),
        ("assert 4 == f(2)", "f(2)"),
        ("assert f(2) == {'a': (1, [2.5, None])}", "f(2)"),
        ("assert f(2) == set([1, 2])", "f(2)"),
        ("assert f(2) == float('inf')", "f(2)"),
        ("assert f(2) == -3 * 7", "f(2)"),
        ("assert f(2) != 4, 'message 99'", "f(2)"),
        ("assert not f(2)", "not not (f(2))"),
        ("assert not f(2) == 4", "f(2)"),
        ("assert f(2) is None", "f(2)"),
        ("assert f(2) in [4, 5]", "f(2)"),
        ("assert 1 < f(2) <= 4", "f(2)"),
        ("assert abs(f(2) - 4.5) < 1e-6", "f(2)"),
        ("assert abs(4.5 - f(2)) <= 1e-6", "f(2)"),
        ("assert math.isclose(f(2), 4.5, rel_tol=0.001)", "f(2)"),
        ("assert sorted(f(2)) == [4]", "sorted(f(2))"),
    ],
)
def test_only_the_computed_side_of_an_assert_enters_the_process_of_the_program(text, inside):
    case = parse_tests({"asserts": [text]}).cases[0]
    assert case.probe == {"expression": inside}


@pytest.mark.parametrize(
    "text",
    [
        "assert f(2) == g(4)",
        "assert f(2) and g(2)",
        "assert f(1) < f(2) < f(3)",
        "assert f(2) is x",
        "x = f(2)\nassert x == 4",
        "check(f)",
        "for i in range(3):\n    assert f(i) == i",
        "assert abs(f(2) - g(4)) < 1e-6",
        "assert (f(1) == 2) == True",
        "assert (f(1) == 2) is True",
        "assert bool(f(1) == 2)",
        "assert f(1) - 3 == 0",
        "assert max(f(1) - 3, 0) <= 1e-6",
        "assert all(a == b for a, b in zip(f(1), [1, 2]))",
        "assert f(1).__eq__(2)",
        "assert round(f(1) - 3, 6) == 0",
        "assert f(1).equals(2)",
        "assert math.fabs(f(1) - 2) < 0.1",
    ],
)
def test_an_assert_that_cannot_be_split_runs_as_it_is_written(text):
    assert parse_tests({"asserts": [text]}).mode in ("referee", "inside")


def test_functions_of_the_tests_never_enter_the_process_of_a_program():
    tests = {"asserts": ["assert f(1) == 2", "check(f)"], "setup": "def check(f):\n    assert f(3) == 918273645"}
    parsed = parse_tests(tests)
    assert parsed.setup == ""
    assert parsed.mode == "referee"
    assert [case.probe for case in parsed.cases] == [{}, {}]


def test_a_setup_that_only_prepares_inputs_enters_the_process_of_the_program():
    parsed = parse_tests({"asserts": ["assert area(box) == 6"], "setup": "box = Box(2, 3)"})
    assert parsed.setup == "box = Box(2, 3)"
    assert parsed.cases[0].probe == {"expression": "area(box)"}


@pytest.mark.parametrize(
    ("text", "value", "is_right"),
    [
        ("assert f() == 4", 4, True),
        ("assert f() == 4", 4.0, True),
        ("assert f() == (1, 2)", [1, 2], False),
        ("assert f() == [1, 2]", [1, 2], True),
        ("assert f() == 'a'", "a ", False),
        ("assert f() is None", None, True),
        ("assert f() is True", 1, False),
        ("assert f() in (1, 2)", 2, True),
        ("assert 1 < f() <= 4", 4, True),
        ("assert 1 < f() <= 4", 1, False),
        ("assert f() > 4", None, False),
        ("assert abs(f() - 4.5) < 1e-3", 4.5001, True),
        ("assert abs(f() - 4.5) < 1e-3", "4.5", False),
        ("assert math.isclose(f(), 4.5)", 4.5001, False),
        ("assert math.isclose(f(), 4.5, abs_tol=0.01)", 4.5001, True),
        ("assert f() == 4", object(), False),
    ],
)
def test_a_check_decides_as_python_would(text, value, is_right):
    assert parse_tests({"asserts": [text]}).cases[0].check([encode(value)]) is is_right


def test_probes_hold_no_expected_output():
    secret = 918273645
    tests = [
        {"inputs": ["1"], "outputs": [str(secret)]},
        {"fn_name": "f", "inputs": [[1]], "outputs": [secret]},
        {"asserts": [f"assert f(1) == {secret}", f"assert abs(f(1) - {secret}) < 1", f"assert {secret} in f(1)"]},
    ]
    for entry in tests:
        assert str(secret) not in json.dumps([case.probe for case in parse_tests(entry).cases])


def test_lines_of_a_stdin_test_may_be_a_list():
    case = parse_tests({"inputs": [["1", "2"]], "outputs": [["3", "4"]]}).cases[0]
    assert case.probe == {"stdin": "1\n2"}
    assert case.check("3\n4\n")


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("{not json", "not valid JSON"),
        ("[1]", "are a list"),
        (7, "are a int"),
        ({}, r"unknown format: found the keys \[\]"),
        ({"inputs": ["1"]}, "unknown format"),
        ({"inputs": ["1"], "outputs": []}, "1 `inputs` but 0 `outputs`"),
        ({"inputs": [], "outputs": []}, "empty"),
        ({"inputs": "1", "outputs": "1"}, "must both be lists"),
        ({"inputs": [1], "outputs": ["1"]}, "input 0 of a stdin test is a int"),
        ({"inputs": ["1"], "outputs": [None]}, "output 0 of a stdin test is a NoneType"),
        ({"fn_name": "f", "inputs": [3], "outputs": [3]}, "list of the arguments"),
        ({"fn_name": "not a name", "inputs": [[3]], "outputs": [3]}, "`fn_name`"),
        ({"inputs": ["\ud800"], "outputs": ["1"]}, "input 0 of a stdin test cannot be encoded"),
        ({"asserts": []}, "empty"),
        ({"asserts": "assert f()"}, "list of strings"),
        ({"asserts": [""]}, "checks nothing"),
        ({"asserts": ["f(1) == 2"]}, "checks nothing"),
        ({"asserts": ["# assert f(1) == 2"]}, "checks nothing"),
        ({"asserts": ["def check(f):\n    assert f(1) == 2"]}, "checks nothing"),
        ({"asserts": ["assert (f(1) == 2, 'msg')"]}, "always true"),
        ({"asserts": ["for a, b in [(1, 2)]:\n    assert (f(a) == b, 'msg')"]}, "assert 0 .* always true"),
        ({"asserts": ["check(f)"], "setup": "def check(c):\n    assert (c(1) == 2, 'msg')"}, "`setup` .* always true"),
        ({"asserts": ["assert [f(1) == 2]"]}, "always true: it asserts a container"),
        (
            {"asserts": ["for i in (1, 2):\n    assert (f(i) == j for j in (2, 3))"]},
            "always true: it asserts a function or",
        ),
        ({"asserts": ["if __name__ == '__main__':\n    assert f(1) == 2"]}, "does not run here"),
        ({"asserts": ["assert f( == 1"]}, "assert 0 of the tests is not valid Python"),
        ({"asserts": ["assert f()"], "setup": "import ("}, "`setup` of the tests is not valid Python"),
        ({"asserts": ["assert f()"], "setup": 3}, "`setup` of the tests is a int"),
    ],
)
def test_malformed_tests_are_refused_with_the_place_and_the_fix(tests, message):
    with pytest.raises(ValueError, match=message):
        parse_tests(tests)


@settings(max_examples=200)
@given(st.text(max_size=80))
def test_any_text_for_tests_is_read_or_refused_with_a_value_error(text):
    for entry in (text, {"asserts": [text]}, {"inputs": [text], "outputs": [text]}):
        try:
            parse_tests(entry)
        except ValueError:
            continue


def test_imports_and_definitions_of_a_setup_run_before_the_program_and_the_rest_after_it():
    setup = (
        "from typing import List\nMOD = 7\ndef g(x: List[int]) -> int:\n    return f(x)\nroot = Node(1)\nshow(root)"
    )
    parsed = parse_tests({"asserts": ["assert f(root) == g(root)"], "setup": setup})
    assert (parsed.early_setup.count("\n"), parsed.setup) == (3, "root = Node(1)\nshow(root)")
    assert parsed.own_names == ("MOD", "g")


def test_integer_keys_are_restored_from_json_but_a_mapping_keeps_its_keys():
    def argument(tests):
        return decode(parse_tests(tests).cases[0].probe["arguments"])

    assert argument('{"fn_name": "f", "inputs": [[{"1": 2, "-3": 4}]], "outputs": [2]}') == [{1: 2, -3: 4}]
    assert argument('{"fn_name": "f", "inputs": [[{"1": 2, "b": 4}, {"01": 1}]], "outputs": [2]}') == [
        {"1": 2, "b": 4},
        {"01": 1},
    ]
    assert argument({"fn_name": "f", "inputs": [[{"1": 2}, (1, 2)]], "outputs": [2]}) == [{"1": 2}, (1, 2)]


def test_a_setup_that_holds_answers_stays_out_of_the_process_of_the_program():
    setup = "case = {'input': 1, 'output': 918273645}"
    parsed = parse_tests({"asserts": ["assert f(case['input']) == 3"], "setup": setup})
    assert (parsed.mode, parsed.early_setup, parsed.setup) == ("referee", "", "")


def test_a_stdin_test_sends_the_input_and_checks_the_output():
    parsed = parse_tests({"inputs": ["3\n", "4\n"], "outputs": ["9", "16"]})
    assert (parsed.mode, [case.probe for case in parsed.cases]) == ("stdin", [{"stdin": "3\n"}, {"stdin": "4\n"}])
    assert [parsed.cases[1].check(text) for text in ("16\n", "16.0", "9")] == [True, True, False]


def test_a_call_test_sends_the_arguments_and_checks_the_value():
    parsed = parse_tests({"fn_name": "f", "inputs": [[3, [1]]], "outputs": [[3, 1]]})
    assert (parsed.mode, parsed.cases[0].probe) == ("call", {"call": "f", "arguments": [3, [1]]})
    assert parsed.required == (("f", "Solution"),)
    assert [parsed.cases[0].check([encode(value)]) for value in ([3, 1], (3, 1), [1, 3])] == [True, True, False]


def test_a_strict_check_compares_types():
    tests = {"fn_name": "f", "inputs": [[1]], "outputs": [[3, 1]]}
    assert parse_tests(tests).cases[0].check([encode((3, 1))])
    assert not parse_tests(tests, strict=True).cases[0].check([encode((3, 1))])


@pytest.mark.filterwarnings("ignore:The checker raised SystemExit")
def test_a_checker_gets_input_answer_and_expected_output():
    calls = []

    def checker(*arguments):
        calls.append(arguments)
        return len(calls) == 1 or sys.exit()

    call = parse_tests({"fn_name": "f", "inputs": [[1, 2]], "outputs": [3]}, checker=checker).cases[0]
    script = parse_tests({"inputs": ["1 2"], "outputs": ["3"]}, checker=checker).cases[0]
    assert call.check([encode({"a": 1})])
    assert not script.check("four")
    assert calls == [([1, 2], {"a": 1}, 3), ("1 2", "four", "3")]
