"""Expand the template of a stage in the style of an author."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .authors import Author


_MARK = re.compile(r"\{\{(.*?)\|(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"\$(\w+)")
_CELL = re.compile(r"cell\(([^,]+), ([^,()]+)\)")
_EACH = re.compile(r"@each (?:\$(\w+),)?\$(\w+) in (?:\$(\w+)|sorted\(\$(\w+)\))$")
_POSITIONS = re.compile(r"@positions \$(\w+) of \$(\w+)$")
_COUNTS = re.compile(r"@counts \$(\w+),\$(\w+) of \$(\w+)$")
_AUGMENTED = re.compile(r"^( *)(\S+) (\+|-|\*|//|%)= (.+)$")
_STEP = "    "


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a template with the lines below it."""

    text: str
    body: tuple[_Line, ...] = ()


def expand(template: str, names: Mapping[str, str], author: Author, *, is_wrong: bool = False) -> list[str]:
    """
    Expand the template of a stage.

    Lines that start with `@` stand for what authors write differently: `@each $i,$x in $a` is a loop over a list,
    `@positions $i of $a` one over positions and `@counts $v,$c of $a` one over counts. `@start $r of $a` and `@add $i to $r`
    collect positions; `@text $r`, `@append $x to $r` and `@pop $r` build a word.

    Args:
        template (`str`): A template of a [`Stage`].
        names (`Mapping[str, str]`): Names of the arguments, the result and the constant.
        author (`Author`): The author.
        is_wrong (`bool`, *optional*, defaults to `False`): Whether to write the mistake that the template marks.

    Returns:
        `list[str]`: Lines of Python.
    """
    lines = _expand(_parse(template, is_wrong), {**author.locals(), **names}, author)
    if author.augmented:
        return lines
    return [_AUGMENTED.sub(_without_augmentation, line) for line in lines]


def _without_augmentation(match: re.Match[str]) -> str:
    indent, target, operator, value = match.groups()
    is_atom = operator == "+" and " if " not in value
    return f"{indent}{target} = {target} {operator} {value if is_atom or ' ' not in value else f'({value})'}"


@functools.lru_cache(maxsize=4096)
def _parse(template: str, is_wrong: bool) -> tuple[_Line, ...]:
    text = _MARK.sub(r"\2" if is_wrong else r"\1", template)
    return _nest([(len(line) - len(line.lstrip()), line.strip()) for line in text.split("\n")])


def _nest(lines: list[tuple[int, str]]) -> tuple[_Line, ...]:
    found = []
    position = 0
    while position < len(lines):
        indent, text = lines[position]
        end = position + 1
        while end < len(lines) and lines[end][0] > indent:
            end += 1
        found.append(_Line(text, _nest(lines[position + 1 : end])))
        position = end
    return tuple(found)


def _expand(lines: tuple[_Line, ...], names: Mapping[str, str], author: Author) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line.text.startswith("@"):
            found += _directive(line, names, author)
        else:
            found.append(_fill(line.text, names, author))
            found += _indent(_expand(line.body, names, author))
    return found


def _indent(lines: list[str]) -> list[str]:
    return [_STEP + line for line in lines]


def _fill(text: str, names: Mapping[str, str], author: Author) -> str:
    """Put in the names, and the form of the author's grid."""
    text = _NAME.sub(lambda match: names[match[1]], text)
    if "cell(" in text:
        text = _CELL.sub(lambda match: _cell(names["a"], match[1], match[2], names["w"], author), text)
    # Sums and parentheses that an author would not write.
    text = re.sub(r"\((\w+) - 1\) \+ 1", r"\1", text)
    text = re.sub(r" \* \((\w+)\)", r" * \1", text)
    return re.sub(r"(\[|, | = |append\()\((\w+ - 1)\)(?=\]|$|\)$)", r"\1\2", text)


