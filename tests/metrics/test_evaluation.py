"""Evaluations in memory and in a folder: the samples, their rows, and the figures."""

import copy
import json
import threading

import pytest
import torch
from datasets import Dataset
from support import span_at

from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.generation import Completion, Sampling
from trl_rltf.metrics import Evaluation, PolicySampler, ProblemCounts, evaluate, summarize


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


class ReportsByName:
    """A runner whose reports depend on the text of the program."""

    def run(self, programs):
        return [REPORTS[program.source] for program in programs]


class FixedSampler:
    """Two fixed completions for each of two problems."""

    fingerprint = "fixed"
    completions = (
        (Completion("right"), Completion("own assert", is_clipped=True)),
        (Completion("cut off", True), "wrong"),
    )

    def sample(self, problems, num_samples, seed):
        return [self.completions[int(row["problem_id"])] for row in problems]

    def program(self, completion):
        return completion


TWO_PROBLEMS = Dataset.from_list(
    [{"problem_id": str(i), "difficulty": "", "prompt": "p" * i, "tests": "{}", "solutions": ["x"]} for i in range(2)]
)


@pytest.fixture(params=["in memory", "in a folder"])
def folder(request, tmp_path):
    return tmp_path / "run" if request.param == "in a folder" else None


def test_samples_are_counted_by_the_functions_and_by_the_whole_module(folder):
    result = evaluate(TWO_PROBLEMS, FixedSampler(), ReportsByName(), 2, folder=folder, samples_per_shard=2)
    assert [(p.num_correct, p.num_whole_correct) for p in result.counts] == [(2, 1), (1, 0)]
    assert (result.num_trailing_errors, result.num_clipped) == (3, 2)
    assert (result.num_samples, result.trailing_error_share, result.clipped_share) == (2, 3 / 4, 2 / 4)
    assert result.outcomes == {"PASS": 3, "FAILURE": 1, "RUNTIME_ERROR": 0, "SYNTAX_ERROR": 0, "NOT_GRADABLE": 0}
    assert result.outcome_shares["PASS"] == 3 / 4
    assert result.pass_at_k(1) == summarize(result.counts, [1])["all"]["pass@1"].value == 3 / 4
    assert summarize(result.counts, [1], whole_module=True)["all"]["pass@1"].value == 1 / 4
    # By the whole module the second problem has no right sample.
    assert result.pass_at_k(2, whole_module=True) == 1 / 2
    assert summarize(result.counts, [2], whole_module=True)["all"]["pass@2"].value == 1 / 2


def test_a_sampler_that_does_not_report_clipped_completions_has_no_count_of_them(folder):
    class Plain(FixedSampler):
        completions = (("right", "right"), ("wrong", "wrong"))

    result = evaluate(TWO_PROBLEMS, Plain(), ReportsByName(), 2, folder=folder)
    assert result.num_clipped is None
    assert result.clipped_share == 0


def test_samples_that_fail_the_visible_tests_are_not_kept(folder):
    class ByTests:
        def run(self, programs):
            passes = [program.tests == "{}" or program.source == "right" for program in programs]
            return [ExecutionReport(Outcome.PASS if ok else Outcome.FAILURE) for ok in passes]

    def visible(row):
        return {"visible": row["problem_id"]} if row["problem_id"] == "0" else None

    result = evaluate(TWO_PROBLEMS, FixedSampler(), ByTests(), 2, folder=folder, visible_tests=visible)
    # The second problem shows no tests, so that all of its samples are kept.
    assert [(p.num_correct, p.num_kept, p.num_kept_correct) for p in result.counts] == [(2, 1, 1), (2, 2, 2)]


def test_cut_completions_that_are_syntax_errors_are_counted(folder):
    class SyntaxErrors:
        def run(self, programs):
            return [ExecutionReport(Outcome.SYNTAX_ERROR if p.source == "cut off" else Outcome.PASS) for p in programs]

    result = evaluate(TWO_PROBLEMS, FixedSampler(), SyntaxErrors(), 2, folder=folder)
    assert (result.num_clipped, result.num_clipped_syntax_errors) == (2, 1)


STARTER = 'import math\n\n\ndef f(x):\n    """ Root. """\n'
COMPLETIONS = {
    "    return math.sqrt(x)\n": f"{STARTER}    return math.sqrt(x)\n",
    "Sure:\n```python\ndef f(x):\n    return math.sqrt(x)\n```": "import math\ndef f(x):\n    return math.sqrt(x)\n",
    " Sure:\n```\ndef f(x):\n    return x\n```": "import math\ndef f(x):\n    return x\n",
    "    if x:\n        return 1\n    return 0\n\n\ndef g():\n    pass\n": (
        f"{STARTER}    if x:\n        return 1\n    return 0\n\n\ndef g():\n    pass\n"
    ),
}


