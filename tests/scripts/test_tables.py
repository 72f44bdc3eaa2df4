"""The closing tables, and the picture of a training."""

import pytest

from trl_rltf.metrics import Evaluation, ProblemCounts
from trl_rltf.scripts import tables


HISTORY = [
    {"step": 5, "outcome/pass": 0.25, "outcome/failure": 0.75},
    {"step": 10, "outcome/pass": 0.5, "outcome/failure": 0.5},
    {"step": 10, "eval_pass@1": 0.625},
    {"step": 20, "outcome/pass": 0.75, "outcome/failure": 0.25},
    {"step": 20, "eval_pass@1": 0.875},
    {"step": 20, "train_runtime": 1.0},
]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw a picture and return its axes."""
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    from matplotlib import pyplot as plt

    figures = []
    monkeypatch.setattr(plt, "close", figures.append)

    def draw(before, after, history):
        assert tables.draw_curve(before, after, history, tmp_path / "curve.png")
        assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
        (axes,) = figures.pop().axes
        return axes

    return draw


def evaluation(*num_correct):
    counts = [ProblemCounts("", num_samples=4, num_correct=number) for number in num_correct]
    num_passed = sum(num_correct)
    return Evaluation(counts, {"PASS": num_passed, "FAILURE": 4 * len(counts) - num_passed})


def test_held_out_pass_at_1_is_drawn_as_points_where_it_was_measured(drawn):
    axes = drawn(evaluation(1, 2), evaluation(4, 3), HISTORY)
    points = {
        tuple(map(tuple, line.get_xydata())): line.get_linestyle()
        for line in axes.lines
        if line.get_color() == "k" and line.get_marker() in ("o", "D")
    }
    assert points == {((10, 0.625), (20, 0.875)): "None", ((0, 0.375), (20, 0.875)): "None"}


def test_a_training_without_evaluations_has_points_before_and_after_only(drawn):
    axes = drawn(evaluation(1, 2), evaluation(4, 3), [row for row in HISTORY if "eval_pass@1" not in row])
    assert [line.get_linestyle() for line in axes.lines if line.get_marker() in ("o", "D")] == ["None"]
