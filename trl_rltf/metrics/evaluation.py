"""Sample programs for held-out problems, grade them and count the correct ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from datasets import Dataset
from tqdm.auto import tqdm

from ..execution import Runner
from ..execution.limits import LIMIT_COLUMNS
from .graded_samples import SampleCounter, VisibleTests, check_problem_limits, grade
from .pass_at_k.pass_at_k import estimate_pass_at_k
from .problem_texts import write_problem_texts
from .samplers import Sampler
from .shards import ShardedRun
from .statistics import Estimate, ProblemCounts, bootstrap_interval


# Among the settings of a run, because earlier versions judged the whole module: their samples are not counted together
# with new ones.
VERDICTS_BY = "the functions that the tests use"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    How many samples of each problem are correct.

    Args:
        counts (`list[ProblemCounts]`): Counts of each problem, in the order of the dataset.
        outcomes (`dict[str, int]`): Number of samples with each outcome, by the code that the tests use.
        num_trailing_errors (`int`, *optional*, defaults to `0`): Samples with an error in other code: an example, an
            assert of the model, a line that was cut off. If there is none, pass@k by the functions and by the whole module
            are the same.
        num_clipped (`int`, *optional*): Samples that were cut at the length limit; `None` if the sampler does not
            report this.
        num_clipped_syntax_errors (`int`, *optional*, defaults to `0`): Those of them that are syntax errors.
    """

    counts: list[ProblemCounts]
    outcomes: dict[str, int]
    num_trailing_errors: int = 0
    num_clipped: int | None = None
    num_clipped_syntax_errors: int = 0

    @property
    def num_samples(self) -> int:
        """Samples per problem."""
        return self.counts[0].num_samples

    @property
    def num_correct(self) -> tuple[int, ...]:
        """Correct samples of each problem."""
        return tuple(problem.num_correct for problem in self.counts)

    @property
    def outcome_shares(self) -> dict[str, float]:
        """Share of the samples with each outcome."""
        return {outcome: self._share(number) for outcome, number in self.outcomes.items()}

    @property
    def trailing_error_share(self) -> float:
        """Share of the samples with an error in code that the tests do not use."""
        return self._share(self.num_trailing_errors)

    @property
    def clipped_share(self) -> float:
        """Share of the samples that were cut at the length limit."""
        return self._share(self.num_clipped or 0)

    def _share(self, number: int) -> float:
        return number / sum(self.outcomes.values())

    def pass_at_k(self, k: int, *, whole_module: bool = False) -> float:
        """
        Mean over the problems of the unbiased estimate of pass@k.

        Args:
            k (`int`): The k of pass@k.
            whole_module (`bool`, *optional*, defaults to `False`): Count any error in the module, as LiveCodeBench does, and
                not only those in the code that the tests use.
        """
        return float(self._scores(k, whole_module).mean())

    def interval(self, k: int, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """
        Bootstrap interval of pass@k over the problems.

        Args:
            k (`int`): The k of pass@k.
            level (`float`, *optional*, defaults to `0.95`): Level of the interval.
            seed (`int`, *optional*, defaults to `0`): Seed of the bootstrap.
        """
        return bootstrap_interval(self._scores(k), level=level, seed=seed)

    def gain_over(self, other: Evaluation, k: int, *, level: float = 0.95, seed: int = 0) -> Estimate:
        """
        Difference of pass@k to another evaluation, paired problem by problem.

        Args:
            other ([`Evaluation`]): The evaluation of the same problems that is subtracted.
            k (`int`): The k of pass@k.
            level (`float`, *optional*, defaults to `0.95`): Level of the bootstrap interval.
            seed (`int`, *optional*, defaults to `0`): Seed of the bootstrap.

        Returns:
            [`Estimate`]: The mean difference and its interval over problems.

        Raises:
            ValueError: If the evaluations are of different numbers of problems.
        """
        if len(self.counts) != len(other.counts):
            raise ValueError(
                f"A paired difference needs the same problems, but there are {len(self.counts)} and {len(other.counts)}."
            )
        gains = self._scores(k) - other._scores(k)
        return Estimate(float(gains.mean()), *bootstrap_interval(gains, level=level, seed=seed))

    def _scores(self, k: int, whole_module: bool = False) -> np.ndarray:
        correct = [problem.num_whole_correct if whole_module else problem.num_correct for problem in self.counts]
        return estimate_pass_at_k([problem.num_samples for problem in self.counts], correct, k)


@overload
def evaluate(
    problems: Dataset,
    sampler: Sampler | Callable[[], Sampler],
    runner: Runner,
    num_samples: int = ...,
    *,
    folder: None = ...,
    visible_tests: VisibleTests | None = ...,
    seed: int = ...,
) -> Evaluation: ...


@overload
def evaluate(
    problems: Dataset,
    sampler: Sampler | Callable[[], Sampler],
    runner: Runner,
    num_samples: int = ...,
    *,
    folder: str | Path | None,
    settings: Mapping[str, Any] | None = ...,
    samples_per_shard: int = ...,
    visible_tests: VisibleTests | None = ...,
    seed: int = ...,
    rank: int = ...,
    world_size: int = ...,
) -> Evaluation | None: ...


def evaluate(
    problems: Dataset,
    sampler: Sampler | Callable[[], Sampler],
    runner: Runner,
    num_samples: int = 10,
    *,
    folder: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    samples_per_shard: int = 256,
    visible_tests: VisibleTests | None = None,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> Evaluation | None:
    """
    Sample programs for each problem, grade them and count the correct ones.

    Without a folder, all samples are drawn at once, with the seed itself, and kept in memory. With a folder, they are drawn
    and written shard by shard. A killed run resumes with the samples that it would have drawn, and several processes
    can share a run. The seed of a shard depends on the seed of the run and the number of the shard.

    Args:
        problems ([`~datasets.Dataset`]): Problems, with columns `prompt` and `tests`; with a folder, all columns of `load_apps`.
            `time_limit` (seconds per test) and `memory_limit` (bytes), if there, replace the limits of the runner.
        sampler ([`Sampler`] or `Callable`): Source of the programs, or a function without arguments that loads it. The function
            is called if samples are missing, and on the first process.
        runner ([`~execution.Runner`]): Grades the programs, with a folder while the next shard is sampled.
        num_samples (`int`, *optional*, defaults to `10`): Samples per problem.
        folder (`str` or `Path`, *optional*): Folder of a run that can be resumed.
        settings (`Mapping[str, Any]`, *optional*): Everything else that the samples or their verdicts depend on. A folder is
            only resumed with the same settings.
        samples_per_shard (`int`, *optional*, defaults to `256`): Samples per shard. All samples of a problem are in one shard.
            A killed run loses the shard that it samples, and the previous one if that is still being graded.
        visible_tests (`Callable`, *optional*): Gives the tests that a problem shows, or `None` if it shows none. Samples are
            run on these tests, too.
        seed (`int`, *optional*, defaults to `0`): Seed of the sampling; the random state of the caller is left as it was.
        rank (`int`, *optional*, defaults to `0`): Number of this process.
        world_size (`int`, *optional*, defaults to `1`): Number of processes that share the folder.

    Returns:
        [`Evaluation`] or `None`: The counts; with a folder, on the first process, after all processes have finished.

    Raises:
        ValueError: If there is nothing to sample, a limit of a problem is malformed, several processes have no folder, or the
            folder holds a run with other settings, problems or weights.
    """
    if num_samples < 1 or len(problems) == 0:
        raise ValueError(f"There is nothing to sample: {num_samples} samples for each of {len(problems)} problems.")
    if samples_per_shard < 1:
        raise ValueError(f"`samples_per_shard` is {samples_per_shard}, but must be at least 1.")
    check_problem_limits(problems)
    if folder is None:
        if world_size != 1:
            raise ValueError(
                f"`world_size` is {world_size}, but processes share an evaluation by its `folder`. Give one."
            )
        return _evaluate_in_memory(problems, _load(sampler), runner, num_samples, visible_tests, seed)
    shards = _plan(problems, max(1, samples_per_shard // num_samples))
    run = ShardedRun(folder, len(shards), rank=rank, world_size=world_size)
    sizes = {"num_samples": num_samples, "samples_per_shard": samples_per_shard, "seed": seed}
    filtered = {"filter_by_examples": visible_tests is not None}
    run.record_or_check("settings", {**(settings or {}), **sizes, **filtered, "verdicts_by": VERDICTS_BY})
    run.record_or_check("problems", {"number": len(problems), "digest": _digest(problems)})
    run.check([len(shard) * num_samples for shard in shards])
    if rank == 0:
        write_problem_texts(run.folder, problems)
    pending = run.pending()
    if pending or rank == 0:
        # A complete run is checked too: the weights may have changed since its samples were drawn.
        loaded = _load(sampler)
        run.record_or_check("weights", {"digest": loaded.fingerprint})

        def grade_and_write(index: int, rows: list[dict[str, Any]], completions: Any) -> None:
            run.write(index, grade(rows, completions, loaded, runner, visible_tests))

        with ThreadPoolExecutor(1, "trl-rltf shard") as background:
            previous: Future[None] | None = None
            for index in tqdm(pending, desc="shards", disable=rank != 0):
                rows = [problems[i] for i in shards[index]]
                completions = loaded.sample(rows, num_samples, seed * 1_000_003 + index)
                if previous is not None:
                    previous.result()
                previous = background.submit(grade_and_write, index, rows, completions)
            if previous is not None:
                previous.result()
    if rank != 0:
        return None
    run.merge()
    return _count_samples(problems, run, num_samples)


def _load(sampler: Sampler | Callable[[], Sampler]) -> Sampler:
    return sampler() if callable(sampler) else sampler


def _evaluate_in_memory(
    problems: Dataset,
    sampler: Sampler,
    runner: Runner,
    num_samples: int,
    visible_tests: VisibleTests | None,
    seed: int,
) -> Evaluation:
    rows = [{"problem_id": str(index), "difficulty": "", **row} for index, row in enumerate(problems)]
    counter = SampleCounter(ProblemCounts(row["problem_id"], row["difficulty"]) for row in rows)
    completions = sampler.sample(rows, num_samples, seed)
    for number, sample in enumerate(grade(rows, completions, sampler, runner, visible_tests)):
        counter.add(number // num_samples, sample)
    return make_evaluation(counter)


def make_evaluation(counter: SampleCounter) -> Evaluation:
    """
    Make an evaluation of counted samples.

    Args:
        counter ([`SampleCounter`]): The counts.
    """
    return Evaluation(
        counter.problems,
        counter.outcomes,
        counter.num_trailing_errors,
        counter.num_clipped,
        counter.num_clipped_syntax_errors,
    )


def _plan(problems: Dataset, problems_per_shard: int) -> list[list[int]]:
    """
    Put problems with prompts of similar length in one shard, the longest first.

    Similar lengths save padding. If the longest prompts do not fit into memory, the run fails early.
    """
    lengths = [len(prompt) for prompt in problems["prompt"]]
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return [order[i : i + problems_per_shard] for i in range(0, len(order), problems_per_shard)]


def _digest(problems: Dataset) -> str:
    digest = hashlib.sha256()
    for row in problems:
        parts = [row["problem_id"], row["prompt"], row["tests"], row["solutions"]]
        # Only where they are set, so that runs of problems without them resume.
        limits = {name: row[name] for name in LIMIT_COLUMNS if row.get(name) is not None}
        parts += [part for part in (limits, row.get("starter_code")) if part]
        digest.update(json.dumps(parts).encode())
    return digest.hexdigest()


def _count_samples(problems: Dataset, run: ShardedRun, num_samples: int) -> Evaluation:
    index_of = {problem_id: index for index, problem_id in enumerate(problems["problem_id"])}
    counter = SampleCounter(map(ProblemCounts, problems["problem_id"], problems["difficulty"]))
    try:
        for sample in run.rows():
            counter.add(index_of[sample["problem_id"]], sample)
        is_whole = all(problem.num_samples == num_samples for problem in counter.problems)
    except (KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise ValueError(
            f"{run.samples} does not have {num_samples} samples of each of the {len(problems)} problems: it was changed after "
            "the run. Start the run again in another folder."
        )
    return make_evaluation(counter)
