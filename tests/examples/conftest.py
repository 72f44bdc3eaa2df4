"""The ablation and the benchmarks are packages next to the commands that start them."""

import json
import sys

import pytest
from source import ROOT


sys.path.append(str(ROOT / "examples"))


@pytest.fixture
def write_problems():
    """Write problems in the layout of MBPP, from the train split."""

    def write(path, texts):
        rows = [
            {
                "task_id": 601 + number,
                "text": text,
                "code": "def f(a):\n    return a + 1",
                "test_list": ["assert f(1) == 2"],
                "test_setup_code": "",
                "challenge_test_list": [],
            }
            for number, text in enumerate(texts)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return write
