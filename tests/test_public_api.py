"""The public names and signatures are those of the snapshot."""

import difflib

from public_api import SNAPSHOT, describe_package


def test_the_public_api_is_that_of_the_snapshot():
    expected, found = SNAPSHOT.read_text().splitlines(), describe_package().splitlines()
    changes = [line for line in difflib.ndiff(expected, found) if line[0] in "+-"]
    assert not changes, "\n".join(["If this is intended, run `python tests/public_api.py`.", *changes])


def test_the_snapshot_has_functions_classes_methods_and_choices():
    lines = SNAPSHOT.read_text().splitlines()
    assert "# trl_rltf.metrics" in lines
    for start in ("evaluate(problems", "class Evaluation(", "  Evaluation.pass_at_k(self", "  Outcome.PASS"):
        assert any(line.startswith(start) for line in lines), start
