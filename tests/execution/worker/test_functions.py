"""Programs that are loaded for their functions: the longest complete beginning, errors after it, and the prelude."""

import pytest
from support import span_at

from trl_rltf.execution import LocalRunner, Outcome, Program, Verdict


ASSERTS = {"asserts": ["assert f(1) == 2", "assert f(2) == 3"]}
CALLS = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [2, 3]}
SCRIPT = {"asserts": ["for i in (1, 2):\n    assert f(i) == i + 1"]}
INSIDE = {"asserts": ["x = f(1)\nassert x == f(1)", "assert f(2) == 3"]}
RIGHT = "def f(x):\n    return x + 1\n"
WRONG = "def f(x):\n    return x\n"

# Text after a complete function, type and place of its error, and the outcome if the whole module counts.
TRAILING = {
    "an assert that was cut off": ("\nassert f(3) ==", "SyntaxError", span_at(4, 0, 4, 14), Outcome.SYNTAX_ERROR),
    "a text that was cut off": ('\nprint("f(3) is', "SyntaxError", span_at(4, 0, 4, 14), Outcome.SYNTAX_ERROR),
    "a second function that was cut off": ("\ndef g(x):\n    return (x +", "SyntaxError", None, Outcome.SYNTAX_ERROR),
    "prose": ("\nThis adds one to x.\nIt is easy.\n", "SyntaxError", span_at(4, 0, 4, 19), Outcome.SYNTAX_ERROR),
    "a docstring that does not end": ('\n"""\nExamples\n', "SyntaxError", None, Outcome.SYNTAX_ERROR),
    "an own assert that is wrong": ("\nassert f(3) == 5\n", "AssertionError", span_at(4, 0, 4, 16), Outcome.FAILURE),
    "an example that fails": ("\nprint(g(3))\n", "NameError", span_at(4, 0, 4, 11), Outcome.RUNTIME_ERROR),
    "a question to the user": ("\nprint(f(int(input())))\n", "EOFError", span_at(4, 0, 4, 22), Outcome.RUNTIME_ERROR),
    "the end of the process": ("\nraise SystemExit(2)\n", "SystemExit", span_at(4, 0, 4, 19), Outcome.RUNTIME_ERROR),
}


@pytest.mark.parametrize("tests", [ASSERTS, CALLS, SCRIPT, INSIDE], ids=["asserts", "calls", "referee", "inside"])
@pytest.mark.parametrize("name", TRAILING)
def test_a_program_is_its_longest_complete_beginning(runner, name, tests):
    text, error_type, span, whole = TRAILING[name]
    right, wrong, alone = runner.run(
        [Program(RIGHT + text, tests), Program(WRONG + text, tests), Program(RIGHT, tests)]
    )
    assert (right.outcome, right.error_type) == (Outcome.PASS, None), right
    assert wrong.outcome is Outcome.FAILURE or name == "an own assert that is wrong", wrong
    assert (right.trailing_error_type, right.whole_module_outcome) == (error_type, whole)
    assert span is None or right.trailing_span == span
    assert (alone.trailing_error_type, alone.whole_module_outcome) == (None, Outcome.PASS)


@pytest.mark.parametrize("name", TRAILING)
def test_the_whole_module_counts_on_request(name):
    text, error_type, _, whole = TRAILING[name]
    with LocalRunner(num_workers=1, whole_module=True, allow_code_eval=True) as runner:
        reports = runner.run([Program(RIGHT + text, tests) for tests in (ASSERTS, CALLS, SCRIPT)])
        (alone,) = runner.run([Program(RIGHT, ASSERTS)])
    assert {report.outcome for report in reports} == {whole}
    assert {report.trailing_error_type for report in reports} == {None}
    assert alone.outcome is Outcome.PASS
    if whole is not Outcome.FAILURE:
        assert {report.error_type for report in reports} == {error_type}


@pytest.mark.parametrize("tests", [ASSERTS, CALLS, SCRIPT, INSIDE])
def test_an_incomplete_function_is_a_syntax_error(runner, tests):
    for source in (
        "import math\ndef f(x):\n    return (x +",
        "import math\n\ndef f(x:\n    return x + 1\nprint(f(1))",
    ):
        (report,) = runner.run([Program(source, tests)])
        assert (report.outcome, report.trailing_error_type) == (Outcome.SYNTAX_ERROR, None)


@pytest.mark.parametrize("tests", [ASSERTS, CALLS, SCRIPT, INSIDE])
def test_an_own_assert_that_fails_before_the_function_is_defined_is_a_failure_without_a_place(runner, tests):
    (report,) = runner.run([Program("def g(x):\n    return x\nassert g(1) == 2\n" + RIGHT, tests)])
    assert (report.outcome, report.span, report.num_passed) == (Outcome.FAILURE, None, 0)
    (report,) = runner.run([Program("g(1)\n" + RIGHT, tests)])
    assert (report.outcome, report.error_type, report.span.line) == (Outcome.RUNTIME_ERROR, "NameError", 1)


def test_an_assert_inside_a_function_is_an_error_at_its_place(runner):
    (report,) = runner.run([Program("def f(x):\n    assert x > 1\n    return x + 1", ASSERTS)])
    assert (report.error_type, report.span.line) == ("AssertionError", 2)
    assert report.verdicts == (Verdict.ERROR, Verdict.PASSED)


