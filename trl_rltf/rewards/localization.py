"""Find the tokens of a range of text from the completion's own token ids, for any tokenizer."""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Sequence
from typing import Any

from ..execution import Span


LINE_END = re.compile("\r\n|\r|\n")
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def span_tokens(span: Span, source: str, start: int, ranges: Sequence[tuple[int, int]]) -> range:
    """
    Find the tokens that carry a span of a program.

    Args:
        span ([`Span`]): Place in the program.
        source (`str`): The program.
        start (`int`): Index of the program's first character in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].

    Returns:
        `range`: Indices of the tokens that share a character with the span; empty if there is none.
    """
    line_starts = [0, *(match.end() for match in LINE_END.finditer(source)), len(source)]
    first = start + min(line_starts[min(span.line, len(line_starts)) - 1] + span.column, len(source))
    last = start + min(line_starts[min(span.end_line, len(line_starts)) - 1] + span.end_column, len(source))
    inside = [index for index, (begin, end) in enumerate(ranges) if begin < last and end > first and begin < end]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def end_token(source: str, start: int, ranges: Sequence[tuple[int, int]]) -> range:
    """
    Find the token with which a program stops: the first that goes beyond its last visible character.

    Args:
        source (`str`): The program.
        start (`int`): Index of the program's first character in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].

    Returns:
        `range`: Index of a line break, a fence or the end token; empty if the completion was cut off there.
    """
    visible_end = start + len(source.rstrip())
    for index, (begin, end) in enumerate(ranges):
        if end > visible_end or begin == end == visible_end:
            return range(index, index + 1)
    return range(0)


def token_ranges(token_ids: Sequence[int], text: str, tokenizer: Any) -> list[tuple[int, int]]:
    """
    Find the characters that each token stands for.

    The pieces of the tokens are put together byte by byte and compared with the decoded text. Where that does not
    reproduce it (a tokenizer that cleans up spaces, say), prefixes of the completion are decoded instead: slower, but it
    takes the tokenizer at its word.

    Args:
        token_ids (`Sequence[int]`): Token ids of the completion.
        text (`str`): The completion, decoded without special tokens, or a part of it (one message of a chat template).
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decoded it.

    Returns:
        `list[tuple[int, int]]`: Half-open character range in `text` of each token. Two tokens share a character that was
        split between them; a special token has an empty range.
    """
    token_ids = list(token_ids)
    decoded = tokenizer.decode(token_ids, skip_special_tokens=True)
    offset = decoded.find(text)
    if offset < 0:
        return [(0, 0)] * len(token_ids)
    ranges = _ranges_from_pieces(token_ids, decoded, tokenizer)
    if ranges is None:
        ranges = _ranges_from_prefixes(token_ids, decoded, tokenizer)
    return [_clip(begin - offset, end - offset, len(text)) for begin, end in ranges]


def _clip(begin: int, end: int, length: int) -> tuple[int, int]:
    return min(max(begin, 0), length), min(max(end, 0), length)


def _ranges_from_pieces(token_ids: list[int], decoded: str, tokenizer: Any) -> list[tuple[int, int]] | None:
    pieces = _Pieces.of(tokenizer)
    for to_bytes in (pieces.byte_level, pieces.sentencepiece):
        parts = [to_bytes(token_id) for token_id in token_ids]
        if any(part is None for part in parts):
            continue
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        ranges, rebuilt, length = [], [], 0
        for part in parts:
            begin = length
            chunk = decoder.decode(part or b"")
            rebuilt.append(chunk)
            length += len(chunk)
            is_split = bool(decoder.getstate()[0])  # the token ends within a character
            ranges.append((begin, length + is_split) if part else (begin, begin))
        rebuilt.append(decoder.decode(b"", final=True))
        whole = "".join(rebuilt)
        if whole == decoded:
            return ranges
        if whole[:1] == " " and whole[1:] == decoded:  # sentencepiece drops the blank it put in front
            return [_clip(begin - 1, end - 1, len(decoded)) for begin, end in ranges]
    return None


def _ranges_from_prefixes(token_ids: list[int], decoded: str, tokenizer: Any) -> list[tuple[int, int]]:
    special = set(tokenizer.all_special_ids)
    ranges = []
    end = 0
    for index, token_id in enumerate(token_ids):
        begin = end
        if token_id in special:
            ranges.append((begin, begin))
            continue
        prefix = tokenizer.decode(token_ids[: index + 1], skip_special_tokens=True)
        end = max(end, _common_prefix(prefix, decoded))
        ranges.append((begin, max(end, min(begin + 1, len(decoded)))))
    return ranges


def _common_prefix(first: str, second: str) -> int:
    if second.startswith(first):
        return len(first)
    return next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b) if first and second else 0


class _Pieces:
    """The bytes that each token of one tokenizer stands for, in the two encodings that are in use."""

    _known: dict[int, tuple[Any, _Pieces]] = {}

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids)
        self._added = {index: token.content for index, token in tokenizer.added_tokens_decoder.items()}
        self.byte_level = functools.cache(self._byte_level)
        self.sentencepiece = functools.cache(self._sentencepiece)

    @classmethod
    def of(cls, tokenizer: Any) -> _Pieces:
        known = cls._known.get(id(tokenizer))
        if known is None or known[0] is not tokenizer:
            known = cls._known[id(tokenizer)] = (tokenizer, cls(tokenizer))
        return known[1]

    def _verbatim(self, token_id: int) -> bytes | None:
        if token_id in self._special:
            return b""
        return self._added[token_id].encode() if token_id in self._added else None

    def _byte_level(self, token_id: int) -> bytes | None:
        verbatim = self._verbatim(token_id)
        if verbatim is not None:
            return verbatim
        token = self._tokenizer.convert_ids_to_tokens(token_id)
        table = _byte_of_character()
        if token is None or any(character not in table for character in token):
            return None
        return bytes(table[character] for character in token)

    def _sentencepiece(self, token_id: int) -> bytes | None:
        verbatim = self._verbatim(token_id)
        if verbatim is not None:
            return verbatim
        token = self._tokenizer.convert_ids_to_tokens(token_id)
        if token is None:
            return None
        byte = _BYTE_TOKEN.fullmatch(token)
        return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()


@functools.cache
def _byte_of_character() -> dict[str, int]:
    """The printable characters that byte-level BPE (GPT-2) writes for bytes: printable bytes stand for themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + index): byte for index, byte in enumerate(others)}
