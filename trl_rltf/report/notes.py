"""Collect what the reader of a report has to know."""

from __future__ import annotations


class Notes:
    """Sentences about a run, each of them once."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Add a sentence, unless it is there."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)
