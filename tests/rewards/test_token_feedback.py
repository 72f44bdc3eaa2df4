"""The token rewards of each `token_feedback`, with numbers worked out by hand."""

import pytest

from trl_rltf import UnitTestRewardFunction


# A character is a token. Both programs get a reward of 0, so each token reward is the feedback alone.
TESTS = {"inputs": [""], "outputs": ["9"]}
WRONG = "a = 1\nb = a + 2\n"
RAISES = "a = 1\nb = a + c\n"


def tokens_of(runner, tokenizer, settings):
    sources = [WRONG, RAISES]
    ids = [tokenizer(source)["input_ids"] for source in sources]
    function = UnitTestRewardFunction(runner, **settings)
    return [r.tokens for r in function(["p"] * 2, sources, ids, [TESTS] * 2, processing_class=tokenizer)]


@pytest.mark.parametrize(
    ("settings", "weight"), [({}, 1.0), ({"token_feedback": "line_credit"}, 1.0), ({"token_weight": 0.3}, 0.3)]
)
def test_lines_get_a_credit_compared_with_the_group(runner, character_tokenizer, settings, weight):
    # Both programs parse. One of two ran: 1 - 1/2 for its lines, and 0 - 1/2 for those of the other one.
    wrong, raises = tokens_of(runner, character_tokenizer, settings)
    assert wrong == [weight * 0.5] * len(WRONG)
    assert raises == [weight * -0.5] * len(WRONG)


@pytest.mark.parametrize(
    ("settings", "penalized", "penalty"),
    [
        ({"token_feedback": "statement_penalty"}, "b = a + c", -1.0),
        ({"token_feedback": "statement_penalty", "token_weight": 0.3}, "b = a + c", -0.3),
        ({"token_feedback": "statement_penalty", "normalize_span": True}, "b = a + c", -16 / 9),
        ({"token_feedback": "expression_penalty"}, "c", -1.0),
        ({"token_feedback": "expression_penalty", "token_weight": 0.3, "normalize_span": True}, "c", -0.3 * 16),
    ],
)
def test_a_penalty_falls_on_the_error_alone(runner, character_tokenizer, settings, penalized, penalty):
    wrong, raises = tokens_of(runner, character_tokenizer, settings)
    start = RAISES.index(penalized)
    assert wrong == [0.0] * len(WRONG)
    assert raises == [penalty if start <= i < start + len(penalized) else 0.0 for i in range(len(RAISES))]


@pytest.mark.parametrize(
    "settings",
    [
        {"token_feedback": None},
        {"token_weight": 0},
        {"token_weight": 0, "token_feedback": "statement_penalty", "normalize_span": True},
    ],
)
def test_without_token_feedback_all_tokens_get_the_reward_of_the_completion(runner, character_tokenizer, settings):
    assert tokens_of(runner, character_tokenizer, settings) == [[0.0] * len(WRONG), [0.0] * len(RAISES)]


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({}, 1.0),
        ({"token_feedback": "statement_penalty"}, 1.0),
        ({"token_feedback": None}, None),
        ({"token_weight": 0}, None),
    ],
)
def test_the_share_of_localized_errors_is_logged_with_token_feedback(runner, character_tokenizer, settings, share):
    metrics = {}
    ids = [character_tokenizer(RAISES)["input_ids"]]
    UnitTestRewardFunction(runner, **settings)(
        ["p"], [RAISES], ids, [TESTS], processing_class=character_tokenizer, log_metric=metrics.__setitem__
    )
    assert metrics.get("outcome/localized") == share
