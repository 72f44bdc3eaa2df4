"""The tokens of a span, for each kind of tokenizer, from the completion's own ids."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trl_rltf.execution import Span
from trl_rltf.rewards import span_tokens, token_ranges
from trl_rltf.rewards.localization import _ranges_from_windows, end_token


PROGRAM = "x = [1]\ny = x[0]\nprint(x[0], x[3])\n"


def pieces(ids, text, tokenizer):
    return [text[begin:end] for begin, end in token_ranges(ids, text, tokenizer)]


def test_ranges_of_byte_level_tokens_spell_the_text(tokenizer):
    ids = tokenizer(PROGRAM)["input_ids"]
    assert "".join(pieces(ids, PROGRAM, tokenizer)) == PROGRAM


def test_ranges_of_sentencepiece_tokens_spell_the_text(sentencepiece_tokenizer):
    ids = sentencepiece_tokenizer(PROGRAM, add_special_tokens=False)["input_ids"]
    text = sentencepiece_tokenizer.decode(ids, skip_special_tokens=True)
    assert "".join(pieces(ids, text, sentencepiece_tokenizer)) == text


def test_the_tokens_are_those_of_the_failing_occurrence(tokenizer):
    ids = tokenizer(PROGRAM)["input_ids"]
    ranges = token_ranges(ids, PROGRAM, tokenizer)
    found = span_tokens(Span(3, 12, 3, 16), PROGRAM, 0, ranges)
    text = "".join(PROGRAM[begin:end] for begin, end in (ranges[i] for i in found))
    assert "x[3]" in text
    assert "x[0]" not in text


def test_special_tokens_carry_no_text(tokenizer):
    ids = [*tokenizer("x = 1\n")["input_ids"], tokenizer.eos_token_id, tokenizer.pad_token_id]
    ranges = token_ranges(ids, "x = 1\n", tokenizer)
    assert len(ranges) == len(ids)
    assert all(begin == end for begin, end in ranges[-2:])
    assert not set(span_tokens(Span(1, 0, 1, 6), "x = 1\n", 0, ranges)) & {len(ids) - 1, len(ids) - 2}


@pytest.mark.parametrize("kind", ["tokenizer", "sentencepiece_tokenizer"])
def test_a_character_split_between_tokens_belongs_to_each_of_them(kind, request):
    tokenizer = request.getfixturevalue(kind)
    text = "s = '🐍' + t\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    ranges = token_ranges(ids, text, tokenizer)
    snake = text.index("🐍")
    holders = [i for i, (begin, end) in enumerate(ranges) if begin <= snake < end]
    assert len(holders) > 1
    assert list(span_tokens(Span(1, snake, 1, snake + 1), text, 0, ranges)) == holders
    after = span_tokens(Span(1, snake + 5, 1, snake + 6), text, 0, ranges)
    assert not set(after) & set(holders)


def test_a_completion_that_ends_within_a_character_has_a_range_for_each_token(tokenizer):
    ids = tokenizer("x = '🐍'")["input_ids"]
    for cut in range(1, len(ids) + 1):
        text = tokenizer.decode(ids[:cut], skip_special_tokens=True)
        ranges = token_ranges(ids[:cut], text, tokenizer)
        assert len(ranges) == cut
        assert all(0 <= begin <= end <= len(text) for begin, end in ranges)


def test_a_message_inside_the_completion_is_found(tokenizer):
    ids = tokenizer("thinking... print(1) done")["input_ids"]
    ranges = token_ranges(ids, "print(1)", tokenizer)
    assert next(ranges[i] for i in span_tokens(Span(1, 0, 1, 5), "print(1)", 0, ranges))[0] == 0


def test_text_that_is_not_in_the_completion_has_no_tokens(tokenizer):
    ids = tokenizer("x = 1")["input_ids"]
    ranges = token_ranges(ids, "something else", tokenizer)
    assert len(span_tokens(Span(1, 0, 1, 5), "something else", 0, ranges)) == 0


@pytest.mark.parametrize("span", [Span(9, 0, 9, 4), Span(3, 50, 3, 60), Span(1, 2, 1, 2)])
def test_a_span_outside_the_program_has_no_tokens_or_few_but_never_fails(tokenizer, span):
    ids = tokenizer(PROGRAM)["input_ids"]
    assert len(span_tokens(span, PROGRAM, 0, token_ranges(ids, PROGRAM, tokenizer))) <= len(ids)


def ends_of_prefixes(ids, tokenizer):
    """The slow and obvious way: how much of the text the tokens up to each one spell."""
    decoded = tokenizer.decode(ids, skip_special_tokens=True)
    ends = []
    for index in range(len(ids)):
        prefix = tokenizer.decode(ids[: index + 1], skip_special_tokens=True)
        while not decoded.startswith(prefix):  # it ends within a character
            prefix = prefix[:-1]
        ends.append(len(prefix))
    return ends


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=40), st.text(alphabet="x =1(\n🐍é", min_size=60, max_size=200)))
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("kind", ["tokenizer", "sentencepiece_tokenizer"])
def test_ranges_agree_with_decoded_prefixes(kind, fast, text, request):
    tokenizer = request.getfixturevalue(kind)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    decoded = tokenizer.decode(ids, skip_special_tokens=True)
    ranges = token_ranges(ids, decoded, tokenizer) if fast else _ranges_from_windows(ids, decoded, tokenizer)
    assert len(ranges) == len(ids)
    begin = 0
    for (found, found_end), end in zip(ranges, ends_of_prefixes(ids, tokenizer), strict=True):
        if end > begin and found_end > found:
            assert max(begin, found) < min(end, found_end)
        begin = end


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_random_token_ids_have_ranges_that_cover_the_text(tokenizer, seed):
    ids = random.Random(seed).choices(range(len(tokenizer)), k=30)
    text = tokenizer.decode(ids, skip_special_tokens=True)
    ranges = token_ranges(ids, text, tokenizer)
    covered = {i for begin, end in ranges for i in range(begin, end)}
    assert covered == set(range(len(text)))


@pytest.mark.parametrize("end", ["\n", "\n\n", "", "\n```\n"])
def test_the_token_that_ends_a_program_is_the_first_after_its_last_character(tokenizer, end):
    source = "print((1 + 2"
    ids = [*tokenizer(source)["input_ids"], *tokenizer(end)["input_ids"], tokenizer.eos_token_id]
    found = end_token(source, 0, token_ranges(ids, source + end, tokenizer))
    assert list(found) == [len(tokenizer(source)["input_ids"])]


def test_a_completion_that_was_cut_off_has_no_token_that_ends_it(tokenizer):
    ids = tokenizer("print((1 + 2")["input_ids"]
    assert list(end_token("print((1 + 2", 0, token_ranges(ids, "print((1 + 2", tokenizer))) == []