@pytest.mark.parametrize("completion", COMPLETIONS)
def test_a_program_is_completed_with_the_starter_code_of_its_problem(folder, model, tokenizer, completion):
    graded = []

    class Keeping:
        def run(self, programs):
            graded.extend(program.source for program in programs)
            return [REPORTS["right"] for _ in programs]

    class Fixed(PolicySampler):
        fingerprint = "fixed"

        def sample(self, problems, num_samples, seed):
            return [[completion] for _ in problems]

    rows = TWO_PROBLEMS.select([0]).add_column("starter_code", [STARTER])
    evaluate(rows, Fixed(model, tokenizer, Sampling()), Keeping(), 1, folder=folder)
    assert graded == [COMPLETIONS[completion]]


def test_the_rows_of_a_folder_have_the_trailing_error_and_the_length_limit(tmp_path):
    evaluate(TWO_PROBLEMS, FixedSampler(), ReportsByName(), 2, folder=tmp_path)
    rows = {row["completion"]: row for row in map(json.loads, (tmp_path / "samples.jsonl").read_text().splitlines())}
    row = rows["own assert"]
    assert (row["outcome"], row["whole_module_outcome"], row["error_type"]) == ("PASS", "FAILURE", None)
    assert [row[f"trailing_error_{name}"] for name in ("type", "message", "line")] == ["AssertionError", "no", 3]
    assert rows["cut off"]["whole_module_outcome"] == "SYNTAX_ERROR"
    assert rows["wrong"]["whole_module_outcome"] == "RUNTIME_ERROR"
    assert [rows[name]["is_clipped"] for name in REPORTS] == [False, True, True, None]


def test_a_folder_has_the_texts_of_its_problems_for_the_report(tmp_path):
    rows = TWO_PROBLEMS.add_column("starter_code", ["", "def f():\n"])
    evaluate(rows, FixedSampler(), ReportsByName(), 2, folder=tmp_path)
    texts = json.loads((tmp_path / "problem_texts.json").read_text())
    assert texts == {
        "version": 1,
        "problems": {"0": {"prompt": "", "starter_code": ""}, "1": {"prompt": "p", "starter_code": "def f():\n"}},
    }


def test_a_run_that_counted_whole_modules_is_refused(tmp_path):
    evaluate(TWO_PROBLEMS, FixedSampler(), ReportsByName(), 2, folder=tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())
    del settings["verdicts_by"]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(
        ValueError, match=r"`verdicts_by` was None and is 'the functions.*another folder to start again"
    ):
        evaluate(TWO_PROBLEMS, FixedSampler(), ReportsByName(), 2, folder=tmp_path)


def test_a_sampler_is_loaded_only_where_samples_are_missing(tmp_path):
    loaded = []

    def load():
        loaded.append("sampler")
        return FixedSampler()

    for rank in (1, 0):  # the first process waits for the others, which have a shard each
        evaluate(TWO_PROBLEMS, load, ReportsByName(), 2, folder=tmp_path, samples_per_shard=2, rank=rank, world_size=2)
    assert len(loaded) == 2
    assert (
        evaluate(TWO_PROBLEMS, load, ReportsByName(), 2, folder=tmp_path, samples_per_shard=2, rank=1, world_size=2)
        is None
    )
    assert len(loaded) == 2


def test_a_shard_is_written_while_the_next_one_is_sampled(tmp_path):
    class Watching(FixedSampler):
        first = True

        def sample(self, problems, num_samples, seed):
            if not self.first:
                deadline = threading.Event()
                while not list(tmp_path.glob("shards/0*.jsonl")) and not deadline.wait(0.01):
                    pass
            self.first = False
            return super().sample(problems, num_samples, seed)

    evaluate(TWO_PROBLEMS, Watching(), ReportsByName(), 2, folder=tmp_path, samples_per_shard=2)
    assert len((tmp_path / "samples.jsonl").read_text().splitlines()) == 4


def test_an_error_of_the_runner_ends_the_evaluation(folder):
    class Broken:
        def run(self, programs):
            raise OSError("no worker starts")

    with pytest.raises(OSError, match="no worker starts"):
        evaluate(TWO_PROBLEMS, FixedSampler(), Broken(), 2, folder=folder, samples_per_shard=2)


def test_nothing_to_sample_is_refused(problems, runner):
    with pytest.raises(ValueError, match="nothing to sample: 0 samples"):
        evaluate(problems, FixedSampler(), runner, 0)
    with pytest.raises(ValueError, match="`samples_per_shard` is 0"):
        evaluate(problems, FixedSampler(), runner, samples_per_shard=0)


def test_processes_that_share_an_evaluation_need_a_folder(problems, runner):
    with pytest.raises(ValueError, match="`world_size` is 2, but processes share an evaluation by its `folder`"):
        evaluate(problems, FixedSampler(), runner, world_size=2)


@pytest.fixture
def sample(model, tokenizer, problems, runner):
    """Evaluate the untrained model on the first problems."""

    def run(num_problems=2, rows=None, its_tokenizer=tokenizer, seed=0, **settings):
        sampling = Sampling(**{"max_completion_length": 8, **settings})
        rows = problems.select(range(num_problems)) if rows is None else rows
        return evaluate(rows, PolicySampler(model, its_tokenizer, sampling), runner, num_samples=2, seed=seed)

    return run


