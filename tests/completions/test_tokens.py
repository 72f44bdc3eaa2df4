"""The tokens of a span, for each kind of tokenizer, from the ids of the completion."""

import copy
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import COMPLETION_PIECES, span_at
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from trl_rltf.completions import extract_program, span_tokens, token_ranges
from trl_rltf.completions.tokens import _ranges_from_windows, end_token


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
    found = span_tokens(span_at(3, 12, 3, 16), PROGRAM, 0, ranges)
    text = "".join(PROGRAM[begin:end] for begin, end in (ranges[i] for i in found))
    assert "x[3]" in text
    assert "x[0]" not in text


def test_special_tokens_have_no_text(tokenizer):
    ids = [*tokenizer("x = 1\n")["input_ids"], tokenizer.eos_token_id, tokenizer.pad_token_id]
    ranges = token_ranges(ids, "x = 1\n", tokenizer)
    assert len(ranges) == len(ids)
    assert all(begin == end for begin, end in ranges[-2:])
    assert not set(span_tokens(span_at(1, 0, 1, 6), "x = 1\n", 0, ranges)) & {len(ids) - 1, len(ids) - 2}


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
    assert list(span_tokens(span_at(1, snake, 1, snake + 1), text, 0, ranges)) == holders
    after = span_tokens(span_at(1, snake + 5, 1, snake + 6), text, 0, ranges)
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
    assert next(ranges[i] for i in span_tokens(span_at(1, 0, 1, 5), "print(1)", 0, ranges))[0] == 0


def test_text_that_is_not_in_the_completion_has_no_tokens(tokenizer):
    ids = tokenizer("x = 1")["input_ids"]
    ranges = token_ranges(ids, "something else", tokenizer)
    assert len(span_tokens(span_at(1, 0, 1, 5), "something else", 0, ranges)) == 0


@pytest.mark.parametrize("span", [span_at(9, 0, 9, 4), span_at(3, 50, 3, 60), span_at(1, 2, 1, 2)])
def test_a_span_outside_the_program_has_no_tokens_or_few_but_never_fails(tokenizer, span):
    ids = tokenizer(PROGRAM)["input_ids"]
    assert len(span_tokens(span, PROGRAM, 0, token_ranges(ids, PROGRAM, tokenizer))) <= len(ids)


def ends_of_prefixes(ids, tokenizer):
    """The slow and obvious way: the length of the text that the tokens up to each one decode to."""
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


def test_a_truncated_completion_has_no_final_token(tokenizer):
    ids = tokenizer("print((1 + 2")["input_ids"]
    assert list(end_token("print((1 + 2", 0, token_ranges(ids, "print((1 + 2", tokenizer))) == []


