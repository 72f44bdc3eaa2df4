"""Plain technical English: patterns that the docs, docstrings, comments and messages do not use, and what to write instead."""

import re

import pytest
from source import ROOT, prose


UNITS = "program|problem|test|second|sample|completion|row|prompt|process|core|token|line|step|group|batch|worker|device|node|call"
COUNTED = "report|sample|program|entry|reward|second|token|worker|test|prompt|process|byte|completion|one|row|line|millisecond|value|time"
PATTERNS = {
    rf"\b(?:{COUNTED})(?:e?s)? an? (?:{UNITS})\b(?! that| which| of)": "write 'per program', 'per test'",
    r"(?<![tT]here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|one\b)": "write 'is not', 'are not'",
    r"\bof (?:its|their) own\b": "write 'its', 'a separate'",
    r"\bof (?:theirs|single tokens)\b": "write 'their', 'per-token'",
    r"\bgo(?:es|ing)? on\b": "write 'continue', 'resume'",
    r"\bcame? to (?:its|their) end\b": "write 'finished'",
    r"\bbeside\b": "write 'next to', 'compared with', 'in addition to'",
    r"\banew\b": "write 'again'",
    r"\bwhatever\b": "name the thing",
    r"\b(?:some|any|no)body\b": "name the person: the user, the caller",
    r"\bhad a say\b": "write 'took part in'",
    r"\bdata sets?\b": "write 'dataset'",
    r"^[rf]?\"\"\"What\b": "start with the noun, or with a verb",
    r"\bso many\b": "write the number",
    r"\bas it were\b": "leave it out",
}
FILES = sorted(
    file
    for pattern in (
        "trl_rltf/**/*.py",
        "examples/**/*.py",
        "tests/**/*.py",
        "docs/**/*.md",
        "docs/**/*.ipynb",
        "README.md",
        "examples/**/*.md",
    )
    for file in ROOT.glob(pattern)
    if file.name != "test_language.py"
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_text_for_people_is_plain_english(file):
    found = [
        f"{file.relative_to(ROOT)}:{line}: {match[0]!r}: {advice}"
        for line, text in prose(file)
        for pattern, advice in PATTERNS.items()
        for match in re.finditer(pattern, text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "One report a program.",
        "It is no record.",
        "A process of its own.",
        "Training goes on.",
        '"""What it reads."""',
    ],
)
def test_the_patterns_find_what_they_are_for(text):
    assert any(re.search(pattern, text) for pattern in PATTERNS)
