"""Find the tokens of a range of text in the token ids of a completion."""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Sequence
from typing import Any

from ..execution import Span


LINE_END = re.compile("\r\n|\r|\n")
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WINDOW = 32  # tokens that are decoded together
_MAX_SHIFT = 64  # characters by which the text of a window may stand away from where it is expected


def span_tokens(span: Span, source: str, start: int, ranges: Sequence[tuple[int, int]], indent: int = 0) -> range:
    """
    Find the tokens that carry a span of a program.

    Args:
        span ([`Span`]): Place in the program.
        source (`str`): The program.
        start (`int`): Index of the program's first character in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].
        indent (`int`, *optional*, defaults to `0`): Number of blanks that were taken from its lines before it was run.

    Returns:
        `range`: Indices of the tokens that share a character with the span; empty if there is none.
    """
    line_starts = [0, *(match.end() for match in LINE_END.finditer(source)), len(source)]

    def index_of(line: int, column: int) -> int:
        # A place comes from where the program ran: whatever it says, it is in the program.
        line_start = line_starts[min(max(line, 1), len(line_starts)) - 1]
        before = source[line_start : line_start + indent]
        line_start += len(before) - len(before.lstrip(" \t"))
        return start + min(line_start + max(column, 0), len(source))

    first, last = index_of(span.line, span.column), index_of(span.end_line, span.end_column)
    inside = [index for index, (begin, end) in enumerate(ranges) if begin < last and end > first and begin < end]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def end_token(source: str, start: int, ranges: Sequence[tuple[int, int]]) -> range:
    """
    Find the token with which a program stops.

    It is the first that goes beyond the last visible character.

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

    The bytes of the tokens are put together and compared with the decoded text. Where that does not reproduce it (a
    tokenizer that cleans up spaces, say), the tokens are decoded in windows instead: slower, but as the tokenizer does
    it. Both take time that is linear in the number of tokens.

    Args:
        token_ids (`Sequence[int]`): Token ids of the completion.
        text (`str`): The completion, decoded without special tokens, or a part of it (one message of a chat
            template). Of several places of that part in the completion the last one counts, for reasoning comes first.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer that decoded it.

    Returns:
        `list[tuple[int, int]]`: Half-open character range in `text` of each token. Two tokens share a character that was
        split between them; a special token has an empty range.
    """
    token_ids = list(token_ids)
    decoded = tokenizer.decode(token_ids, skip_special_tokens=True)
    behind = decoded[::-1].find(text[::-1])  # `rfind` takes quadratic time in the worst case
    if behind < 0:
        return [(0, 0)] * len(token_ids)
    offset = len(decoded) - behind - len(text)
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
        if whole[:1] == " " and whole[1:] == decoded:  # sentencepiece drops the blank it put in front
            return [_clip(begin - 1, end - 1, len(decoded)) for begin, end in ranges]
    return None


def _ranges_from_windows(token_ids: list[int], decoded: str, tokenizer: Any) -> list[tuple[int, int]]:
    special = _Pieces.of(tokenizer).special
    ranges: list[tuple[int, int]] = []
    end, text = 0, ""
    window_start, text_start = 0, 0  # the first token of the window, and where its text starts
    for index, token_id in enumerate(token_ids):
        if index - window_start >= _WINDOW and not text.endswith("\ufffd"):  # which ends within a character
            window = tokenizer.decode(token_ids[index : index + _WINDOW], skip_special_tokens=True)
            window = window.rstrip("\ufffd")
            # A tokenizer may leave out a blank before it, or write its first token in another way than within a text.
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
    """Bytes of each token of one tokenizer, in the two encodings that are in use."""

    _known: dict[int, tuple[Any, _Pieces]] = {}

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self.version = self._version(tokenizer)
        added = tokenizer.added_tokens_decoder
        self._added = {index: token.content for index, token in added.items()}
        # `all_special_ids` has those with a name; decoding leaves out the other ones, too (Llama-3's `<|eom_id|>`).
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
        return len(tokenizer), list(tokenizer.all_special_ids)  # either changes where somebody adds tokens

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
    """Byte of each character with which byte-level BPE (GPT-2) writes bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + index): byte for index, byte in enumerate(others)}
