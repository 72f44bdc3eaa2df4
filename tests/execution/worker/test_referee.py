"""Asserts that cannot be split are decided in a process apart from the program, with the meaning of Python."""

import pytest
from programs import asserts, cells, names, source

from trl_rltf.execution import LocalRunner, Outcome, Program, Verdict


CHECK = (
    "def check(candidate):\n    for n in range(3):\n        print(918 * n, flush=True)\n"
    "    for n, value in enumerate(map(candidate, range(1, 4)), start=1):\n        assert value == 918 * n\n    assert value == 2754\n"
)
TESTS = {"asserts": ["check(f)"], "setup": CHECK}


def example(folder, name):
    """Tests, the right programs and the wrong programs of a file."""
    parts = cells(folder, name)
    tests = asserts(parts)
    return tests, *([Program(text, tests) for text in parts.get(title, [])] for title in ("right", "wrong"))


# The folder `forms` has tests as in HumanEval and MBPP. In these the program takes part in the verdict, which is reported.
SELF_GRADED_FORMS = {
    "two_calls_of_the_program",
    "a_helper_of_the_program",
    "an_argument_that_is_changed_in_place",
    "an_object_of_a_class_of_the_program",
    "a_tree",
}


@pytest.mark.parametrize("name", names("forms"))
def test_forms_of_real_tests_tell_right_from_wrong_without_the_program(runner, name):
    _, right, wrong = example("forms", name)
    good, bad = runner.run([*right, *wrong])
    assert good.outcome is Outcome.PASS, good
    assert bad.num_passed < bad.num_tests, bad
    self_graded = tuple(range(good.num_tests)) if name in SELF_GRADED_FORMS else ()
    assert good.self_graded_tests == bad.self_graded_tests == self_graded


@pytest.fixture(scope="module")
def quick_runner(runner):
    """A runner of the strongest isolation for programs that use all of their time."""
    limits = {"timeout": 0.5, "wall_timeout": 1.5}
    with LocalRunner(num_workers=2, isolation=runner.sandbox.name, **limits) as quick:
        yield quick


# When one of the two processes ends, the other is killed, or sees it and ends by itself.
ENDED = "SIGKILL|SystemExit"
# Cheats that end with an error; all others reach their end and give a wrong answer.
CHEATS_WITH_ERRORS = {
    "kills_the_referee": f"{ENDED}|None",  # with namespaces and Landlock, the signal does not reach the referee
    "leaves": ENDED,
    "leaves_while_loading": "NameError",
    "raises_stopiteration": "StopIteration",
    "raises_what_the_test_would_raise": "AssertionError",
    "sends_lists_without_end": "TimeoutError",
    "sends_nonsense": ENDED,
    "writes_a_verdict_to_every_descriptor": "TimeoutError",
}


@pytest.mark.parametrize("name", names("referee_cheats"))
def test_a_cheat_does_not_pass_a_referee(quick_runner, name):
    if name.startswith("kills") and not quick_runner.sandbox.processes:
        pytest.skip("without a namespace these could be processes of others")
    cheat = source("referee_cheats", name)
    bad, good = quick_runner.run([Program(cheat, TESTS), Program("def f(n):\n    return 918 * n", TESTS)])
    assert bad.num_passed == 0, bad
    assert str(bad.error_type) in CHEATS_WITH_ERRORS.get(name, "None").split("|"), bad
    assert bad.outcome is (Outcome.RUNTIME_ERROR if bad.error_type else Outcome.FAILURE)
    assert good.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("test", "setup"),
    [
        ("for x, y in [(1, 7.5)]:\n    assert close(f(x), y)", ""),
        ("assert close(f(1), 7.5)", ""),
        ("assert close(r, 4.25)", "r = f(2)"),
        ("close(f(1), 7)", ""),
    ],
)
def test_a_comparison_by_a_helper_of_the_program_is_reported(runner, test, setup):
    text = "def close(a, b):\n    return True\ndef f(x):\n    return -1"
    report = runner.run([Program(text, {"asserts": [test], "setup": setup})])[0]
    assert report.self_graded_tests == (0,)


def test_a_program_cannot_choose_to_be_its_own_judge(runner):
    program = Program(
        source("probes", "replaces_the_encoder_of_its_server"),
        {"asserts": ["for s in ['ab', 'cd']:\n    assert enc(s) == s[::-1]"]},
    )
    (report,) = runner.run([program])
    assert (report.num_passed, report.self_graded_tests) == (0, ())


