"""The folder of an `evaluate` module with the call of `code_eval`."""

from pathlib import Path


CODE_EVAL = str(Path(__file__).parent)
"""Folder of the metric: `evaluate.load(CODE_EVAL)`."""