def test_an_incomplete_function_after_a_decorated_method_is_left_out(runner):
    source = "import functools\nclass Solution:\n    @functools.cache\n    def f(self, x):\n        return x + 1\n\n@functools.cache\ndef g("
    (report,) = runner.run([Program(source, CALLS)])
    assert (report.outcome, report.trailing_error_type) == (Outcome.PASS, "SyntaxError")


def test_all_functions_that_the_tests_use_must_be_complete(runner):
    tests = {"asserts": ["assert f(1) == 2", "assert g(1) == 2"]}
    (report,) = runner.run([Program(RIGHT + "def g(x):\n    return (x", tests)])
    assert report.outcome is Outcome.SYNTAX_ERROR


def test_a_long_tail_is_found_in_linear_time(runner):
    tail = "".join(f"This is sentence {i}.\n" for i in range(20_000))
    (report,) = runner.run([Program(RIGHT + tail, ASSERTS)])
    assert (report.outcome, report.trailing_error_type) == (Outcome.PASS, "SyntaxError")
    assert report.cpu_seconds < 2


@pytest.mark.parametrize(
    ("name", "expression", "value"),
    [
        ("math", "prod([2, 3]) + lcm(4, 6) + perm(3, 2)", 24),
        ("sys", "maxsize > 0", True),
        ("string", "ascii_lowercase[:2]", "ab"),
        ("random", "randint(3, 3) + random.randint(1, 1)", 4),
        ("operator", "itemgetter(0)([7])", 7),
        ("functools", "partial(int, '3')() + reduce(add, [1, 2])", 6),
        ("statistics", "median([1, 5, 3])", 3),
        ("collections", "Counter('aab')['a'] + len(deque([1]))", 3),
        ("heapq and bisect", "heappop([1, 2]) + bisect_left([1, 3], 2)", 2),
        ("datetime", "(date(2020, 1, 2) - datetime.date(2020, 1, 1)).days", 1),
        ("re and json", "re.sub('a', 'b', 'a') + loads('\"c\"')", "bc"),
        ("fractions", "int(Fraction(6, 2))", 3),
        ("itertools", "[list(p) for p in pairwise([1, 2, 3])]", [[1, 2], [2, 3]]),
    ],
)
def test_call_based_programs_find_the_names_that_graders_import(runner, name, expression, value):
    tests = {"fn_name": "f", "inputs": [[0]], "outputs": [value]}
    (report,) = runner.run([Program(f"def f(x: Optional[int]) -> List[int]:\n    return {expression}", tests)])
    assert report.outcome is Outcome.PASS, report


def test_numpy_is_available_by_its_usual_name(runner):
    pytest.importorskip("numpy")
    tests = {"fn_name": "f", "inputs": [[0]], "outputs": [3]}
    assert runner.run([Program("def f(x):\n    return int(np.sum([1, 2]))", tests)])[0].outcome is Outcome.PASS


@pytest.mark.parametrize(
    "name", ["gcd", "factorial", "comb", "isqrt", "bisect_left", "mean", "sorted", "max", "sum", "len"]
)
def test_a_function_that_the_program_does_not_define_is_a_name_error(runner, name):
    calls = {"fn_name": name, "inputs": [[[1, 3]]], "outputs": [3]}
    asserts = {"asserts": [f"assert {name}([1, 3]) == {name}([1, 3])"]}
    imported = {"asserts": [f"assert {name}(4, 6) == 2"], "setup": "from math import gcd, factorial, comb"}
    for source in ("", "# I do not know.", "import math"):
        for report in runner.run([Program(source, tests) for tests in (calls, asserts, imported)]):
            assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "NameError"), (source, report)
    (own,) = runner.run([Program(f"def {name}(values):\n    return 3", calls)])
    assert own.outcome is Outcome.PASS


def test_a_setup_runs_before_the_program_and_keeps_its_names(runner):
    setup = "from typing import List\nimport math\ndef check(x):\n    assert f(x) == x + LIMIT\nLIMIT = 1"
    source = "LIMIT = 5\ndef check(x):\n    pass\ndef f(x: List[int]):\n    return x + math.floor(1.5)"
    right, wrong = (
        runner.run([Program(text, {"asserts": ["check(1)"], "setup": setup})])[0]
        for text in (source, source.replace("1.5", "2.5"))
    )
    assert (right.outcome, wrong.outcome) == (Outcome.PASS, Outcome.FAILURE)


def test_integers_of_any_number_of_digits_are_arguments_and_answers(runner):
    big = 10**9000 + 7
    source = "def f(n):\n    return n + 1\ndef text(n):\n    import sys\n    return sys.get_int_max_str_digits()"
    tests = [
        {"fn_name": "f", "inputs": [[big]], "outputs": [big + 1]},
        '{"fn_name": "f", "inputs": [[1' + "0" * 8999 + '7]], "outputs": [1' + "0" * 8999 + "8]}",
        {"asserts": ["assert f(1" + "0" * 8999 + "7) == 1" + "0" * 8999 + "8"]},
        {"asserts": ["n = f(1" + "0" * 8999 + "7)\nassert n == 1" + "0" * 8999 + "8"]},
        {"asserts": ["assert text(0) == 4300"]},
    ]
    reports = runner.run([Program(source, entry) for entry in tests])
    assert [report.outcome for report in reports] == [Outcome.PASS] * 5