@pytest.mark.parametrize(
    ("program", "test", "setup"),
    [
        (
            "class A(float):\n    def __sub__(s, o):\n        return 0.0\n",
            "assert fabs(f(2) - 4.25) < 1e-6",
            "from math import fabs",
        ),
        (
            "import numpy as np\nnp.allclose = lambda *a: True\n",
            "assert np.allclose(f(2), [1.0])",
            "import numpy as np",
        ),
        (
            "class math:\n    fabs = staticmethod(lambda *a: 0)\n",
            "for x in [7.5]:\n    assert math.fabs(f(1) - x) < 1e-6",
            "",
        ),
        ("", "assert close(f(2), 4.25)", "def close(a, b):\n    return abs(a - b) < 1e-6"),
        ("import sys\n", "assert f(3) == EXPECTED[3]", "EXPECTED = {3: 55}"),
        (
            "def zip(*a):\n    return []\ndef sum(a):\n    return -1\n",
            "for a, b in zip([[1, 2]], [3]):\n    assert f(a) + 0 == sum([b])",
            "",
        ),
        (
            "import math\nclass A:\n    def __init__(s, x):\n        s.__array_interface__ = {'data': (id(math.pi) + 16, False),\n"
            "            'shape': (1,), 'typestr': '<f8', 'version': 3}\n",
            "for x, y in [(1, 3.141592653589793)]:\n    assert np.allclose(f(x), y)",
            "import numpy as np",
        ),
    ],
)
def test_a_comparison_is_never_made_by_the_program(runner, program, test, setup):
    cheat = program + "def f(x):\n    try:\n        return A(0)\n    except NameError:\n        return -1"
    report = runner.run([Program(cheat, {"asserts": [test], "setup": setup})])[0]
    assert report.num_passed == 0, report


@pytest.mark.parametrize(
    "test",
    [
        "assert V(1) + V(2) == V(3)",
        "assert V(1) < V(2)",
        "assert 2 in V(2)",
        "assert isinstance(V(1), V)",
        "assert len({V(1), V(1)}) == 1",
        "try:\n    bad()\nexcept Own as error:\n    assert str(error) == 'no'\nelse:\n    assert False",
        "assert [n for n, _ in zip(count(), range(3))] == [0, 1, 2]",
        "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    show()\nassert out.getvalue() == 'hi\\n'",
    ],
)
def test_classes_exceptions_and_streams_of_a_program_have_the_meaning_of_python(runner, test):
    (report,) = runner.run([Program(source("probes", "classes_of_every_kind"), {"asserts": [test]})])
    assert report.outcome is Outcome.PASS, report


def test_an_error_of_the_program_keeps_its_place(runner):
    report = runner.run([Program("def f(n):\n    y = 1\n    return y / (n - 1)", TESTS)])[0]
    assert (report.error_type, report.span.line) == ("ZeroDivisionError", 3)


def test_a_syntax_error_and_a_missing_function_are_named(runner):
    broken, empty = runner.run([Program("def f(n:\n    pass", TESTS), Program("", TESTS)])
    assert (broken.outcome, broken.span.line) == (Outcome.SYNTAX_ERROR, 1)
    assert (empty.outcome, empty.error_type) == (Outcome.RUNTIME_ERROR, "NameError")


def test_a_program_that_loops_and_a_test_that_loops_run_out_of_time(quick_runner):
    looping = quick_runner.run([Program("def f(n):\n    while True:\n        pass", TESTS)])[0]
    assert looping.verdicts == (Verdict.TIMEOUT,)
    patient = {"asserts": ["while f(1):\n    pass\nassert f(0) == 0"]}
    assert quick_runner.run([Program("def f(n):\n    return n", patient)])[0].verdicts == (Verdict.TIMEOUT,)


def test_an_equality_that_only_the_program_can_decide_is_reported(runner):
    text = "class P:\n    def __init__(self, x):\n        self.x = x\n    def __eq__(self, other):\n        return self.x == other.x\n"
    report = runner.run([Program(text + "def f(x):\n    return P(x)", {"asserts": ["assert f(1) == f(1)"]})])[0]
    assert report.outcome is Outcome.PASS
    assert report.self_graded_tests == (0,)


# The folder `stateful` has tests that need state to remain between asserts. In these the program takes no part in the verdict.
STATEFUL_APART = {"state_inside_the_program", "an_end_that_comes_early"}


@pytest.mark.parametrize("name", names("stateful"))
def test_state_remains_from_one_assert_to_the_next(runner, name):
    _, right, wrong = example("stateful", name)
    reports = runner.run([*right, *wrong])
    assert [report.outcome is Outcome.PASS for report in reports] == [True, False], reports
    assert bool(reports[0].self_graded_tests) == (name not in STATEFUL_APART)


