"""Checks of a dataset: the cheats, and what the runs of a problem's programs show."""

import json
from dataclasses import asdict

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.data import (
    CheckedProblem,
    CheckedProgram,
    CheckThresholds,
    Finding,
    check_problems,
    find_duplicates,
    find_faults,
    load_benchmark,
)
from trl_rltf.data.checks.cheats import make_cheats
from trl_rltf.execution import ExecutionReport, Outcome, Program, Verdict


ANY_LIMIT = CheckThresholds()


def row(tests, *solutions, prompt="Solve it.", name="problem"):
    return {"problem_id": name, "prompt": prompt, "tests": tests, "solutions": list(solutions)}


# ---------------------------------------------------------------------- cheats


def cheats_of(tests, **columns):
    return make_cheats(row(tests, **columns)).programs


def statement(*examples):
    """A statement that shows examples, in the form of APPS."""
    shown = "\n".join(f"Input\n{given}\n\nOutput\n{answer}\n" for given, answer in examples)
    return f"Count.\n\n-----Examples-----\n{shown}"


def test_cheats_of_standard_input_print_an_answer_or_the_input():
    tests = {"inputs": ["1", "2", "3"], "outputs": ["no", "yes\n", "yes"]}
    assert cheats_of(tests) == {
        "constant": "print('yes')",
        "first_test": "print('no')",
        "echo": "import sys; print(sys.stdin.read(), end='')",
        "first_line": "print(input())",
    }


def test_the_example_that_a_statement_shows_is_a_cheat():
    assert cheats_of({"inputs": ["1"], "outputs": ["2"]}, prompt=statement((7, 9)))["shown_example"] == "print('9')"


def test_several_examples_of_a_statement_are_a_table(runner):
    prompt = statement((7, 9), (1, 2))
    cheat = cheats_of({"inputs": ["1"], "outputs": ["2"]}, prompt=prompt)["shown_example"]
    tests = {"inputs": [" 7\n", "1\n", "5\n"], "outputs": ["9\n", "2\n", "9\n"]}
    assert runner.run([Program(cheat, tests)])[0].outcome is Outcome.PASS


def test_a_cheat_that_equals_another_one_is_listed_once():
    tests = {"inputs": ["1", "2"], "outputs": ["2", "2 \n"]}
    assert list(cheats_of(tests)) == ["constant", "echo", "first_line"]
    assert list(cheats_of(tests, prompt=statement((1, 2)))) == ["shown_example", "echo", "first_line"]


@pytest.mark.parametrize(
    ("tests", "has_one_answer"),
    [
        ({"inputs": ["1"], "outputs": ["2"]}, True),
        ({"inputs": ["1", "2"], "outputs": ["2", "2"]}, False),
        ({"fn_name": "f", "inputs": [[1]], "outputs": [2]}, True),
        ({"asserts": ["assert f(1) == 2"]}, True),
        ({"asserts": ["assert f(1) == 2", "assert f(2) == 2"]}, False),
        ({"asserts": ["check(f)"], "setup": "def check(g):\n    assert g(1) == 2\n    assert g(2) == 2"}, False),
    ],
)
def test_the_only_answer_is_no_cheat(tests, has_one_answer):
    cheats = make_cheats(row(tests))
    assert cheats.has_one_answer is has_one_answer
    assert ("constant" in cheats.programs) is not has_one_answer
    assert "first_test" not in cheats.programs


def test_answers_too_long_for_a_short_program_are_left_out():
    tests = {"inputs": ["1", "2"], "outputs": ["x" * 10_001, "2"]}
    assert list(cheats_of(tests)) == ["echo", "first_line"]


def test_cheats_of_calls_return_a_value_the_first_argument_or_nothing():
    tests = {"fn_name": "f", "inputs": [[1], [2], [3]], "outputs": [[1.5], ["a"], ["a"]]}
    assert cheats_of(json.dumps(tests)) == {
        "constant": "def f(*args, **kwargs): return ['a']",
        "first_test": "def f(*args, **kwargs): return [1.5]",
        "first_argument": "def f(*args, **kwargs): return args[0] if args else None",
        "none": "def f(*args, **kwargs): return None",
    }


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("assert f(1) == 2", "2"),
        ("assert 2 == f(1)", "2"),
        ("assert f(1) is None", "None"),
        ("assert f(1) == set([1, 2])", "set([1, 2])"),
        ("assert f(1)", "True"),
        ("assert not f(1)", "False"),
        ("import math\nassert math.isclose(f(1), 2.5, rel_tol=0.001)", "2.5"),
        ("assert abs(f(1) - 2.5) < 1e-6", "2.5"),
    ],
)
def test_the_answer_of_an_assert_is_the_constant_that_it_compares_with(text, answer):
    cheats = cheats_of({"asserts": [text, text, "assert f(3) == 'other'"]})
    assert cheats["constant"] == f"def f(*args, **kwargs): return {answer}"


