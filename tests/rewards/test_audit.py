"""Tests that audit the reward: they count in no reward, and their figures are logged."""

import json

import pytest
from support import SUM_PROGRAM, SUM_TESTS, history

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.execution import ExecutionReport, LocalRunner, Outcome, Verdict
from trl_rltf.execution.audit_tests import split_audit_tests
from trl_rltf.presets import paper_reward


DOUBLES = {"inputs": [f"{i}\n" for i in range(10)], "outputs": [f"{2 * i}\n" for i in range(10)]}
REWARDED, AUDIT = ([int(text) for text in part["inputs"]] for part in split_audit_tests(DOUBLES, 0.3))
READ = "n = int(input())\n"
RIGHT = f"{READ}print(2 * n)\n"


def knows(numbers, otherwise="print(-1)"):
    """A program that is right for some inputs alone."""
    return f"{READ}if n in {numbers}:\n    print(2 * n)\nelse:\n    {otherwise}\n"


def reward(runner, sources, tests=DOUBLES, audit_tests=0.3, **options):
    extra, metrics = {}, {}
    function = options.pop("function", UnitTestRewardFunction)(runner, audit_tests=audit_tests)
    rewards = function(
        completions=sources,
        tests=[tests] * len(sources),
        log_extra=extra.__setitem__,
        log_metric=metrics.__setitem__,
        **options,
    )
    return rewards, extra, metrics


def test_the_reward_is_that_of_the_rewarded_tests_alone(runner):
    sources = [RIGHT, knows(REWARDED), knows(AUDIT), knows(REWARDED[:4] + AUDIT[:1])]
    rewards, extra, metrics = reward(runner, sources)
    assert rewards == pytest.approx([1, 1, 0, 4 / 7])
    assert [r.outcome for r in rewards] == [Outcome.PASS, Outcome.PASS, Outcome.FAILURE, Outcome.FAILURE]
    assert extra["tests_passed"] == ["7/7", "7/7", "0/7", "4/7"]
    assert extra["audit_tests_passed"] == ["3/3", "0/3", "3/3", "1/3"]
    assert metrics["outcome/pass_ratio"] == pytest.approx((1 + 1 + 0 + 4 / 7) / 4)
    assert metrics["audit/pass_ratio"] == pytest.approx((1 + 0 + 1 + 1 / 3) / 4)
    assert metrics["audit/gap"] == pytest.approx((0 + 1 - 1 + (4 / 7 - 1 / 3)) / 4)


def test_an_error_in_audit_tests_alone_is_no_error(runner, tokenizer):
    sources = [knows(REWARDED, otherwise="nothing"), knows(REWARDED, otherwise="while True: pass"), RIGHT]
    ids = [tokenizer(source)["input_ids"] for source in sources]
    arguments = {"completion_ids": ids, "processing_class": tokenizer}
    for function in (UnitTestRewardFunction, paper_reward):
        rewards, extra, metrics = reward(runner, sources, function=function, **arguments)
        assert rewards == [1.0] * 3
        assert [set(r.tokens) for r in rewards] == [{1.0}] * 3
        assert extra["outcome"] == ["PASS"] * 3
        assert extra["error_type"] == extra["first_failure"] == ["", "", ""]
        assert (metrics["outcome/pass"], metrics["outcome/runtime_error"]) == (1, 0)
        assert metrics["audit/gap"] == pytest.approx(2 / 3)


def test_the_first_failure_is_that_of_a_rewarded_test(runner):
    source = knows([n for n in range(10) if n not in (AUDIT[0], REWARDED[2])])
    _, extra, _ = reward(runner, [source])
    assert extra["first_failure"] == [f"input: '{REWARDED[2]}\\n'\nexpected: '{2 * REWARDED[2]}\\n'\ngot: '-1\\n'"]
    assert extra["error_line"] == [None]