def _cell(grid: str, row: str, column: str, width: str, author: Author) -> str:
    form = author.form_of("grid")
    if form == "rows":
        return f"{grid}[{row}][{column}]"
    if form == "cells":
        return f"{grid}[{row}, {column}]"
    start = "" if row == "0" else f"{f'({row})' if ' ' in row else row} * {width} + "
    return f"{grid}[{start}{column}]"


def _directive(line: _Line, names: Mapping[str, str], author: Author) -> list[str]:
    word = line.text.split(maxsplit=1)[0]
    if word == "@each":
        return _each(line, names, author)
    if word == "@positions":
        return _positions(line, names, author)
    if word == "@counts":
        return _counts(line, names, author)
    if word == "@start":
        result, source = (_fill(part, names, author) for part in line.text[len("@start ") :].split(" of "))
        return [f"{result} = [False] * len({source})" if author.form_of("positions") == "mask" else f"{result} = []"]
    if word == "@add":
        position, result = (_fill(part, names, author) for part in line.text[len("@add ") :].split(" to "))
        form = author.form_of("positions")
        if form == "mask":
            return [f"{result}[{position}] = True"]
        return [f"{result}.append({position}{' + 1' if form == 'from 1' else ''})"]
    return _word_directive(word, _fill(line.text[len(word) + 1 :], names, author), author)


def _word_directive(word: str, text: str, author: Author) -> list[str]:
    is_text = author.form_of("word") == "text"
    if word == "@text":
        return [f'{text} = ""' if is_text else f"{text} = []"]
    if word == "@pop":
        return [f"{text} = {text}[:-1]" if is_text else f"{text}.pop()"]
    letter, result = text.rsplit(" to ", 1)
    return [f"{result} += {letter}" if is_text else f"{result}.append({letter})"]


def _each(line: _Line, names: Mapping[str, str], author: Author) -> list[str]:
    match = _EACH.match(line.text)
    assert match, line.text
    index_role, role, source, sorted_source = match.groups()
    item, sequence = names[role], names[source or sorted_source]
    if sorted_source:  # its elements have no index
        return [f"for {item} in sorted({sequence}):", *_indent(_expand(line.body, names, author))]
    if author.loop == "value":
        header = (
            f"for {names[index_role]}, {item} in enumerate({sequence}):"
            if index_role
            else f"for {item} in {sequence}:"
        )
        return [header, *_indent(_expand(line.body, names, author))]
    index = names[index_role or "i"]
    body = _expand(line.body, names, author)
    if author.loop == "while":
        step = [f"{item} = {sequence}[{index}]", *body, f"{index} += 1"]
        return [f"{index} = 0", f"while {index} < len({sequence}):", *_indent(step)]
    body = _expand(line.body, {**names, role: f"{sequence}[{index}]"}, author)
    return [f"for {index} in range(len({sequence})):", *_indent(body)]


def _positions(line: _Line, names: Mapping[str, str], author: Author) -> list[str]:
    match = _POSITIONS.match(line.text)
    assert match, line.text
    role, source = match.groups()
    position, positions = names[role], names[source]
    form = author.form_of("positions")
    if form == "mask":
        body = _indent(_expand(line.body, names, author))
        return [f"for {position} in range(len({positions})):", f"{_STEP}if {positions}[{position}]:", *_indent(body)]
    shifted = {**names, role: f"({position} - 1)"} if form == "from 1" else names
    return [f"for {position} in {positions}:", *_indent(_expand(line.body, shifted, author))]


def _counts(line: _Line, names: Mapping[str, str], author: Author) -> list[str]:
    match = _COUNTS.match(line.text)
    assert match, line.text
    value, count, counts = (names[role] for role in match.groups())
    if author.form_of("counts") == "dict":
        if author.loop == "value":
            header = f"for {value}, {count} in {counts}.items():"
            return [header, *_indent(_expand(line.body, names, author))]
        body = _expand(line.body, {**names, match[2]: f"{counts}[{value}]"}, author)
        return [f"for {value} in {counts}:", *_indent(body)]
    return [f"for {value}, {count} in {counts}:", *_indent(_expand(line.body, names, author))]
