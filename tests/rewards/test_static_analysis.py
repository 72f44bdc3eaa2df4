"""Penalties for the findings of static analysis, with numbers worked out by hand."""

import pickle

import pytest

from trl_rltf.rewards import StaticAnalysisReward


pytest.importorskip("ruff", reason="ruff is not installed")


@pytest.fixture(scope="module")
def reward():
    return StaticAnalysisReward(penalty=0.1, max_findings=3, token_weight=2.0)


def call(function, completions, tokenizer=None, **columns):
    extra, metrics = {}, {}
    if tokenizer is not None:
        columns["completion_ids"] = [tokenizer(text)["input_ids"] for text in columns.pop("texts", completions)]
        columns["processing_class"] = tokenizer
    columns |= {"log_extra": extra.__setitem__, "log_metric": metrics.__setitem__}
    rewards = function(prompts=[""] * len(completions), completions=completions, **columns)
    return rewards, extra, metrics


def test_each_finding_costs_the_penalty_up_to_the_cap(reward):
    completions = ["print(1)\n", "print(a)\n", "print(a, b)\n", "print(a, b, c)\n", "print(a, b, c, d)\n"]
    rewards, _, _ = call(reward, completions)
    assert rewards == pytest.approx([0, -0.1, -0.2, -0.3, -0.3])
    assert str(float(rewards[0])) == "0.0"


@pytest.mark.parametrize("source", ["print(1", "x = = 2\n", "break\n", "x" * 200_000])
def test_a_program_that_cannot_be_analysed_costs_as_much_as_the_cap(reward, source):
    assert call(reward, [source])[0] == pytest.approx([-0.3])


def test_the_tokens_of_a_finding_get_a_second_penalty(reward, character_tokenizer):
    source = "a = 1\nb = nope + a\n"
    ((one,), _, _) = call(reward, [source], character_tokenizer)
    start = source.index("nope")
    expected = [-0.1 - 0.2 * (start <= index < start + 4) for index in range(len(source))]
    assert one.tokens == pytest.approx(expected)
    assert float(one) == pytest.approx(-0.1)


def test_a_token_of_several_findings_gets_the_penalty_of_each(character_tokenizer):
    function = StaticAnalysisReward(["B015", "PLR0124", "F821"], penalty=0.1, token_weight=1.0)
    # A comparison as a statement (all of it), of a name with itself (the first one), which is undefined twice.
    ((one,), extra, _) = call(function, ["ab == ab\n"], character_tokenizer)
    assert one == pytest.approx(-0.4)
    assert one.tokens == pytest.approx([-0.7, -0.7, -0.5, -0.5, -0.5, -0.5, -0.6, -0.6, -0.4])
    assert len(extra["findings"][0].splitlines()) == 4


def test_only_the_findings_that_count_mark_tokens(reward, character_tokenizer):
    source = "print(a, b, c, d, e)\n"
    ((one,), extra, _) = call(reward, [source], character_tokenizer)
    marked = "".join(c for c, value in zip(source, one.tokens, strict=True) if value < -0.4)
    assert marked == "abc"
    assert extra["findings"] == [
        "1: F821 Undefined name `a`\n1: F821 Undefined name `b`\n1: F821 Undefined name `c`\nand 2 more"
    ]


def test_a_syntax_error_marks_its_position(reward, character_tokenizer):
    source = "a = 1\nb = = 2\n"
    ((one,), extra, _) = call(reward, [source], character_tokenizer)
    assert one == pytest.approx(-0.3)
    at = source.index("= = ") + 2
    assert one.tokens == pytest.approx([-0.3 - 0.2 * (index == at) for index in range(len(source))])
    assert extra["findings"] == ["2: invalid-syntax Expected an expression"]


def test_text_around_the_program_shifts_the_tokens(reward, character_tokenizer):
    completion = "So nope é🐍:\n```python\nprint(nope)\n```\nnope"
    ((one,), _, _) = call(reward, [completion], character_tokenizer)
    ids = character_tokenizer(completion)["input_ids"]
    marked = [index for index, value in enumerate(one.tokens) if value < -0.2]
    assert character_tokenizer.decode([ids[index] for index in marked]) == "nope"
    assert character_tokenizer.decode(ids[: marked[0]]).endswith("print(")


def test_the_tokens_of_a_model_are_found(reward, tokenizer):
    completion = "```python\na = 1\nb = undefined_name\n```\n"
    ((one,), _, _) = call(reward, [completion], tokenizer)
    ids = tokenizer(completion)["input_ids"]
    text = "".join(tokenizer.decode([i]) for i, value in zip(ids, one.tokens, strict=True) if value < -0.2)
    assert text.strip() == "undefined_name"


