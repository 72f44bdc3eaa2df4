"""An evaluation in shards: what it keeps of each sample, and what it counts."""

import json
from concurrent.futures import Future

import pytest
from datasets import Dataset
from support import span_at

from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.generation import Completion
from trl_rltf.metrics import evaluate_in_shards, summarize


PASSED = (Verdict.PASSED,)
REPORTS = {
    "right": ExecutionReport(Outcome.PASS, PASSED),
    "own assert": ExecutionReport(
        Outcome.PASS,
        PASSED,
        trailing_error_type="AssertionError",
        trailing_error_message="no",
        trailing_span=span_at(3, 0, 3, 9),
    ),
    "cut off": ExecutionReport(Outcome.PASS, PASSED, trailing_error_type="SyntaxError"),
    "wrong": ExecutionReport(Outcome.FAILURE, (Verdict.FAILED,), trailing_error_type="NameError"),
}


class Runner:
    """Reports by name of the program."""

    def submit(self, programs):
        future = Future()
        future.set_result([REPORTS[program.source] for program in programs])
        return future


class Sampler:
    """Fixed completions of each problem."""

    fingerprint = "fixed"
    completions = (
        (Completion("right"), Completion("own assert", is_clipped=True)),
        (Completion("cut off", True), "wrong"),
    )

    def sample(self, problems, num_samples, seed):
        return [self.completions[int(row["problem_id"])] for row in problems]

    def program(self, completion):
        return completion


@pytest.fixture
def evaluate(tmp_path):
    rows = [
        {"problem_id": str(i), "difficulty": "", "prompt": "p" * i, "tests": "{}", "solutions": ["x"]}
        for i in range(2)
    ]
    problems = Dataset.from_list(rows)

    def run(sampler=None, **settings):
        sampler = Sampler() if sampler is None else sampler
        return evaluate_in_shards(problems, lambda: sampler, Runner(), tmp_path, settings, 2, samples_per_shard=2)

    return run


def test_samples_are_counted_by_the_functions_and_by_the_whole_module(evaluate):
    result = evaluate()
    assert [(p.num_correct, p.num_whole_correct) for p in result.counts] == [(2, 1), (1, 0)]
    assert (result.num_trailing_errors, result.num_clipped) == (3, 2)
    assert result.outcomes == {"PASS": 3, "FAILURE": 1, "RUNTIME_ERROR": 0, "SYNTAX_ERROR": 0, "NOT_GRADABLE": 0}
    assert summarize(result.counts, [1])["all"]["pass@1"].value == 3 / 4
    assert summarize(result.counts, [1], whole_module=True)["all"]["pass@1"].value == 1 / 4
    # By the whole module the second problem has no right sample.
    assert summarize(result.counts, [2], whole_module=True)["all"]["pass@2"].value == 1 / 2


def test_the_file_of_samples_tells_of_the_trailing_error_and_the_length_limit(evaluate, tmp_path):
    evaluate()
    rows = {row["completion"]: row for row in map(json.loads, (tmp_path / "samples.jsonl").read_text().splitlines())}
    row = rows["own assert"]
    assert (row["outcome"], row["whole_module_outcome"], row["error_type"]) == ("PASS", "FAILURE", None)
    assert [row[f"trailing_error_{name}"] for name in ("type", "message", "line")] == ["AssertionError", "no", 3]
    assert rows["cut off"]["whole_module_outcome"] == "SYNTAX_ERROR"
    assert rows["wrong"]["whole_module_outcome"] == "RUNTIME_ERROR"
    assert [rows[name]["is_clipped"] for name in REPORTS] == [False, True, True, None]


def test_completions_of_a_sampler_that_says_nothing_are_not_counted_as_whole(evaluate):
    class Plain(Sampler):
        completions = (("right", "right"), ("wrong", "wrong"))

    assert evaluate(Plain()).num_clipped is None


def test_a_run_of_an_earlier_version_is_refused(evaluate, tmp_path):
    """Its verdicts are those of the whole modules, and must not be counted together with others."""
    evaluate()
    settings = json.loads((tmp_path / "settings.json").read_text())
    del settings["verdicts_by"]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(
        ValueError, match=r"`verdicts_by` was None and is 'the functions.*give another folder to start anew"
    ):
        evaluate()
