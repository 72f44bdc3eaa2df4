"""Rewards of sequences and tokens, with numbers worked out by hand from the paper's table."""

import pickle

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf import TokenReward, UnitTestRewardFunction
from trl_rltf.execution import ExecutionReport, LocalRunner, Outcome, Verdict
from trl_rltf.presets import paper_reward


FOUR_TESTS = {"inputs": ["1\n", "2\n", "3\n", "4\n"], "outputs": ["1", "2", "3", "5"]}


def rewards_of(runner, tokenizer, completions, tests=SUM_TESTS, **options):
    function = paper_reward(runner, **options)
    ids = [tokenizer(text)["input_ids"] for text in completions]
    return function(
        prompts=[""] * len(ids),
        completions=completions,
        completion_ids=ids,
        tests=[tests] * len(ids),
        processing_class=tokenizer,
    )


@pytest.mark.parametrize(
    ("source", "reward"), [(SUM_PROGRAM, 1.0), ("print(9)", -0.3), ("print(x)", -0.6), ("print(", -1.0)]
)
def test_the_paper_rewards_each_outcome_class(runner, tokenizer, source, reward):
    assert rewards_of(runner, tokenizer, [source], adaptive_weight=0, token_weight=0) == [pytest.approx(reward)]


def test_the_adaptive_reward_grows_with_the_share_of_tests_passed(runner, tokenizer):
    (reward,) = rewards_of(runner, tokenizer, ["print(input())"], FOUR_TESTS)
    assert reward == pytest.approx(-0.3 + 1.3 * 3 / 4)
    (half,) = rewards_of(runner, tokenizer, ["print(input())"], FOUR_TESTS, adaptive_weight=0.5)
    assert half == pytest.approx(-0.3 + 0.5 * 1.3 * 3 / 4)


def test_the_tests_passed_by_a_program_that_raises_count_only_on_request(runner, tokenizer):
    source = "n = int(input())\nprint(n if n < 4 else nothing)"
    plain = rewards_of(runner, tokenizer, [source], FOUR_TESTS, token_weight=0)
    asked = rewards_of(runner, tokenizer, [source], FOUR_TESTS, token_weight=0, adaptive_runtime_errors=True)
    assert plain == [pytest.approx(-0.6)]
    assert asked == [pytest.approx(-0.6 + 1.3 * 3 / 4)]


def test_only_the_tokens_of_the_failing_statement_are_penalized(runner, tokenizer):
    source = "a = 1\nb = undefined\nc = 3\n"
    (reward,) = rewards_of(runner, tokenizer, [source])
    ids = tokenizer(source)["input_ids"]
    texts = [tokenizer.decode([i]) for i in ids]
    penalized = [text for text, value in zip(texts, reward.tokens, strict=True) if value == pytest.approx(-0.9)]
    assert "".join(penalized).strip() == "b = undefined"
    assert {round(value, 6) for value in reward.tokens} == {-0.6, -0.9}
    assert float(reward) == pytest.approx(-0.6)


def test_an_expression_penalty_falls_on_fewer_tokens(runner, tokenizer):
    source = "a = 1\nb = 2 + undefined + 3 + 4 + 5\n"
    (line,) = rewards_of(runner, tokenizer, [source])
    (expression,) = rewards_of(runner, tokenizer, [source], token_feedback="expression_penalty")
    assert 0 < sum(v < -0.7 for v in expression.tokens) < sum(v < -0.7 for v in line.tokens)


def test_an_expression_penalty_falls_on_the_token_that_ends_a_program_too_early(runner, tokenizer):
    source = "a = [1, 2]\nprint(a"
    line, expression = (
        rewards_of(runner, tokenizer, [f"{source}\n"], token_feedback=f"{unit}_penalty")[0].tokens
        for unit in ("statement", "expression")
    )
    assert line == [pytest.approx(-1.3)] * len(line)
    before = len(tokenizer(source)["input_ids"])
    assert expression == [pytest.approx(-1.3 if index == before else -1.0) for index in range(len(expression))]
    # A completion cut at the length limit has no final token.
    (cut,) = rewards_of(runner, tokenizer, [source], token_feedback="expression_penalty")
    assert cut.tokens == [pytest.approx(-1.3)] * len(cut.tokens)


def test_an_expression_penalty_falls_on_the_line_break_after_a_missing_colon(runner, tokenizer):
    source = "def f(v)\n    return v\n"
    (reward,) = rewards_of(runner, tokenizer, [source], token_feedback="expression_penalty")
    texts = [tokenizer.decode([index]) for index in tokenizer(source)["input_ids"]]
    penalized = "".join(text for text, value in zip(texts, reward.tokens, strict=True) if value < -1.1)
    assert "\n" in penalized
    assert not penalized.strip()