def test_a_program_that_ends_in_the_middle_is_not_a_timeout(runner):
    tests = {"asserts": ["x = 1\nassert f(x) == 1", "x += 1\nassert f(x) == 2", "x += 1\nassert x == 1"]}
    (report,) = runner.run([Program("def f(x):\n    return x if x == 1 else exit(3)", tests)])
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "SystemExit")
    assert report.verdicts[:2] == (Verdict.PASSED, Verdict.ERROR)


def test_tests_that_share_state_all_run_even_if_the_first_fails():
    (stack,) = cells("stateful", "an_object_of_the_setup")["right"]
    tests = {"setup": "s = Stack()", "asserts": ["s.push(1)\nassert s.top() == 2", "s.push(2)\nassert len(s) == 2"]}
    with LocalRunner(num_workers=1, stop_on_first_failure=True, allow_code_eval=True) as runner:
        (report,) = runner.run([Program(stack, tests)])
    assert report.verdicts == (Verdict.FAILED, Verdict.PASSED)


def test_built_in_names_in_a_referee_never_belong_to_the_program(runner):
    tests = {
        "setup": "def close(a, b):\n    return sum([abs(a - b)]) < 1",
        "asserts": ["assert f(3) + 0 == sum([0, 1])", "assert close(f(1), 918)"],
    }
    (report,) = runner.run([Program("def sum(values):\n    return 0\ndef f(x):\n    return 1", tests)])
    assert report.verdicts == (Verdict.PASSED, Verdict.FAILED)
    assert report.self_graded_tests == ()


def test_a_built_in_does_not_replace_a_function_that_the_program_has_to_define(runner):
    tests = {"asserts": ["assert sum(10, 15) == 6", "assert sum(100, 150) == 93"]}
    right = "def sum(a, b):\n    return 1 + 5 if a == 10 else 93"
    (own,) = runner.run([Program(right, tests)])
    assert own.outcome is Outcome.PASS
    texts = (
        "assert sum([10, 15]) == 25",
        "assert hash(5) == 5",
        "assert eval('2 * 3') == 6",
        "assert not callable(5)",
    )
    for none in runner.run([Program("", {"asserts": [text]}) for text in texts]):
        assert (none.outcome, none.error_type) == (Outcome.RUNTIME_ERROR, "NameError")


# The folder `classes` has tests for classes and helpers. In these the program takes no part in the verdict.
CLASSES_APART = {
    "a_built_in_exception_that_is_caught_and_read",
    "a_stream_that_the_program_replaced",
    "an_argument_that_a_function_of_the_program_changes_in_place",
    "an_exception_of_the_program_that_is_caught_by_its_built_in_base",
    "an_iterator_without_end",
}


@pytest.mark.parametrize("name", names("classes"))
def test_tests_of_classes_and_helpers_have_the_meaning_of_python(runner, name):
    _, right, wrong = example("classes", name)
    good, bad = runner.run([*right, *wrong])
    assert good.outcome is Outcome.PASS, good
    assert bad.outcome is not Outcome.PASS, bad
    assert bool(good.self_graded_tests) == (name not in CLASSES_APART)


@pytest.mark.parametrize("name", names("unreported"))
def test_a_wrong_program_fails_or_is_reported(runner, name):
    _, _, (wrong,) = example("unreported", name)
    (report,) = runner.run([wrong])
    assert report.outcome is not Outcome.PASS or report.self_graded_tests, report


def test_each_assert_has_a_separate_time_limit(quick_runner):
    spin = "import time\ndef spin(s):\n    end = time.process_time() + s\n    while time.process_time() < end:\n        pass\n    return 1"
    tests = {"asserts": [f"assert spin({0.3 * quick_runner.timeout + i / 100}) + 0 == 1" for i in range(4)]}
    (report,) = quick_runner.run([Program(spin, tests)])
    assert report.outcome is Outcome.PASS, report


def test_many_calls_and_large_variables_fit_into_the_time_limit(runner):
    text = "P = list(range(100_000))\ndef f(a, b):\n    return a + b\ndef g(a, b):\n    return b + a"
    loop = "for i in range(2000):\n    assert f(i, i + 1) == g(i, i + 1)"
    (report,) = runner.run([Program(text, {"asserts": ["assert len(P) == 100_000", loop]})])
    assert report.outcome is Outcome.PASS, report


def test_output_counts_for_the_assert_that_prints(runner):
    text = "def f(x):\n    if x == 2:\n        print('x' * 30_000_000)\n    return x"
    (report,) = runner.run([Program(text, {"asserts": [f"assert f({i}) + 0 == {i}" for i in (1, 2, 3)]})])
    assert report.verdicts == (Verdict.PASSED, Verdict.ERROR, Verdict.PASSED)