def test_answers_of_humaneval_are_in_the_function_that_checks():
    tests = {
        "asserts": ["check(f)"],
        "setup": "def check(candidate):\n    assert candidate(1) == 3\n    assert candidate(2) == 4\n    assert candidate(5) == 4",
    }
    assert cheats_of(tests)["constant"] == "def f(*args, **kwargs): return 4"


def test_a_class_that_tests_use_gets_methods(runner):
    tests = {"asserts": ["assert Solution().size([1, 2]) == 2", "assert Solution(3).size([5, 6]) == 2"]}
    cheat = cheats_of(tests)["constant"]
    assert runner.run([Program(cheat, tests)])[0].outcome is Outcome.PASS


def test_an_assert_without_a_constant_has_cheats_without_a_constant():
    assert list(cheats_of({"asserts": ["assert f(1) == f(2)"]})) == ["first_argument", "none"]


# ---------------------------------------------------------------------- runs


def check(problem, runner, **options):
    (result,) = check_problems([problem], runner, **options)
    return result


def findings(problem, runner, thresholds=ANY_LIMIT, **options):
    return set(find_faults(check(problem, runner, **options), thresholds))


def test_a_right_problem_has_no_fault(runner):
    result = check(row(SUM_TESTS, SUM_PROGRAM), runner)
    assert find_faults(result, ANY_LIMIT) == {}
    assert [program.outcomes for program in result.references] == [["PASS", "PASS"]]
    assert [program.name for program in result.cheats] == ["empty", "constant", "echo", "first_line"]
    assert result.cheats[1].pass_ratio == 0.5  # 3 is the answer of one of two tests
    assert result.cpu_seconds > 0
    assert 2**22 < result.peak_memory < 2**26


def test_the_memory_of_a_problem_is_that_of_the_right_solution_that_takes_least(runner):
    large, wrong = (
        f"block = bytearray(2**{size})\n{source}" for size, source in ((27, SUM_PROGRAM), (24, "print(9)"))
    )
    assert check(row(SUM_TESTS, large, wrong), runner).peak_memory > 2**27
    assert check(row(SUM_TESTS, large, SUM_PROGRAM), runner).peak_memory < 2**26
    assert check(row(SUM_TESTS, wrong), runner).peak_memory is None


@pytest.mark.parametrize(
    ("solutions", "finding"),
    [
        ((), Finding.NO_REFERENCE),
        (("print(1)", "x = ="), Finding.NO_REFERENCE_PASSES),
        (("print(1)", SUM_PROGRAM), Finding.FIRST_REFERENCE_FAILS),
        ((SUM_PROGRAM, "print(1)"), Finding.SOME_REFERENCES_FAIL),
    ],
)
def test_reference_solutions_that_fail_are_found(solutions, finding, runner):
    assert findings(row(SUM_TESTS, *solutions), runner) == {finding}


def test_the_sentence_of_a_failing_reference_names_the_test(runner):
    found = find_faults(check(row(SUM_TESTS, "print(3)", SUM_PROGRAM), runner), ANY_LIMIT)
    assert found[Finding.FIRST_REFERENCE_FAILS] == (
        "1 of 2 reference solutions fail; reference 0: FAILURE in test 1: input '3 4\\n', expected '7\\n', got '3\\n'"
    )


def test_only_the_first_solutions_run(runner):
    assert findings(row(SUM_TESTS, SUM_PROGRAM, "print(1)"), runner, num_solutions=1) == set()