def test_a_timeout_penalizes_all_tokens_and_a_failure_none(runner, tokenizer):
    loop, wrong = rewards_of(runner, tokenizer, ["while True:\n    pass", "print(0)"])
    assert loop.tokens == [pytest.approx(-0.9)] * len(loop.tokens)
    assert wrong.tokens == [pytest.approx(-0.3)] * len(wrong.tokens)


def test_a_fence_before_the_code_shifts_the_tokens(runner, tokenizer):
    completion = "The answer:\n```python\na = 1\nb = undefined\n```\n"
    (reward,) = rewards_of(runner, tokenizer, [completion])
    ids = tokenizer(completion)["input_ids"]
    penalized = [tokenizer.decode([i]) for i, value in zip(ids, reward.tokens, strict=True) if value < -0.7]
    assert "".join(penalized).strip() == "b = undefined"


def test_normalising_by_the_span_gives_all_errors_the_same_weight(runner, tokenizer):
    sources = ["a = 1\nb = undefined\nc = 3\n", "d = undefined_name + other_name\n"]
    for source in sources:
        (reward,) = rewards_of(runner, tokenizer, [source], normalize_span=True)
        total = sum(value - float(reward) for value in reward.tokens)
        assert total / len(reward.tokens) == pytest.approx(-0.3)


def test_the_default_is_the_share_of_tests_passed(runner):
    function = UnitTestRewardFunction(runner)
    raises = "n = int(input())\nprint(n if n < 4 else nothing)"
    sources = ["print(input())", raises, "print(0)", "print(x)", "print("]
    assert function([""] * 5, sources, tests=[FOUR_TESTS] * 5) == [0.75, 0.75, 0, 0, 0]
    assert function([""], ["n = input()\nprint(n if n < '4' else 5)"], tests=[FOUR_TESTS]) == [1]


def test_chat_messages_are_graded_by_their_text(runner, tokenizer):
    function = paper_reward(runner)
    text = f"```python\n{SUM_PROGRAM}```"
    ids = tokenizer(text)["input_ids"]
    completions = [
        [{"role": "assistant", "content": text}],
        [{"role": "assistant", "content": [{"type": "text", "text": text}]}],
        [{"role": "assistant", "content": None}],
        [],
    ]
    rewards = function([[]] * 4, completions, [ids, ids, [], []], [SUM_TESTS] * 4, processing_class=tokenizer)
    assert rewards == [1.0, 1.0, pytest.approx(-0.3), pytest.approx(-0.3)]


def test_without_token_ids_or_tokenizer_it_is_a_plain_reward(runner):
    function = paper_reward(runner)
    assert function(prompts=["", ""], completions=["print(x)", ""], tests=[SUM_TESTS] * 2) == [-0.6, -0.3]
    (reward,) = function(prompts=[""], completions=["print(x)"], completion_ids=[[5, 6]], tests=[SUM_TESTS])
    assert reward.tokens == [-0.6, -0.6]


def test_a_program_that_could_not_be_graded_has_no_reward(tokenizer):
    class Broken:
        def run(self, programs):
            return [ExecutionReport(Outcome.NOT_GRADABLE, (Verdict.NOT_RUN,)) for _ in programs]

    assert rewards_of(Broken(), tokenizer, ["print(1)"]) == [None]


def test_metrics_and_columns_go_to_the_hooks_of_trl(runner, tokenizer):
    extra, metrics = {}, {}
    sources = [SUM_PROGRAM, "print(x)", "print(", "print(9)"]
    UnitTestRewardFunction(runner)(
        prompts=[""] * 4,
        completions=sources,
        completion_ids=[tokenizer(s)["input_ids"] for s in sources],
        tests=[SUM_TESTS] * 4,
        processing_class=tokenizer,
        log_extra=extra.__setitem__,
        log_metric=metrics.__setitem__,
    )
    assert extra["outcome"] == ["PASS", "RUNTIME_ERROR", "SYNTAX_ERROR", "FAILURE"]
    assert extra["error_type"] == ["", "NameError", "SyntaxError", ""]
    assert extra["error_line"] == [None, 1, 1, None]
    # The first test is "1 2\n", and its output "3\n".
    asked = "input: '1 2\\n'\nexpected: '3\\n'\ngot: "
    errors = ["NameError: name 'x' is not defined", "SyntaxError: '(' was never closed"]
    assert extra["first_failure"] == ["", *(asked + error for error in errors), asked + "'9\\n'"]
    assert metrics["outcome/pass"] == metrics["outcome/syntax_error"] == 0.25
    assert metrics["outcome/pass_ratio"] == 0.25
    assert metrics["outcome/localized"] == 1.0
    assert metrics["grading/seconds"] > 0
    assert metrics["grading/self_graded"] == 0


