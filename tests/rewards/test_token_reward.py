"""Rewards of parts of a text as rewards of tokens, with numbers worked out by hand."""

import pickle
import re

import pytest

from trl_rltf.completions import token_ranges
from trl_rltf.rewards import TokenReward


class Letters:
    """A tokenizer with a token per letter, except `ab`, and an end token without text."""

    all_special_ids = [0]
    pieces = {0: "", 1: "ab", 2: "c", 3: "\n"}
    added_tokens_decoder = {}

    def __len__(self):
        return len(self.pieces)

    def convert_ids_to_tokens(self, token_id):
        return self.pieces[token_id].replace("\n", "Ċ")

    def decode(self, ids, skip_special_tokens=True):
        return "".join(self.pieces[token_id] for token_id in ids)


LETTERS = Letters()
IDS = [1, 2, 3, 1, 0]  # "ab", "c", a line break, "ab", the end
TEXT = "abc\nab"


def tokens_of(spans, reward=0.0, completion=TEXT):
    return TokenReward.from_spans(reward, spans, completion, IDS, LETTERS).tokens


def test_a_token_has_the_reward_of_the_completion_plus_those_of_its_spans():
    reward = TokenReward.from_spans(1.0, [(0, 2, -0.25)], TEXT, IDS, LETTERS)
    assert reward == 1.0
    assert reward.tokens == [0.75, 1.0, 1.0, 1.0, 1.0]
    assert reward.weights is None


def test_a_span_counts_for_each_token_that_it_shares_a_character_with():
    assert tokens_of([(1, 3, -1.0)]) == [-1, -1, 0, 0, 0]
    assert tokens_of([(5, 6, -1.0)]) == [0, 0, 0, -1, 0]


def test_spans_that_overlap_are_added():
    assert tokens_of([(0, 3, -1.0), (2, 6, -2.0)]) == [-1, -3, -2, -2, 0]


def test_an_empty_span_and_no_span_change_nothing():
    assert tokens_of([(2, 2, -1.0)]) == tokens_of([]) == [0] * 5


def test_lines_divide_the_text_among_them():
    lines = [(*line.span(), float(number)) for number, line in enumerate(re.finditer(r"[^\n]+\n*", TEXT), start=1)]
    assert tokens_of(lines) == [1, 1, 1, 2, 0]


def test_in_a_chat_positions_are_those_of_the_last_text_of_the_assistant():
    messages = [{"role": "assistant", "content": TEXT}]
    assert tokens_of([(0, 2, -1.0)], completion=messages) == [-1, 0, 0, 0, 0]


@pytest.mark.parametrize("span", [(-1, 2), (3, 2), (0, 7)])
def test_a_span_outside_of_the_text_is_refused(span):
    with pytest.raises(
        ValueError, match=rf"from {span[0]} to {span[1]}, but must be within the text, which has 6 char"
    ):
        tokens_of([(*span, 1.0)])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_span_whose_reward_is_not_a_number_is_refused(value):
    with pytest.raises(ValueError, match="must be a finite number"):
        tokens_of([(0, 1, value)])


def test_many_spans_agree_with_a_comparison_of_each_span_with_each_token(tokenizer):
    text = "def f(x):\n    return 'ü' + x  # done\n" * 3
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    spans = [(*match.span(), float(number)) for number, match in enumerate(re.finditer(r"\w+|[^\w\s]", text))]
    ranges = token_ranges(ids, text, tokenizer)
    slow = [sum(v for s, e, v in spans if max(s, first) < min(e, last)) for first, last in ranges]
    assert TokenReward.from_spans(0.0, spans, text, ids, tokenizer).tokens == slow
    assert len(spans) > 30


def test_it_is_pickled_with_its_tokens():
    reward = pickle.loads(pickle.dumps(TokenReward.from_spans(1.0, [(0, 2, 1.0)], TEXT, IDS, LETTERS)))
    assert reward.tokens == [2, 1, 1, 1, 1]
