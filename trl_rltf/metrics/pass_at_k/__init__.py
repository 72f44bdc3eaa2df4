"""The pass@k metric as an `evaluate` module."""

from pathlib import Path


PASS_AT_K = str(Path(__file__).parent)
"""Folder of the metric: `evaluate.load(PASS_AT_K)`."""