def test_errors_in_trailing_code_are_a_metric_and_a_column():
    trailing = ExecutionReport(Outcome.PASS, (Verdict.PASSED,), trailing_error_type="AssertionError")

    class Fixed:
        def run(self, programs):
            return [trailing, ExecutionReport(Outcome.PASS, (Verdict.PASSED,))] * 2

    extra, metrics = {}, {}
    rewards = UnitTestRewardFunction(Fixed())(
        completions=["def f(): ..."] * 4,
        tests=[SUM_TESTS] * 4,
        log_extra=extra.__setitem__,
        log_metric=metrics.__setitem__,
    )
    assert rewards == [1.0] * 4  # the functions pass the tests
    assert metrics["outcome/trailing_error"] == 0.5
    assert extra["trailing_error"] == ["AssertionError", "", "AssertionError", ""]


def test_without_prompts_completions_with_equal_tests_are_a_group(runner, tokenizer):
    sources = ["a = 1\nb = 2\n", "a = 1\nb = = 2\n", "b = = 2\n"]
    ids = [tokenizer(source)["input_ids"] for source in sources]
    arguments = {"completions": sources, "completion_ids": ids, "processing_class": tokenizer}
    reward = UnitTestRewardFunction(runner)
    tests = [SUM_TESTS, SUM_TESTS, FOUR_TESTS]
    without = reward(**arguments, tests=tests)
    assert [r.tokens for r in without] == [r.tokens for r in reward(**arguments, tests=tests, prompts=["x", "x", "y"])]
    # The second line of one of two programs parsed; the third program is alone in its group.
    assert [(min(r.tokens), max(r.tokens)) for r in without] == [(0.0, 0.5), (-0.5, 0.0), (0.0, 0.0)]


@pytest.mark.parametrize("column", ["prompts", "tests", "completion_ids"])
def test_a_column_of_another_length_is_named(runner, column):
    columns = {"completions": ["a", "b"], "tests": [SUM_TESTS] * 2, column: [SUM_TESTS]}
    with pytest.raises(ValueError, match=f"There are 1 `{column}` and 2 `completions`"):
        UnitTestRewardFunction(runner)(**columns)


def test_a_missing_column_is_named(runner):
    with pytest.raises(ValueError, match="no column `tests`"):
        UnitTestRewardFunction(runner)(prompts=[""], completions=[""])


def test_malformed_tests_name_the_row_and_the_problem(runner):
    with pytest.raises(ValueError, match=r"row 1 of the batch \(problem 'p1'\), column `tests`: the tests are empty"):
        UnitTestRewardFunction(runner)(
            prompts=["", ""],
            completions=["", ""],
            tests=[SUM_TESTS, {"inputs": [], "outputs": []}],
            problem_id=["p0", "p1"],
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_weight": -1}, "`token_weight` is -1"),
        ({"adaptive_weight": float("nan")}, "`adaptive_weight` is nan"),
        ({"coarse_weight": "1"}, "`coarse_weight` is '1', but must be a number"),
        ({"token_feedback": "line"}, "`token_feedback` is 'line', but must be None or one of 'line_credit', "),
        ({"normalize_span": True}, "needs a penalty, but `token_feedback` is 'line_credit'"),
        ({"normalize_span": True, "token_feedback": None}, "needs a penalty, but `token_feedback` is None"),
        ({"coarse_rewards": {Outcome.PASS: 1.0}}, "no reward for FAILURE, RUNTIME_ERROR, SYNTAX_ERROR"),
        ({"coarse_rewards": {"PASS": 1.0}}, "no reward for PASS, .* Its keys are members of `Outcome`"),
    ],
)
def test_settings_out_of_range_are_refused(runner, options, message):
    with pytest.raises(ValueError, match=message):
        UnitTestRewardFunction(runner, **options)


def test_the_reward_function_needs_the_opt_in(monkeypatch):
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL"):
        UnitTestRewardFunction()
    UnitTestRewardFunction(LocalRunner(isolation="process", allow_code_eval=True))


def test_a_token_reward_is_a_number_and_survives_pickling():
    reward = TokenReward(-0.6, [-0.6, -0.9])
    again = pickle.loads(pickle.dumps(reward))
    assert (again, again.tokens) == (-0.6, [-0.6, -0.9])
    assert sum([reward, 1.0]) == pytest.approx(0.4)


def test_an_object_that_cannot_run_programs_is_refused_as_a_runner():
    with pytest.raises(TypeError, match="`runner` is a bool"):
        UnitTestRewardFunction(True)
