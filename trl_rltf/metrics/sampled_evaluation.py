"""Evaluate on many problems with many samples each: sampled and graded shard by shard, resumable, in several processes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from tqdm.auto import tqdm

from ..execution import ExecutionReport, LocalRunner, Outcome, Program
from ..generation.completion import Completion
from .samplers import Sampler
from .shards import ShardedRun
from .statistics import ProblemCounts


# Among the settings of a run: earlier versions judged the whole module, and their samples cannot be counted together.
_VERDICTS_BY = "the functions that the tests use"

VisibleTests = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class SampledEvaluation:
    """
    What an evaluation has counted.

    Args:
        counts (`list[ProblemCounts]`): Counts of each problem, in the order of the data set.
        outcomes (`dict[str, int]`): Number of samples with each outcome, by what the tests use.
        num_trailing_errors (`int`): Samples with an error in what follows that: an example, an own assert, a line that was
            cut off. Where there is none, pass@k by the functions and by the whole module are the same.
        num_clipped (`int` or `None`): Samples that were cut at the length limit; `None` if the sampler does not say.
    """

    counts: list[ProblemCounts]
    outcomes: dict[str, int]
    num_trailing_errors: int = 0
    num_clipped: int | None = None


def evaluate_in_shards(
    problems: Dataset,
    load_sampler: Callable[[], Sampler],
    runner: LocalRunner,
    folder: str | Path,
    settings: Mapping[str, Any],
    num_samples: int = 1,
    samples_per_shard: int = 256,
    visible_tests: VisibleTests | None = None,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> SampledEvaluation | None:
    """
    Sample programs for each problem and grade them. A run that was killed goes on where it was, with the samples that it
    would have drawn: the seed of a shard is that of the run and its number.

    Args:
        problems ([`~datasets.Dataset`]): Problems, with the columns of `load_apps`.
        load_sampler (`Callable`): Gives the [`Sampler`]; called where there is something to sample, and on the first process.
        runner ([`~execution.LocalRunner`]): What runs the tests. It grades one shard while the next is sampled.
        folder (`str` or `Path`): Folder of the run.
        settings (`Mapping[str, Any]`): Everything else that shapes the samples or their verdicts; a run is only resumed with the
            same.
        num_samples (`int`, *optional*, defaults to `1`): Samples a problem.
        samples_per_shard (`int`, *optional*, defaults to `256`): Samples in a shard; a killed run loses at most the one that is
            being sampled and the one that is being graded. All samples of a problem are in one shard.
        visible_tests (`Callable`, *optional*): Gives the tests that a problem shows, or `None` if it shows none. A sample is then
            run on these, too.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling.
        rank (`int`, *optional*, defaults to `0`): Number of this process.
        world_size (`int`, *optional*, defaults to `1`): Number of processes that share the work.

    Returns:
        [`SampledEvaluation`] or `None`: The counts, on the first process, once the shards of all processes are there.

    Raises:
        ValueError: If there is nothing to sample, or the folder holds a run with other settings, problems or weights.
    """
    if num_samples < 1 or len(problems) == 0:
        raise ValueError(f"There is nothing to sample: {num_samples} samples for each of {len(problems)} problems.")
    if samples_per_shard < 1:
        raise ValueError(f"`samples_per_shard` is {samples_per_shard}, but must be at least 1.")
    shards = _plan(problems, max(1, samples_per_shard // num_samples))
    run = ShardedRun(folder, len(shards), rank, world_size)
    sizes = {"num_samples": num_samples, "samples_per_shard": samples_per_shard, "seed": seed}
    filtered = {"filter_by_examples": visible_tests is not None}
    run.settle("settings", {**settings, **sizes, **filtered, "verdicts_by": _VERDICTS_BY})
    run.settle("problems", {"number": len(problems), "digest": _digest(problems)})
    run.check([len(shard) * num_samples for shard in shards])
    pending = run.pending()
    sampler = None
    if pending or rank == 0:
        # Also of a run that is complete: the same folder may hold the samples of weights that have changed since.
        sampler = load_sampler()
        run.settle("weights", {"digest": sampler.fingerprint})
    if sampler is not None and pending:
        previous: _Graded | None = None
        for index in tqdm(pending, desc="shards", disable=rank != 0):
            rows = [problems[i] for i in shards[index]]
            completions = sampler.sample(rows, num_samples, seed * 1_000_003 + index)
            graded = _submit(rows, completions, sampler, runner, visible_tests, index)
            if previous is not None:
                run.write(previous.index, previous.rows())
            previous = graded
        assert previous is not None
        run.write(previous.index, previous.rows())
    if rank != 0:
        return None
    run.merge()
    return _count(problems, run, num_samples)


def _plan(problems: Dataset, problems_per_shard: int) -> list[list[int]]:
    """Problems with prompts of like length go together, which saves padding; the longest first, to fail early if at all."""
    lengths = [len(prompt) for prompt in problems["prompt"]]
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return [order[i : i + problems_per_shard] for i in range(0, len(order), problems_per_shard)]


def _digest(problems: Dataset) -> str:
    digest = hashlib.sha256()
    for row in problems:
        digest.update(json.dumps([row["problem_id"], row["prompt"], row["tests"], row["solutions"]]).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Graded:
    """A shard whose grading is under way."""

    index: int
    problems: list[dict[str, Any]]
    completions: Sequence[Sequence[str]]
    reports: Future[list[ExecutionReport]]
    has_visible: list[bool]

    def rows(self) -> Iterator[dict[str, Any]]:
        reports = iter(self.reports.result())
        for problem, completions, has_visible in zip(self.problems, self.completions, self.has_visible, strict=True):
            for number, completion in enumerate(completions):
                report = next(reports)
                visible = next(reports) if has_visible else None
                yield {
                    "problem_id": problem["problem_id"],
                    "difficulty": problem["difficulty"],
                    "sample": number,
                    "outcome": report.outcome.name,
                    "num_passed": report.num_passed,
                    "num_tests": report.num_tests,
                    "error_type": report.error_type,
                    "error_message": report.error_message,
                    "error_line": None if report.span is None else report.span.line,
                    "trailing_error_type": report.trailing_error_type,
                    "trailing_error_message": report.trailing_error_message,
                    "trailing_error_line": None if report.trailing_span is None else report.trailing_span.line,
                    "whole_module_outcome": report.whole_module_outcome.name,
                    "passes_visible_tests": None if visible is None else visible.outcome is Outcome.PASS,
                    "is_clipped": completion.is_clipped if isinstance(completion, Completion) else None,
                    "completion": completion,
                }


def _submit(
    problems: list[dict[str, Any]],
    completions: Sequence[Sequence[str]],
    sampler: Sampler,
    runner: LocalRunner,
    visible_tests: VisibleTests | None,
    index: int,
) -> _Graded:
    programs = []
    has_visible = []
    for problem, texts in zip(problems, completions, strict=True):
        visible = None if visible_tests is None else visible_tests(problem)
        has_visible.append(visible is not None)
        for text in texts:
            source = sampler.program(text)
            programs.append(Program(source, problem["tests"]))
            if visible is not None:
                programs.append(Program(source, visible))
    return _Graded(index, problems, completions, runner.submit(programs), has_visible)


def _count(problems: Dataset, run: ShardedRun, num_samples: int) -> SampledEvaluation:
    counts = {
        problem_id: ProblemCounts(problem_id, difficulty)
        for problem_id, difficulty in zip(problems["problem_id"], problems["difficulty"], strict=True)
    }
    outcomes: Counter[str] = Counter()
    num_trailing_errors = 0
    clipped: list[bool] = []
    try:
        for row in run.rows():
            problem, is_correct = counts[row["problem_id"]], row["outcome"] == Outcome.PASS.name
            is_kept = row["passes_visible_tests"] is not False
            problem.num_samples += 1
            problem.num_correct += is_correct
            problem.num_kept += is_kept
            problem.num_kept_correct += is_kept and is_correct
            problem.num_whole_correct += row["whole_module_outcome"] == Outcome.PASS.name
            num_trailing_errors += row["trailing_error_type"] is not None
            if row["is_clipped"] is not None:
                clipped.append(row["is_clipped"])
            outcomes[row["outcome"]] += 1
        is_whole = all(problem.num_samples == num_samples for problem in counts.values())
    except (KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise ValueError(
            f"{run.samples} does not have {num_samples} samples of each of the {len(counts)} problems: it was changed after the run. "
            "Start the run anew in another folder."
        )
    return SampledEvaluation(
        list(counts.values()),
        {outcome.name: outcomes[outcome.name] for outcome in reversed(Outcome)},
        num_trailing_errors,
        sum(clipped) if clipped else None,
    )
