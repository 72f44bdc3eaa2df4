"""Find the tokens of a span of a program in the token ids of a completion."""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Sequence
from typing import Any

from ..execution import Span


LINE_END = re.compile("\r\n|\r|\n")
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WINDOW = 32  # tokens decoded together
_MAX_SHIFT = 64  # characters between the expected and the actual position of the text of a window


def span_tokens(span: Span, source: str, start: int, ranges: Sequence[tuple[int, int]], *, indent: int = 0) -> range:
    """
    Find the tokens of a span of a program.

    Args:
        span ([`~execution.Span`]): Lines and columns in the program.
        source (`str`): The program.
        start (`int`): Index of the program's first character in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].
        indent (`int`, *optional*, defaults to `0`): Number of blanks that were removed from each line before the program ran.

    Returns:
        `range`: Indices of the tokens that share a character with the span; may be empty.
    """
    first, last = span_characters(span, source, start, indent=indent)
    inside = [index for index, (begin, end) in enumerate(ranges) if begin < last and end > first and begin < end]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def span_characters(span: Span, source: str, start: int, *, indent: int = 0) -> tuple[int, int]:
    """
    Find the characters of a span of a program in the completion.

    Args:
        span ([`~execution.Span`]): Lines and columns in the program.
        source (`str`): The program.
        start (`int`): Index of the program's first character in the completion.
        indent (`int`, *optional*, defaults to `0`): Number of blanks that were removed from each line before the program ran.

    Returns:
        `tuple[int, int]`: Index of the first character, and of the one after the last, within the program.
    """
    line_starts = [0, *(match.end() for match in LINE_END.finditer(source)), len(source)]

    def index_of(line: int, column: int) -> int:
        # The span comes from the process of the program, which is hostile: clamp it to the program.
        line_start = line_starts[min(max(line, 1), len(line_starts)) - 1]
        before = source[line_start : line_start + indent]
        line_start += len(before) - len(before.lstrip(" \t"))
        return start + min(line_start + max(column, 0), len(source))

    return index_of(span.line, span.column), index_of(span.end_line, span.end_column)


def end_token(source: str, start: int, ranges: Sequence[tuple[int, int]]) -> range:
    """
    Find the token that ends a program.

    It is the first token that extends beyond the last visible character.

    Args:
        source (`str`): The program.
        start (`int`): Index of the program's first character in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].

    Returns:
        `range`: Index of a line break, a fence or the end token; empty if the completion was truncated there.
    """
    visible_end = start + len(source.rstrip())
    for index, (begin, end) in enumerate(ranges):
        if end > visible_end or begin == end == visible_end:
            return range(index, index + 1)
    return range(0)


def token_ranges(token_ids: Sequence[int], text: str, tokenizer: Any) -> list[tuple[int, int]]:
    """
    Find the character range of each token.

    The bytes of the tokens are joined and compared with the decoded text. If they differ (for example, because the tokenizer
    cleans up spaces), the tokens are decoded in windows instead, which is slower and always agrees with the tokenizer. Both take
    time linear in the number of tokens.

    Args:
        token_ids (`Sequence[int]`): Token ids of the completion.
        text (`str`): The completion, decoded without special tokens, or a part of it (one message of a chat template). If that
            part occurs several times in the completion, the last one counts, since reasoning comes first.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decoded the completion.

    Returns:
        `list[tuple[int, int]]`: Half-open character range of each token in `text`, length `T`. A character whose bytes are split
        between two tokens is in both ranges; a special token has an empty range.
    """
    token_ids = list(token_ids)
    decoded = tokenizer.decode(token_ids, skip_special_tokens=True)
    num_after = decoded[::-1].find(text[::-1])  # `rfind` takes quadratic time in the worst case
    if num_after < 0:
        return [(0, 0)] * len(token_ids)
    offset = len(decoded) - num_after - len(text)
    ranges = _ranges_from_pieces(token_ids, decoded, tokenizer)
    if ranges is None:
        ranges = _ranges_from_windows(token_ids, decoded, tokenizer)
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
        if whole[:1] == " " and whole[1:] == decoded:  # sentencepiece drops the blank that it adds at the start
            return [_clip(begin - 1, end - 1, len(decoded)) for begin, end in ranges]
    return None


def _ranges_from_windows(token_ids: list[int], decoded: str, tokenizer: Any) -> list[tuple[int, int]]:
    special = _Pieces.of(tokenizer).special
    ranges: list[tuple[int, int]] = []
    end, text = 0, ""
    window_start, text_start = 0, 0  # first token of the window, and start of its text
    for index, token_id in enumerate(token_ids):
        if index - window_start >= _WINDOW and not text.endswith("\ufffd"):  # then it ends within a character
            window = tokenizer.decode(token_ids[index : index + _WINDOW], skip_special_tokens=True)
            window = window.rstrip("\ufffd")
            # A tokenizer may drop a blank at the start of a window, or decode its first token differently than within a text.
            place = decoded.find(window, end, end + len(window) + _MAX_SHIFT)
            if place >= 0:
                window_start, text_start = index, place
        if index - window_start == 2 * _WINDOW:
            window_start, text_start = index, end
        begin = end
        if token_id in special:
            ranges.append((begin, begin))
            continue
        text = tokenizer.decode(token_ids[window_start : index + 1], skip_special_tokens=True)
        end = max(end, text_start + _common_prefix(text, decoded[text_start : text_start + len(text)]))
        ranges.append((begin, max(end, min(begin + 1, len(decoded)))))
    return ranges


def _common_prefix(first: str, second: str) -> int:
    if second.startswith(first):
        return len(first)
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


class _Pieces:
    """Bytes of each token of a tokenizer, in the two common encodings."""

    _known: dict[int, tuple[Any, _Pieces]] = {}

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self.version = self._version(tokenizer)
        added = tokenizer.added_tokens_decoder
        self._added = {index: token.content for index, token in added.items()}
        # `all_special_ids` has the named ones only, but decoding skips all (such as Llama-3's `<|eom_id|>`).
        self.special = {*tokenizer.all_special_ids, *(index for index, token in added.items() if token.special)}
        self.byte_level = functools.cache(self._byte_level)
        self.sentencepiece = functools.cache(self._sentencepiece)

    @classmethod
    def of(cls, tokenizer: Any) -> _Pieces:
        known = cls._known.get(id(tokenizer))
        if known is None or known[0] is not tokenizer or known[1].version != cls._version(tokenizer):
            known = cls._known[id(tokenizer)] = (tokenizer, cls(tokenizer))
        return known[1]

    @staticmethod
    def _version(tokenizer: Any) -> tuple[int, list[int]]:
        return len(tokenizer), list(tokenizer.all_special_ids)  # either changes when tokens are added

    def _verbatim(self, token_id: int) -> bytes | None:
        if token_id in self.special:
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
    """Byte of each character in the alphabet of byte-level BPE (GPT-2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + index): byte for index, byte in enumerate(others)}
