"""Programs are coloured without a change of their text, and positions are those of a browser."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.report.syntax import ShownProgram, utf16_length, utf16_ranges


def pieces(text, kinds):
    """The pieces of a text of the Basic Multilingual Plane."""
    begin, found = 0, []
    for kind, length in re.findall(r"([a-z-])(\d+)", kinds):
        found.append((kind, text[begin : begin + int(length)]))
        begin += int(length)
    assert begin == len(text)
    return found


def test_keywords_names_numbers_strings_and_comments_are_told_apart():
    text = "def f(x):\n    return len('a') + 1  # end\n"
    assert [piece for piece in pieces(text, ShownProgram(text).kinds) if piece[0] != "-"] == [
        *(("k", "def"), ("f", "f"), ("k", "return"), ("b", "len"), ("s", "'a'"), ("m", "1"), ("c", "# end")),
    ]


def test_text_around_the_program_is_not_coloured():
    text = "if you like:\n```python\nx = 1\n```\nfor ever\n"
    shown = ShownProgram(text)
    assert pieces(text, shown.kinds)[0] == ("x", "if you like:\n```python\n")
    assert pieces(text, shown.kinds)[-1] == ("x", "```\nfor ever\n")
    assert shown.first_line == 2
    assert shown.num_lines == 1


def test_a_line_of_the_program_is_found_in_the_completion():
    shown = ShownProgram("Sure:\n```python\nx = 1\ny = z\n```\n")
    assert shown.line_of(2) == 3
    assert shown.line_of(None) is None


def test_lines_of_the_starter_code_are_not_lines_of_the_completion():
    shown = ShownProgram("    y = x\n    return z\n", 'import math\ndef f(x):\n    """Do it."""\n')
    assert shown.line_of(5) == 1  # the second line after three of starter code
    assert shown.line_of(2) is None


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_coloured_as_a_whole(text):
    numbers = re.findall(r"\d+", ShownProgram(text).kinds)
    assert sum(map(int, numbers)) == utf16_length(text)


def test_a_character_outside_of_the_basic_plane_has_two_units():
    assert utf16_length("a\U0001f600b") == len("a\U0001f600b".encode("utf-16-le")) // 2 == 4
    assert utf16_length("\ud83d") == 1


@pytest.mark.parametrize(
    ("text", "ranges", "expected"),
    [
        ("abc", [(0, 1, 0.5), (1, 3, -1.0)], [(0, 1, 0.5), (1, 3, -1.0)]),
        ("a\U0001f600b", [(1, 2, 1.0), (2, 3, 2.0)], [(1, 3, 1.0), (3, 4, 2.0)]),
        ("abc", [(1, 9, 1.0), (5, 9, 1.0)], [(1, 3, 1.0)]),  # of a text that was cut
        ("é", [(0, 0, 1.0)], []),
    ],
)
def test_ranges_are_converted_to_units_of_a_browser(text, ranges, expected):
    assert utf16_ranges(text, ranges) == expected