def test_chat_messages_are_analysed_by_their_text(reward, character_tokenizer):
    text = "```python\nprint(nope)\n```"
    completions = [
        [{"role": "assistant", "content": text}],
        [{"role": "assistant", "content": [{"type": "text", "text": text}]}],
        [{"role": "assistant", "content": None}],
        [],
    ]
    rewards, _, _ = call(reward, completions, character_tokenizer, texts=[text, text, "", ""])
    assert rewards == pytest.approx([-0.1, -0.1, 0, 0])
    assert min(rewards[0].tokens) == min(rewards[1].tokens) == pytest.approx(-0.3)


def test_equal_programs_get_equal_rewards_at_their_own_tokens(reward, character_tokenizer):
    completions = ["print(nope)\n", "Here:\n```\nprint(nope)\n```", "print(nope)\n"]
    rewards, _, _ = call(reward, completions, character_tokenizer)
    assert rewards == pytest.approx([-0.1] * 3)
    assert rewards[0].tokens == rewards[2].tokens
    assert [value < -0.2 for value in rewards[1].tokens].index(True) == completions[1].index("nope")


def test_programs_are_completed_with_the_column_of_starter_code(reward, character_tokenizer):
    starter = "import math\n\n\ndef f(x):\n"
    completions = ["    return math.floor(nope)\n", "print(math)\n"]
    rewards, extra, _ = call(reward, completions, character_tokenizer, starter_code=[starter, None])
    assert rewards == pytest.approx([-0.1, -0.1])
    assert extra["findings"] == ["1: F821 Undefined name `nope`", "1: F821 Undefined name `math`"]
    assert [value < -0.2 for value in rewards[0].tokens].index(True) == completions[0].index("nope")


def test_without_token_ids_or_tokenizer_it_is_a_plain_reward(reward):
    assert call(reward, ["print(a)\n"])[0] == pytest.approx([-0.1])
    (one,) = reward(completions=["print(a)\n"], completion_ids=[[5, 6]])
    assert one.tokens == pytest.approx([-0.1, -0.1])


def test_without_a_token_weight_tokens_have_the_reward_of_the_completion(character_tokenizer):
    ((one,), _, _) = call(StaticAnalysisReward(token_weight=0), ["print(a)\n"], character_tokenizer)
    assert one.tokens == pytest.approx([-0.1] * 9)


def test_metrics_and_columns_go_to_the_hooks_of_trl(reward):
    completions = ["print(1)\n", "print(a, b)\n", "print(", "x" * 200_000]
    _, extra, metrics = call(reward, completions)
    assert extra["findings"] == [
        "",
        "1: F821 Undefined name `a`\n1: F821 Undefined name `b`",
        "1: invalid-syntax unexpected EOF while parsing",
        "unreadable The program has more than 100,000 characters.",
    ]
    assert metrics.pop("static_analysis/seconds") > 0
    assert metrics == {
        "static_analysis/with_findings": 0.75,
        "static_analysis/findings": 1.0,
        "static_analysis/invalid_syntax": 0.25,
        "static_analysis/unreadable": 0.25,
        "static_analysis/not_analysed": 0.0,
    }


def test_a_program_that_was_not_analysed_in_time_has_no_reward(reward):
    function = StaticAnalysisReward()
    function.analyser.timeout = 1e-9
    rewards, extra, metrics = call(function, ["print(a)\n"])
    assert rewards == [None]
    assert extra["findings"] == ["not analysed"]
    assert metrics["static_analysis/not_analysed"] == 1
    assert "static_analysis/findings" not in metrics


def test_an_empty_batch_has_no_rewards(reward):
    rewards, _, metrics = call(reward, [])
    assert (rewards, metrics) == ([], {})


@pytest.mark.parametrize("column", ["completion_ids", "starter_code"])
def test_a_column_of_another_length_is_named(reward, column):
    with pytest.raises(ValueError, match=f"There are 1 `{column}` and 2 `completions`"):
        reward(completions=["a", "b"], **{column: [[1]]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": -1}, "`penalty` is -1"),
        ({"penalty": "1"}, "`penalty` is '1'"),
        ({"token_weight": float("nan")}, "`token_weight` is nan"),
        ({"max_findings": 0}, "`max_findings` is 0, but must be a whole number above 0"),
        ({"max_findings": 1.5}, "`max_findings` is 1.5"),
        ({"max_findings": True}, "`max_findings` is True"),
        ({"rules": ["no"]}, "must be a list of codes"),
        ({"timeout": -1}, "`timeout` is -1"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StaticAnalysisReward(**options)


def test_it_can_be_pickled(reward):
    again = pickle.loads(pickle.dumps(reward))
    assert call(again, ["print(a)\n"])[0] == pytest.approx([-0.1])
