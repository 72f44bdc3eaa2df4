"""Read the folder of a finished evaluation, and pair it with another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .evaluation import VERDICTS_BY, Evaluation, make_evaluation
from .graded_samples import SampleCounter
from .shards import read_samples
from .statistics import ProblemCounts


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """
    A finished run of `trl-rltf evaluate`.

    Args:
        folder (`Path`): Its folder.
        settings (`Mapping[str, Any]`): What its samples depend on, from `settings.json`.
        digest (`str`): Digest of its problems.
        evaluation ([`Evaluation`]): Counts of its samples.
    """

    folder: Path
    settings: Mapping[str, Any]
    digest: str
    evaluation: Evaluation

    def in_the_order_of(self, other: FinishedRun) -> FinishedRun:
        """
        Pair the problems with those of another run.

        Args:
            other ([`FinishedRun`]): Run whose order of the problems is used.

        Raises:
            ValueError: If the runs are of different problems. The message names one.
        """
        theirs = [problem.problem_id for problem in other.evaluation.counts]
        mine = {problem.problem_id: problem for problem in self.evaluation.counts}
        alone = sorted(mine.keys() ^ set(theirs))
        if alone:
            raise ValueError(
                f"{self.folder} and {other.folder} are of different problems: {len(mine)} and {len(theirs)}, of which "
                f"{len(mine.keys() & set(theirs))} are in both; {alone[0]!r} is in one only. A paired comparison needs the same "
                "problems."
            )
        if self.digest != other.digest:
            raise ValueError(
                f"{self.folder} and {other.folder} have problems with the same names, but other prompts, tests or solutions. A "
                "paired comparison needs the same problems: evaluate both on the same file, with the same version of trl-rltf."
            )
        return replace(self, evaluation=replace(self.evaluation, counts=[mine[name] for name in theirs]))


def read_run(folder: str | Path) -> FinishedRun:
    """
    Read the folder of a finished run.

    Args:
        folder (`str` or `Path`): Folder of `trl-rltf evaluate`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is not the folder of a run, or the run is unfinished, damaged or of an earlier version.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: there is no such folder. Give the folder of a run of `trl-rltf evaluate`.")
    settings, problems = _read(path, "settings"), _read(path, "problems")
    if not (path / "samples.jsonl").is_file():
        raise ValueError(
            f"{path}: the evaluation is unfinished. The command that started it resumes it; compare it when it has written "
            "`samples.jsonl`."
        )
    if settings.get("verdicts_by") != VERDICTS_BY:
        raise ValueError(
            f"{path}: an earlier version of trl-rltf wrote this run and judged whole modules, so that its figures mean "
            "something else. Evaluate again in another folder."
        )
    counter, index_of = SampleCounter([]), dict[str, int]()
    try:
        for sample in read_samples(path / "samples.jsonl"):
            name = sample["problem_id"]
            if name not in index_of:
                index_of[name] = len(index_of)
                counter.problems.append(ProblemCounts(name, sample["difficulty"]))
            counter.add(index_of[name], sample)
        number, digest, num_samples = problems["number"], str(problems["digest"]), settings["num_samples"]
        is_whole = len(index_of) == number > 0 and all(p.num_samples == num_samples for p in counter.problems)
    except (KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise ValueError(
            f"{path}: `samples.jsonl` does not have the samples that `settings.json` and `problems.json` describe. It was "
            "changed after the run; evaluate again in another folder."
        )
    return FinishedRun(path, settings, digest, make_evaluation(counter))


def _read(folder: Path, name: str) -> Any:
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"{folder}: this is not the folder of a run of `trl-rltf evaluate`: it has no `{path.name}`."
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}). Evaluate again in another folder.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: found a {type(content).__name__}, but must be a mapping. Evaluate again.")
    return content
