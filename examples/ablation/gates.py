"""
See which kinds of feedback could help a model, before training with them.

    python examples/gates.py --benchmark mbpp --prompt_style chat --num_problems 64 \
        --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct

The arguments are those of `trl-rltf evaluate`, and those below. Samples are kept in `--output_dir`, so that a killed run is resumed
by the same command. It prints a table, and writes it to gates.json:

- the outcomes, and the groups of samples that all fail or all pass, from which a method with a group baseline learns nothing;
- the share of failures with a correction that keeps a beginning of the program (`find_corrections`);
- pass@1 of new samples for problems of failed programs, without and with the report on that program in the prompt, and with the
  report on a program of another problem (a placebo);
- pass@1 of repairs: the prompt has the program and its report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from rich.table import Table
from trl import ModelConfig

from trl_rltf.corrections import FailedProgram, find_corrections
from trl_rltf.execution import ExecutionReport, Outcome, Program, Runner, report_text
from trl_rltf.execution.limits import problem_limits
from trl_rltf.metrics import Evaluation, Sampler, evaluate
from trl_rltf.scripts.evaluate import load_problems, load_sampler
from trl_rltf.scripts.evaluation_arguments import EvaluationArguments
from trl_rltf.scripts.parser import ScriptParser
from trl_rltf.scripts.runners import make_runner
from trl_rltf.scripts.tables import console

from .gates_report import Figure, figures


MAX_PER_PROBLEM = 2  # failed programs, so that a few hard problems do not decide
MAX_DONORS = 3


@dataclass
class GateArguments:
    """Sizes of the measurement."""

    num_problems: int = field(default=64, metadata={"help": "Problems, drawn at random."})
    group_size: int = field(default=8, metadata={"help": "Samples per problem."})
    num_failures: int = field(default=80, metadata={"help": "Failed programs to correct, at most 2 per problem."})
    samples_per_failure: int = field(
        default=4, metadata={"help": "New samples per failed program and kind of prompt."}
    )

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"`{name}` is {value}, but must be at least 1.")


@dataclass(frozen=True)
class Failure:
    """A failed program, its problem and its report."""

    problem: dict[str, Any]
    source: str
    report: ExecutionReport
    donors: list[str]

    @property
    def feedback(self) -> str:
        """The report as text."""
        return report_text(self.report, self.source)


def main() -> None:
    """Sample, correct, sample again and print the table."""
    parser = ScriptParser((EvaluationArguments, ModelConfig, GateArguments), lambda chosen: {"temperature": 0.8})
    parser.set_defaults(dtype="auto", benchmark="mbpp", num_samples=2, dataset_test_split="train")
    script_args, model_args, sizes = parser.parse_args_and_config()
    if model_args.model_name_or_path is None:
        raise SystemExit("Give `--model_name_or_path`.")
    problems = load_problems(script_args)
    chosen = np.random.default_rng(script_args.seed).permutation(len(problems))[: sizes.num_problems]
    problems = problems.select(sorted(chosen.tolist()))
    if any(problems["starter_code"] if "starter_code" in problems.column_names else ()):
        raise SystemExit(
            f"The prompts of {script_args.benchmark} are code. Choose a benchmark whose prompts are text."
        )
    folder = Path(script_args.output_dir or "outputs/gates")
    with make_runner(None, timeout=script_args.test_timeout, num_workers=script_args.num_workers) as runner:
        sampler = load_sampler(script_args, model_args, runner, problems)

        def sample(rows: Dataset, name: str, num_samples: int) -> Evaluation:
            result = evaluate(
                rows,
                sampler,
                runner,
                num_samples,
                folder=folder / name,
                seed=script_args.seed,
                settings=vars(model_args),
            )
            assert result is not None  # one process
            return result

        measured = measure(problems, sample, sampler, runner, folder, sizes, seed=script_args.seed)
    (folder / "gates.json").write_text(json.dumps([vars(figure) for figure in measured], indent=1))
    table = Table(
        "gate", "figure", "95 % interval", "of", title=f"{len(problems)} problems of {script_args.benchmark}"
    )
    for figure in measured:
        table.add_row(figure.name, *figure.cells)
    console.print(table)


def measure(
    problems: Dataset,
    sample: Callable[[Dataset, str, int], Evaluation],
    sampler: Sampler,
    runner: Runner,
    folder: Path,
    sizes: GateArguments,
    *,
    seed: int = 0,
) -> list[Figure]:
    """Measure all gates."""
    first = sample(problems, "samples", sizes.group_size)
    completions = [json.loads(line) for line in (folder / "samples" / "samples.jsonl").read_text().splitlines()]
    by_problem: dict[str, list[str]] = {}
    for row in completions:
        by_problem.setdefault(row["problem_id"], []).append(sampler.program(row["completion"]))
    failures = choose_failures(problems, by_problem, runner, sizes.num_failures, seed=seed)
    corrections = find_corrections(
        [
            FailedProgram(one.source, one.problem["tests"], one.donors, limits=problem_limits(one.problem))
            for one in failures
        ],
        runner,
    )
    results = {}
    if failures:
        for name, rows in prompts(failures).items():
            results[name] = sample(Dataset.from_list(rows), name, sizes.samples_per_failure)
    return figures(first, [one is not None for one in corrections], results)


def choose_failures(
    problems: Dataset, by_problem: Mapping[str, Sequence[str]], runner: Runner, number: int, *, seed: int = 0
) -> list[Failure]:
    """
    Choose failed programs at random, at most two per problem.

    The donors of a program are passing samples of its problem, then reference solutions.
    """
    rows = list(problems)
    graded = iter(
        runner.run(
            [
                Program(source, row["tests"], **problem_limits(row))
                for row in rows
                for source in by_problem[row["problem_id"]]
            ]
        )
    )
    rng = np.random.default_rng(seed)
    failures = []
    for row in rows:
        reports = [(source, next(graded)) for source in by_problem[row["problem_id"]]]
        passing = list(dict.fromkeys(source for source, report in reports if report.outcome is Outcome.PASS))
        donors = passing[:MAX_DONORS] + list(row.get("solutions") or ())[:MAX_DONORS]
        failed = [Failure(row, source, report, donors) for source, report in reports if report.outcome < Outcome.PASS]
        failures += [failed[index] for index in rng.permutation(len(failed))[:MAX_PER_PROBLEM]]
    return [failures[index] for index in sorted(rng.permutation(len(failures))[:number])]


def prompts(failures: Sequence[Failure]) -> dict[str, list[dict[str, Any]]]:
    """
    Make the rows of each kind of prompt.

    The placebo is the feedback on a program of another problem.
    """
    # Half of the list away, a failure is of another problem, since the list is in the order of the problems.
    half = len(failures) // 2
    others = [*failures[half:], *failures[:half]]
    kinds = {
        "fresh": lambda one, other: one.problem["prompt"],
        "feedback": lambda one, other: _with_feedback(one.problem["prompt"], one.feedback),
        "placebo": lambda one, other: _with_feedback(one.problem["prompt"], other.feedback),
        "repair": lambda one, other: (
            f"{one.problem['prompt']}\n\nThis program does not solve the problem:\n\n```python\n{one.source.strip()}\n```\n\n"
            f"{one.feedback}\n\nWrite a corrected program."
        ),
    }
    return {
        name: [
            {
                **one.problem,
                "problem_id": f"{one.problem['problem_id']} failure {index}",
                "prompt": make(one, other),
            }
            for index, (one, other) in enumerate(zip(failures, others, strict=True))
        ]
        for name, make in kinds.items()
    }


def _with_feedback(prompt: str, feedback: str) -> str:
    return f"{prompt}\n\nAn earlier attempt failed. {feedback}\n\nSolve the problem."


def run_command() -> None:
    """Run `main`; Ctrl-C ends it with a message."""
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted. The samples are kept: run the command again to resume.") from None
