"""`code_eval` with the sandbox of trl-rltf, as an `evaluate` module."""

from pathlib import Path


CODE_EVAL = str(Path(__file__).parent)
"""Folder of the metric: `evaluate.load(CODE_EVAL)`."""