def test_a_model_is_sampled_and_graded_and_left_as_it_was(sample, model):
    model.train()
    before = torch.get_rng_state()
    result = sample(num_problems=3)
    assert result.num_samples == 2
    assert len(result.num_correct) == 3
    assert sum(result.outcome_shares.values()) == pytest.approx(1.0)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


def test_the_same_seed_gives_the_same_samples(problems, model, tokenizer, runner, tmp_path):
    def completions(name, seed):
        sampler = PolicySampler(model, tokenizer, Sampling(max_completion_length=8))
        evaluate(problems.select(range(2)), sampler, runner, 2, folder=tmp_path / name, seed=seed)
        return [
            json.loads(line)["completion"] for line in (tmp_path / name / "samples.jsonl").read_text().splitlines()
        ]

    assert completions("first", 1) == completions("again", 1)
    assert completions("other", 2) != completions("first", 1)


def test_a_dataset_needs_only_prompts_and_tests_in_memory(sample, problems):
    rows = problems.select([0, 0]).select_columns(["prompt", "tests"])
    assert [problem.problem_id for problem in sample(rows=rows).counts] == ["0", "1"]


def test_chat_prompts_are_sampled_through_the_template(sample, tokenizer, problems):
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    rows = problems.select(range(2))
    messages = rows.remove_columns("prompt").add_column(
        "prompt", [[{"role": "user", "content": p}] for p in rows["prompt"]]
    )
    plain = sample(rows=rows, max_prompt_length=20)
    assert sample(rows=messages, its_tokenizer=chat, max_prompt_length=20) == plain


def of_counts(num_samples, *num_correct):
    """An evaluation with these counts."""
    return Evaluation(
        [ProblemCounts(str(c), "", num_samples, c, num_whole_correct=c) for c in num_correct], {"PASS": 1}
    )


def test_figures_of_known_counts():
    result = of_counts(4, 0, 1, 4)
    assert result.num_correct == (0, 1, 4)
    assert result.pass_at_k(1) == pytest.approx((0 + 0.25 + 1) / 3)
    assert result.pass_at_k(2) == pytest.approx((0 + 0.5 + 1) / 3)
    low, high = result.interval(1)
    assert 0 <= low < result.pass_at_k(1) < high <= 1


def test_a_gain_is_paired_problem_by_problem():
    gain = of_counts(4, 1, 4, 2, 3).gain_over(of_counts(4, 0, 4, 1, 2), 1)
    assert gain.value == pytest.approx(3 / 16)
    # One problem gains nothing, three gain a quarter; without pairs, the interval would be as wide as pass@1 itself.
    assert 0 <= gain.low < gain.value < gain.high <= 0.25


def test_a_gain_needs_the_same_problems():
    with pytest.raises(ValueError, match="needs the same problems, but there are 1 and 2"):
        of_counts(4, 1).gain_over(of_counts(4, 1, 2), 1)


class Busy(FixedSampler):
    """A program that needs 0.4 s and 96 MiB, for each of the problems."""

    def sample(self, problems, num_samples, seed):
        source = "import time\nwhile time.process_time() < 0.4:\n    pass\nmemory = bytearray(96 * 2**20)\nprint(3)"
        return [[source] * num_samples for _ in problems]


def test_problems_are_graded_within_their_limits(runner, folder):
    tests = '{"inputs": [""], "outputs": ["3"]}'
    limits = [(None, None), (0.1, None), (2.0, 2**28), (None, 2**26)]
    rows = [
        {**TWO_PROBLEMS[0], "problem_id": str(i), "tests": tests, "time_limit": seconds, "memory_limit": size}
        for i, (seconds, size) in enumerate(limits)
    ]
    shown = {"visible_tests": lambda row: row["tests"]}
    result = evaluate(Dataset.from_list(rows), Busy(), runner, 1, folder=folder, **shown)
    assert result.num_correct == (1, 0, 1, 0)
    assert [problem.num_kept for problem in result.counts] == [1, 0, 1, 0]


def test_malformed_limits_are_refused_before_anything_is_sampled(folder):
    problems = TWO_PROBLEMS.add_column("time_limit", [1.0, -1.0])
    with pytest.raises(ValueError, match=r"row 1 \(problem '1'\): `time_limit` is -1.0, but must be"):
        evaluate(problems, lambda: pytest.fail("it was loaded"), ReportsByName(), 2, folder=folder)


def test_a_run_is_not_resumed_with_other_limits(tmp_path):
    arguments = {"num_samples": 2, "folder": tmp_path / "run"}
    evaluate(TWO_PROBLEMS, FixedSampler(), ReportsByName(), **arguments)
    # A column without limits changes nothing.
    nothing = TWO_PROBLEMS.add_column("time_limit", [None, None])
    evaluate(nothing, FixedSampler(), ReportsByName(), **arguments)
    with pytest.raises(ValueError, match="problems"):
        evaluate(TWO_PROBLEMS.add_column("time_limit", [None, 2.0]), FixedSampler(), ReportsByName(), **arguments)