@pytest.mark.parametrize(
    ("tests", "solution", "cheat"),
    [
        ({"inputs": ["1", "2"], "outputs": ["YES", "YES\n"]}, "print('YES')", "constant"),
        ({"inputs": ["1", "2"], "outputs": ["1", "2"]}, "print(input())", "echo"),
        ({"fn_name": "f", "inputs": [[1], [2]], "outputs": [None, None]}, "f = print", "constant"),
        ({"fn_name": "f", "inputs": [[1], [[2]]], "outputs": [1, [2]]}, "def f(x): return x", "first_argument"),
        ({"asserts": ["assert f([1]) == [1]", "assert f(2) == 2"]}, "def f(x): return x", "first_argument"),
        ({"asserts": ["assert f(1)", "assert f(2)"]}, "def f(x): return x > 0", "constant"),
        ({"asserts": ["assert f(1) is None", "assert not f(2)"]}, "def f(x): return None", "constant"),
    ],
)
def test_a_cheat_that_passes_is_found_in_each_format(tests, solution, cheat, runner):
    found = find_faults(check(row(tests, solution), runner), ANY_LIMIT)
    assert list(found) == [Finding.CHEAT_PASSES]
    assert found[Finding.CHEAT_PASSES].startswith(f"{cheat} passes 2 of 2 tests: ")


def test_a_cheat_may_be_a_finding_from_a_share_of_the_tests(runner):
    problem = row(SUM_TESTS, SUM_PROGRAM)
    assert findings(problem, runner, CheckThresholds(cheat_pass_ratio=0.5)) == {Finding.CHEAT_PASSES}
    assert findings(problem, runner, CheckThresholds(cheat_pass_ratio=0.51)) == set()


def test_tests_that_the_example_of_the_statement_passes_are_found(runner):
    problem = row({"inputs": ["1"], "outputs": ["2"]}, "print(int(input()) + 1)", prompt=statement((1, 2)))
    assert findings(problem, runner) == {Finding.EXAMPLE_PASSES, Finding.ONE_ANSWER}
    assert findings({**problem, "prompt": statement((2, 3))}, runner) == {Finding.ONE_ANSWER}


def test_tests_that_the_empty_program_passes_are_found(runner):
    assert Finding.EMPTY_PASSES in findings(row({"inputs": ["1"], "outputs": [" \n"]}, "print()"), runner)


COIN = "import os\nprint(os.urandom(1)[0] % 2)\n"


def test_verdicts_that_differ_between_two_runs_are_found(runner):
    tests = {"inputs": [str(i) for i in range(40)], "outputs": [str(i % 2) for i in range(40)]}
    result = check(row(tests, COIN), runner)
    assert result.references[0].flaky_tests
    assert set(find_faults(result, ANY_LIMIT)) == {Finding.NO_REFERENCE_PASSES, Finding.FLAKY}
    assert Finding.FLAKY not in findings(row(tests, COIN), runner, num_runs=1)


def test_a_slow_reference_is_found(runner):
    program = "import time\nwhile time.process_time() < 0.3: pass\n" + SUM_PROGRAM
    result = check(row(SUM_TESTS, program), runner)
    assert list(find_faults(result, CheckThresholds(max_seconds=0.2))) == [Finding.SLOW]
    assert find_faults(result, CheckThresholds(max_seconds=30.0)) == {}


def test_tests_in_the_process_of_the_program_are_found(runner):
    # A lambda of the test that calls the program cannot run apart from it.
    tests = {"asserts": ["import threading\nassert f(threading.Lock()) == 1"]}
    assert Finding.SELF_GRADED in findings(row(tests, "def f(x): return 1"), runner)


def test_malformed_tests_of_a_dataset_are_found_and_the_others_are_checked(runner):
    problems = [row("{", name="a"), row(SUM_TESTS, SUM_PROGRAM, name="b"), row({"asserts": []}, name="c")]
    results = list(check_problems(problems, runner))
    assert [result.problem_id for result in results] == ["a", "b", "c"]
    assert [set(find_faults(result, ANY_LIMIT)) for result in results] == [
        {Finding.MALFORMED},
        set(),
        {Finding.MALFORMED},
    ]
    assert "not valid JSON" in results[0].error


def test_a_program_that_was_not_graded_is_found_and_is_not_flaky():
    passed = ExecutionReport(Outcome.PASS, (Verdict.PASSED,))
    broken = ExecutionReport(Outcome.NOT_GRADABLE)
    program = CheckedProgram.from_reports("reference 0", "", [passed, broken])
    empty = CheckedProgram.from_reports("empty", "", [ExecutionReport(Outcome.FAILURE, (Verdict.FAILED,))])
    found = find_faults(CheckedProblem("a", [program], [empty]), ANY_LIMIT)
    assert not program.is_flaky
    assert Finding.NOT_GRADABLE in found


