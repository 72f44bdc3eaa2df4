"""Write the texts of the problems of an evaluation, for its report."""

from __future__ import annotations

import json
from pathlib import Path

from datasets import Dataset

from ..completions.program import prompt_text
from .shards import write_whole


FILE_NAME = "problem_texts.json"
_MAX_CHARACTERS = 20_000  # of a prompt


def write_problem_texts(folder: Path, problems: Dataset) -> None:
    """
    Write the prompts of the problems, and the code that they begin with.

    Args:
        folder (`Path`): Folder of the evaluation.
        problems ([`~datasets.Dataset`]): Problems, with columns `problem_id` and `prompt`, and maybe `starter_code`.
    """
    texts = {
        row["problem_id"]: {
            "prompt": prompt_text(row["prompt"])[:_MAX_CHARACTERS],
            "starter_code": row.get("starter_code") or "",
        }
        for row in problems
    }
    write_whole(folder / FILE_NAME, [json.dumps({"version": 1, "problems": texts}), "\n"])
