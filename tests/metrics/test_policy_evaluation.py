"""Sampling from a model and grading, and the figures made of it."""

from dataclasses import replace

import pytest
import torch

from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.metrics import PolicyEvaluation, evaluate_policy


def test_a_model_is_sampled_and_graded(model, tokenizer, problems, runner):
    result = evaluate_policy(
        model, tokenizer, problems.select(range(3)), runner, num_samples=2, max_completion_length=8
    )
    assert result.num_samples == 2
    assert len(result.num_correct) == 3
    assert sum(result.outcome_shares.values()) == pytest.approx(1.0)


def test_it_leaves_model_and_random_state_as_they_were(model, tokenizer, problems, runner):
    model.train()
    before = torch.get_rng_state()
    evaluate_policy(model, tokenizer, problems.select(range(1)), runner, num_samples=1, max_completion_length=4)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


def test_the_same_seed_gives_the_same_samples(model, tokenizer, problems, runner):
    def run(seed):
        return evaluate_policy(
            model, tokenizer, problems.select(range(2)), runner, num_samples=2, max_completion_length=8, seed=seed
        )

    assert run(1) == run(1)


def test_figures_of_known_counts():
    result = PolicyEvaluation(num_samples=4, num_correct=(0, 1, 4), outcome_shares={})
    assert result.pass_at_k(1) == pytest.approx((0 + 0.25 + 1) / 3)
    assert result.pass_at_k(2) == pytest.approx((0 + 0.5 + 1) / 3)
    low, high = result.interval(1)
    assert 0 <= low < result.pass_at_k(1) < high <= 1


def test_chat_prompts_are_sampled_through_the_template(model, tokenizer, problems, runner):
    import copy

    chat = copy.deepcopy(tokenizer)
    chat.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    rows = problems.select(range(2))
    plain = evaluate_policy(
        model, tokenizer, rows, runner, num_samples=2, max_completion_length=8, max_prompt_length=20
    )
    messages = rows.remove_columns("prompt").add_column(
        "prompt", [[{"role": "user", "content": p}] for p in rows["prompt"]]
    )
    assert (
        evaluate_policy(model, chat, messages, runner, num_samples=2, max_completion_length=8, max_prompt_length=20)
        == plain
    )


def test_pass_at_k_is_also_that_of_whole_modules_and_clipped_samples_are_counted(model, tokenizer, problems):
    """Of two samples of each of two problems the first passes; of the second problem it has an error in trailing code."""

    class Fixed:
        def run(self, programs):
            wrong = ExecutionReport(Outcome.FAILURE, (Verdict.FAILED,))
            right = ExecutionReport(Outcome.PASS, (Verdict.PASSED,))
            return [right, wrong, replace(right, trailing_error_type="SyntaxError"), wrong]

    result = evaluate_policy(
        model, tokenizer, problems.select(range(2)), Fixed(), num_samples=2, max_completion_length=2
    )
    assert (result.num_correct, result.num_whole_correct) == ((1, 1), (1, 0))
    assert (result.pass_at_k(1), result.pass_at_k(1, whole_module=True)) == (0.5, 0.25)
    assert result.trailing_error_share == 0.25
    assert result.clipped_share == 1.0


def test_nothing_to_sample_is_refused(model, tokenizer, problems, runner):
    with pytest.raises(ValueError, match="nothing to sample: 0 samples"):
        evaluate_policy(model, tokenizer, problems, runner, num_samples=0)


def test_a_gain_is_paired_problem_by_problem():
    shares = {"PASS": 0.5}
    before, after = PolicyEvaluation(4, (0, 4, 1, 2), shares), PolicyEvaluation(4, (1, 4, 2, 3), shares)
    gain = after.gain_over(before, 1)
    assert gain.value == pytest.approx(3 / 16)
    # One problem gains nothing, three gain a quarter; apart, the intervals of both would be as wide as pass@1 itself.
    assert 0 <= gain.low < gain.value < gain.high <= 0.25


def test_a_gain_needs_the_same_problems():
    with pytest.raises(ValueError, match="needs the same problems, but there are 1 and 2"):
        PolicyEvaluation(4, (1,), {}).gain_over(PolicyEvaluation(4, (1, 2), {}), 1)