def test_problems_are_graded_in_parts_with_the_same_results(runner):
    problems = [row(SUM_TESTS, SUM_PROGRAM, name="a"), row(SUM_TESTS, "print(3)", name="b"), row(SUM_TESTS, name="c")]

    def results(size):
        found = check_problems(problems, runner, problems_per_call=size)
        return [(result.problem_id, find_faults(result, ANY_LIMIT)) for result in found]

    assert results(1) == results(2) == results(16)


def test_a_result_is_made_again_from_its_fields(runner):
    result = check(row(SUM_TESTS, "print(3)", SUM_PROGRAM), runner)
    assert CheckedProblem.from_dict(json.loads(json.dumps(asdict(result)))) == result


def test_rows_with_the_id_or_the_prompt_of_an_earlier_one_are_found():
    problems = [
        {"problem_id": "a", "prompt": "Add two numbers."},
        {"problem_id": "a", "prompt": "Add."},
        {"problem_id": "b", "prompt": "Add two\nnumbers. "},
        {"problem_id": "c", "prompt": "add."},
    ]
    assert find_duplicates(problems) == [
        {},
        {Finding.DUPLICATE_ID: "an earlier row has the same id"},
        {Finding.DUPLICATE_PROMPT: "problem a has the same prompt"},
        {},
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CheckThresholds(cheat_pass_ratio=0), "`cheat_pass_ratio` is 0, but must be above 0"),
        (lambda: CheckThresholds(cheat_pass_ratio=1.5), "at most 1"),
        (lambda: CheckThresholds(max_seconds=0), "`max_seconds` is 0"),
        (lambda: check_problems([], None, num_runs=0), "`num_runs` is 0, but must be at least 1"),
        (lambda: check_problems([], None, num_solutions=-1), "`num_solutions` is -1, but must be at least 0"),
        (lambda: check_problems([], None, problems_per_call=0), "`problems_per_call` is 0"),
    ],
)
def test_settings_out_of_range_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------- rows that are left out


def test_a_caller_can_list_the_rows_that_are_left_out_or_renamed(tmp_path, caplog):
    rows = [
        {"prompt": "a", "tests": SUM_TESTS, "problem_id": "x"},
        {"prompt": "b", "tests": SUM_TESTS, "problem_id": "x"},
        {"prompt": "c", "tests": "{"},
        {"prompt": "d", "tests": None},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(content) + "\n" for content in rows) + "[]\n")
    notices = []
    dataset = load_benchmark("columns", file, bad_rows="skip", on_notice=notices.append)
    assert dataset["problem_id"] == ["x", "x (2)"]
    assert [(notice.kind, notice.reason) for notice in notices] == [
        ("renamed", "with the name of another row"),
        ("malformed", "with a malformed column `tests`"),
        ("left_out", "without tests"),
        ("malformed", "that are not JSON objects"),
    ]
    assert notices[0].where == "x (2)"
    assert "line 3, column `tests`: not valid JSON" in notices[1].message
    assert not caplog.text


def test_malformed_problems_of_apps_can_be_skipped(tmp_path, caplog):
    for name, tests in (("0000", json.dumps(SUM_TESTS)), ("0001", "{"), ("0002", None)):
        folder = tmp_path / "test" / name
        folder.mkdir(parents=True)
        (folder / "question.txt").write_text("Add.")
        if tests is not None:
            (folder / "input_output.json").write_text(tests)
    with pytest.raises(ValueError, match=r"0001/input_output\.json: not valid JSON"):
        load_benchmark("apps", tmp_path)
    assert load_benchmark("apps", tmp_path, bad_rows="skip")["problem_id"] == ["0000"]
    assert "2 of 3 rows are left out: 1 that are malformed" in caplog.text
    assert "1 without tests (0002)" in caplog.text


def test_malformed_rows_of_mbpp_can_be_skipped(tmp_path, caplog):
    right = {"task_id": 11, "text": "Add.", "code": "", "test_list": ["assert f(1) == 2"]}
    file = tmp_path / "mbpp.jsonl"
    file.write_text("\n".join([json.dumps(right), "{", json.dumps({**right, "task_id": 12, "test_list": []})]))
    assert load_benchmark("mbpp", file, bad_rows="skip")["problem_id"] == ["11"]
    assert "2 of 3 rows are left out" in caplog.text
    with pytest.raises(ValueError, match="line 2: not valid JSON"):
        load_benchmark("mbpp", file)
