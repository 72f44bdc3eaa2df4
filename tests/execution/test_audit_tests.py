"""The division of a problem's tests into rewarded tests and audit tests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution import parse_tests
from trl_rltf.execution.audit_tests import split_audit_tests
from trl_rltf.execution.wire.plain_values import dump_json


def stdin_tests(number):
    return {"inputs": [f"{i}\n" for i in range(number)], "outputs": [f"{2 * i}\n" for i in range(number)]}


@pytest.mark.parametrize(
    ("number", "share", "audited"),
    [(10, 0.3, 3), (10, 0.01, 1), (10, 0.99, 9), (3, 0.3, 1), (2, 0.3, 1), (2, 0.9, 1), (5, 0.8, 4)],
)
def test_the_share_is_rounded_and_each_part_has_a_test(number, share, audited):
    rewarded, audit = split_audit_tests(stdin_tests(number), share)
    assert (len(rewarded["inputs"]), len(audit["inputs"])) == (number - audited, audited)


@given(number=st.integers(2, 30), share=st.floats(0.01, 0.99), as_text=st.booleans())
def test_each_test_is_in_one_part_with_its_output_and_in_order(number, share, as_text):
    tests = stdin_tests(number)
    parts = split_audit_tests(json.dumps(tests) if as_text else tests, share)
    rewarded, audit = (json.loads(part) if as_text else part for part in parts)
    pairs = [list(zip(part["inputs"], part["outputs"], strict=True)) for part in (rewarded, audit)]
    everything = list(zip(tests["inputs"], tests["outputs"], strict=True))
    assert sorted(pairs[0] + pairs[1], key=everything.index) == everything
    assert all(part == sorted(part, key=everything.index) for part in pairs)


def test_the_division_depends_on_the_inputs_alone():
    tests = stdin_tests(20)
    rewarded, audit = split_audit_tests(tests, 0.3)
    assert split_audit_tests(tests, 0.3) == (rewarded, audit)
    text = json.dumps(dict(reversed(tests.items())), indent=2)
    assert [json.loads(part)["inputs"] for part in split_audit_tests(text, 0.3)] == [
        rewarded["inputs"],
        audit["inputs"],
    ]
    # The first tests of a problem are its examples: they are not always the audited ones.
    firsts = {
        split_audit_tests({**tests, "inputs": [f"{n} {i}" for i in range(20)]}, 0.3)[1]["inputs"][0].split()[1]
        for n in range(20)
    }
    assert len(firsts) > 2


def test_a_larger_share_keeps_the_audit_tests_of_a_smaller_one():
    small, large = (split_audit_tests(stdin_tests(20), share)[1]["inputs"] for share in (0.2, 0.6))
    assert set(small) < set(large)


@pytest.mark.parametrize(
    "tests",
    [
        {
            "fn_name": "f",
            "inputs": [[{"1": 2}], [10**5000], [1.5]],
            "outputs": [[1], 10**5000, float("inf")],
            "asserts": None,
        },
        {
            "asserts": ["assert f(1) == 2", "assert f(2) == 3", "assert f(g()) == 1"],
            "setup": "import math\ndef g():\n    return 1",
        },
        {"inputs": [["a", "b"], "c"], "outputs": ["d", ["e", "f"]]},
    ],
    ids=["call", "asserts", "lines"],
)
def test_both_parts_of_each_format_are_tests(tests):
    whole = parse_tests(dump_json(tests))
    parts = [parse_tests(part) for part in split_audit_tests(dump_json(tests), 0.3)]
    assert sum(len(part.cases) for part in parts) == len(whole.cases)
    expected = [(case.statements, case.input, case.expected) for case in whole.cases]
    found = [(case.statements, case.input, case.expected) for part in parts for case in part.cases]
    assert sorted(found, key=expected.index) == expected


@pytest.mark.parametrize(
    "tests",
    [
        stdin_tests(1),
        {"asserts": ["assert f(1) == 2"]},
        {"asserts": ["x = f(1)", "assert x == 2"]},
        {"asserts": ["x = f(1)\nassert x == 2", "assert x == f(1)"]},
        {"asserts": ["assert (x := f(1)) == 2", "assert x == 2"]},
        {"asserts": ["s.push(1)", "assert s.pop() == 1"]},
        {"asserts": ["assert s.push(1) is None", "assert s.pop() == 1"], "setup": "s = Stack()"},
    ],
)
def test_a_problem_with_one_test_or_with_shared_variables_has_no_audit_tests(tests):
    assert split_audit_tests(tests, 0.5) == (tests, None)
    text = json.dumps(tests)
    assert split_audit_tests(text, 0.5) == (text, None)