@pytest.fixture(scope="module")
def wordpiece_tokenizer():
    """A tokenizer like BERT's: its text has no blank before a full stop, which no token shows."""
    words = [
        "[UNK]",
        "[SEP]",
        "print",
        "(",
        ")",
        "x",
        "##y",
        ".",
        "=",
        "1",
        ",",
        "def",
        "return",
        ":",
        "foo",
        "'",
        "s",
    ]
    backend = Tokenizer(models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", eos_token="[SEP]")


def test_ranges_of_a_tokenizer_that_cleans_up_spaces(wordpiece_tokenizer):
    parts = random.Random(0).choices(["print ( x ) .", "xy = 1 ,", "def foo :", "return x . xy", "'s foo"], k=400)
    ids = wordpiece_tokenizer(" ".join(parts), add_special_tokens=False)["input_ids"]
    text = wordpiece_tokenizer.decode(ids, skip_special_tokens=True)
    tokens = [token.removeprefix("##") for token in wordpiece_tokenizer.convert_ids_to_tokens(ids)]
    assert [piece.strip() for piece in pieces(ids, text, wordpiece_tokenizer)] == tokens


class Counted:
    """A tokenizer that counts the tokens that it decodes."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.num_decoded = 0

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def __len__(self):
        return len(self.tokenizer)

    def decode(self, ids, **settings):
        self.num_decoded += len(ids)
        return self.tokenizer.decode(ids, **settings)


@pytest.mark.parametrize("text", ["x = 1\n", "🐍", "(", "print x"])
def test_the_work_of_windows_is_linear_in_the_number_of_tokens(tokenizer, wordpiece_tokenizer, text):
    for kind in (tokenizer, wordpiece_tokenizer):
        ids = kind(text * 1000, add_special_tokens=False)["input_ids"]
        counted = Counted(kind)
        _ranges_from_windows(ids, kind.decode(ids, skip_special_tokens=True), counted)
        assert counted.num_decoded < 100 * len(ids)


@pytest.mark.parametrize("is_known", [True, False])
def test_special_tokens_without_a_name_have_no_text(tokenizer, is_known):
    tokenizer = copy.deepcopy(tokenizer)
    ids = tokenizer("x = 1\ny = 2\n")["input_ids"]
    if is_known:  # before it has the token
        token_ranges(ids, "x = 1\ny = 2\n", tokenizer)
    tokenizer.add_tokens(["<|eom_id|>"], special_tokens=True)
    end = tokenizer.convert_tokens_to_ids("<|eom_id|>")
    assert end not in tokenizer.all_special_ids
    ranges = token_ranges([*ids[:3], end, *ids[3:], end], "x = 1\ny = 2\n", tokenizer)
    assert [begin == stop for begin, stop in ranges] == [False] * 3 + [True] + [False] * (len(ids) - 3) + [True]


@pytest.mark.parametrize("reasoning", ["<think>\nprint(1)\n</think>\n", "print(1)print(1)", ""])
def test_content_that_is_also_in_the_reasoning_is_found_after_it(tokenizer, reasoning):
    before = tokenizer(reasoning)["input_ids"]
    ids = [*before, *tokenizer("print(1)")["input_ids"]]
    ranges = token_ranges(ids, "print(1)", tokenizer)
    assert [begin < end for begin, end in ranges] == [False] * len(before) + [True] * (len(ids) - len(before))


def test_the_search_for_a_part_of_the_text_is_linear(tokenizer):
    text = "b" + "a" * 60_000
    ids = tokenizer("a" * 60_000 + text)["input_ids"]
    began = time.process_time()
    assert token_ranges(ids, text, tokenizer)[-1] == (len(text) - 1, len(text))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "span", [span_at(0, 0, 0, 3), span_at(-9, -9, -9, -9), span_at(1, -5, 1, 10**9), span_at(10**9, 0, 1, 0)]
)
def test_a_forged_span_is_clamped_to_the_program(tokenizer, span):
    ids = tokenizer("before\n" + PROGRAM)["input_ids"]
    found = span_tokens(span, PROGRAM, 7, token_ranges(ids, "before\n" + PROGRAM, tokenizer))
    assert all(index >= len(tokenizer("before\n")["input_ids"]) for index in found)


def test_columns_count_from_the_indent_of_a_list_item(tokenizer):
    text = "- So:\n  x = [1]\n  print(x[0], x[3])\n"
    source = text[6:]
    ids = tokenizer(text)["input_ids"]
    ranges = token_ranges(ids, text, tokenizer)
    found = span_tokens(span_at(2, 12, 2, 16), source, 6, ranges, indent=2)
    place = text.index("x[3]")
    assert list(found) == [i for i, (begin, end) in enumerate(ranges) if begin < place + 4 and end > place]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(st.sampled_from(COMPLETION_PIECES), max_size=40).map("".join),
    places=st.tuples(*[st.integers(-2, 60)] * 4),
)
@pytest.mark.parametrize("kind", ["tokenizer", "sentencepiece_tokenizer", "wordpiece_tokenizer"])
def test_the_ranges_of_any_completion_and_the_tokens_of_any_span_are_in_bounds(kind, text, places, request):
    tokenizer = request.getfixturevalue(kind)
    ids = tokenizer(text.replace("\ud800", ""), add_special_tokens=False)["input_ids"]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    ranges = token_ranges(ids, text, tokenizer)
    assert len(ranges) == len(ids)
    assert all(0 <= begin <= end <= len(text) for begin, end in ranges)
    assert ranges == sorted(ranges)
    program = extract_program(text)
    program_end = program.start + len(program.source)
    for index in span_tokens(span_at(*places), program.source, program.start, ranges, indent=program.indent):
        assert ranges[index][0] < program_end
        assert ranges[index][1] > program.start
    assert len(end_token(program.source, program.start, ranges)) <= 1