def test_the_error_of_a_rewarded_test_counts_after_one_of_an_audit_test(runner, tokenizer):
    source = f"{READ}if n in {AUDIT}:\n    audit_error\nif n == {REWARDED[0]}:\n    rewarded_error\nprint(2 * n)\n"
    rewards, extra, _ = reward(
        runner, [source], completion_ids=[tokenizer(source)["input_ids"]], processing_class=tokenizer
    )
    assert rewards == [pytest.approx(6 / 7)]
    assert extra["error_line"] == [5]


def test_a_runner_that_stops_at_the_first_failure_does_not_stop_at_an_audit_test():
    with LocalRunner(num_workers=1, isolation="process", stop_on_first_failure=True) as local:
        rewards, extra, _ = reward(local, [knows(REWARDED)])
    assert rewards == [1.0]
    assert extra["audit_tests_passed"] == ["0/3"]


def test_all_tests_run_in_one_call_of_the_runner():
    class Counts:
        calls = 0

        def run(self, programs):
            self.calls += 1
            return [ExecutionReport(Outcome.PASS, (Verdict.PASSED,)) for _ in programs]

    runner = Counts()
    reward(runner, [RIGHT] * 4)
    assert runner.calls == 1


def test_a_program_that_could_not_be_graded_is_in_no_audit_figure():
    class FailsFor:
        def __init__(self, *bad):
            self.bad = bad

        def run(self, programs):
            good, failed = ExecutionReport(Outcome.PASS, (Verdict.PASSED,)), ExecutionReport(Outcome.NOT_GRADABLE)
            return [failed if index in self.bad else good for index in range(len(programs))]

    # Two programs with their rewarded tests, and then with their audit tests.
    rewards, _, metrics = reward(FailsFor(3), [RIGHT] * 2)
    assert (rewards, metrics["audit/pass_ratio"], metrics["audit/gap"]) == ([1, 1], 1, 0)
    rewards, _, metrics = reward(FailsFor(0, 3), [RIGHT] * 2)
    assert rewards == [None, 1]
    assert not {"audit/pass_ratio", "audit/gap"} & set(metrics)


def test_a_problem_with_one_test_has_no_audit_test_and_is_rewarded_as_before(runner):
    one = {"inputs": ["1 2\n"], "outputs": ["3\n"]}
    rewards, extra, metrics = reward(runner, [SUM_PROGRAM, "print(3)"], tests=one)
    assert rewards == [1, 1]
    assert extra["audit_tests_passed"] == ["", ""]
    assert "audit/gap" not in metrics
    function = UnitTestRewardFunction(runner, audit_tests=0.5)
    function(completions=[SUM_PROGRAM] * 2, tests=[one, json.dumps(SUM_TESTS)], log_extra=extra.__setitem__)
    assert extra["audit_tests_passed"] == ["", "1/1"]


def test_without_audit_tests_all_tests_are_rewarded_and_nothing_more_is_logged(runner):
    rewards, extra, metrics = reward(runner, [knows(REWARDED)], audit_tests=0)
    assert rewards == [0.7]
    assert "audit_tests_passed" not in extra
    assert not any(name.startswith("audit/") for name in metrics)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan"), "0.3", True, None])
def test_a_share_out_of_range_is_refused(runner, share):
    with pytest.raises(ValueError, match=r"`audit_tests` is .*, but must be a share of the tests"):
        UnitTestRewardFunction(runner, audit_tests=share)


@pytest.mark.slow
def test_the_gap_is_logged_while_a_model_is_trained(runner, tmp_path, model, tokenizer, problems):
    trainer = RLTFTrainer(
        model=model,
        reward_funcs=UnitTestRewardFunction(runner, audit_tests=0.3),
        args=RLTFConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=8,
            logging_steps=1,
            log_completions=True,
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=problems,
        processing_class=tokenizer,
    )
    trainer.train()
    # The untrained model passes no test.
    assert history(trainer, "audit/pass_ratio") == history(trainer, "audit/gap") == [0.0, 0.0]
