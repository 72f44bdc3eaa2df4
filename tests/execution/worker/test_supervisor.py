"""A program is graded within budgets of time, in this order: run, locate errors, check for tampering."""


def kinds(reply):
    return [test["kind"] for test in reply["tests"]]


def test_the_values_of_all_tests_are_in_the_answers(scenario):
    reply = scenario("grades_functions")
    assert kinds(reply) == ["done", "error", "done"]
    assert reply["values"] == ["[[1]]", "", "[[2, 2]]"]
    assert (reply["error"]["type"], reply["compiled"]) == ("TypeError", True)
    assert 0 < reply["cpu"] <= reply["wall"] + 0.1


def test_an_error_is_located_in_a_further_child(scenario):
    error = scenario("locates_an_error")["error"]
    assert error["type"] == "ZeroDivisionError"
    assert (error["span"], error["expression_span"]) == ([3, 4, 3, 21], [3, 15, 3, 21])


def test_after_one_timeout_the_other_tests_get_a_short_budget(scenario):
    reply = scenario("grades_after_one_timeout")
    assert kinds(reply) == ["done", "timeout", "done"]
    assert reply["error"]["message"] == "the test used more than 1 s of CPU time (`timeout`)"


def test_a_second_timeout_within_the_budget_is_not_a_verdict(scenario):
    reply = scenario("grades_after_two_timeouts")
    assert kinds(reply) == ["timeout", "not_run", "not_run"]
    assert reply["cpu"] < 0.4 + 2 * 0.25 * 0.4


def test_a_program_that_has_used_its_time_runs_no_more(scenario):
    reply = scenario("grades_a_program_that_has_used_its_time")
    assert kinds(reply) == ["timeout", "not_run"]
    assert reply["error"]["message"].startswith("all tests together used more than 1.2 s of CPU time")
    assert reply["cpu"] == 0


def test_a_program_that_changes_the_worker_has_failed_and_retires_it(scenario):
    reply = scenario("grades_a_program_that_lowers_a_limit")
    assert (kinds(reply), reply["error"]["type"], reply["retire"]) == (["error"], "TamperingError", True)
    assert "limits or priority" in reply["error"]["message"]


def test_a_program_that_takes_away_its_folder_has_failed_and_retires_the_worker(scenario):
    reply = scenario("grades_a_program_that_removes_its_folder")
    assert (kinds(reply), reply["error"]["type"], reply["retire"]) == (["error"], "TamperingError", True)
    assert "folder" in reply["error"]["message"]


def test_a_script_gets_one_input_per_test(scenario):
    reply = scenario("grades_a_script")
    assert (kinds(reply), reply["printed"]) == (["done", "error", "done"], ["2\n", "", "6\n"])
    assert reply["error"]["type"] == "ValueError"


def test_a_file_that_a_script_leaves_is_gone_in_its_next_test(scenario):
    reply = scenario("grades_a_script_that_leaves_a_file")
    assert (kinds(reply), reply["printed"]) == (["done"] * 3, ["[]\n"] * 3)


def test_a_script_that_does_not_compile_runs_no_test(scenario):
    reply = scenario("grades_a_script_that_does_not_compile")
    assert (kinds(reply), reply["compiled"]) == (["not_run"] * 2, False)
    assert (reply["error"]["type"], reply["error"]["detail"]) == ("SyntaxError", "truncated")
