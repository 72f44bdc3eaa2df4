"""
Compare ways to train on MiniAPPS: RLTF, its parts, TRL's GRPO and RLOO, CodeRL, PPOCoder and supervised training.

All arms of an architecture and a seed start from the same warm start, and use as many samples and optimizer steps:

    python examples/ablation.py                                    # the main table, both architectures, 5 seeds
    python examples/ablation.py --quick                            # a few steps of everything: about 4 minutes on 2 cores
    python examples/ablation.py --tables feedback buffer --architectures llama --num_seeds 3
    python examples/ablation.py --arms grpo rltf --max_steps 60 --output_dir outputs/long

Running it again runs only the missing arms; results of other settings are kept. It writes results.parquet, and a table and plots
for each architecture.
"""

import signal
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from trl import TrlParser

from trl_rltf.scripts.tables import banner

from .arms import ARMS, TABLES, Comparison
from .queue import run_all
from .report import legend, report
from .results import write_parquet
from .run import GROUP_SIZE, Run, Scale


QUICK = Scale(
    max_steps=4, samples_per_step=32, eval_steps=2, eval_samples=2, final_samples=2, eval_problems=16,
    warm_start_steps=20, critic_steps=10,
)  # fmt: skip

ARCHITECTURES = ("llama", "t5")


@dataclass
class AblationArguments:
    """Arms to compare, and their scale."""

    tables: list[str] = field(default_factory=lambda: ["main"], metadata={"help": f"Tables: {', '.join(TABLES)}."})
    arms: list[str] | None = field(
        default=None,
        metadata={"help": f"Arms to compare instead of tables; the first one is the reference: {', '.join(ARMS)}."},
    )
    architectures: list[str] = field(
        default_factory=lambda: ["llama", "t5"], metadata={"help": "'llama', causal, and 't5', an encoder-decoder."}
    )
    num_seeds: int = field(default=5, metadata={"help": "Seeds of models and sampling: 1, 2, ..."})
    num_jobs: int = field(default=2, metadata={"help": "Runs at a time; they share the cores."})
    output_dir: str = field(default="outputs/ablation", metadata={"help": "Folder of runs, tables and plots."})
    quick: bool = field(
        default=False,
        metadata={"help": "One seed and a few steps, to try all arms. The arguments below are ignored."},
    )
    max_steps: int = field(default=Scale.max_steps, metadata={"help": "Optimizer steps."})
    samples_per_step: int = field(
        default=Scale.samples_per_step, metadata={"help": "Samples per step, in groups of 8, or of 4 in some arms."}
    )
    eval_steps: int = field(default=Scale.eval_steps, metadata={"help": "Steps between evaluations."})
    learning_rate: float = field(
        default=Scale.learning_rate,
        metadata={"help": "Learning rate of arms with rewards, unless the arm sets another."},
    )
    warmup_steps: int = field(default=Scale.warmup_steps, metadata={"help": "Steps in which the learning rate rises."})
    warm_start_steps: int = field(default=Scale.warm_start_steps, metadata={"help": "Supervised steps before RL."})
    bug_share: float = field(
        default=Scale.bug_share,
        metadata={"help": "Without slips: share of the warm start's programs that have one bug."},
    )
    slip_share: float = field(
        default=Scale.slip_share,
        metadata={
            "help": "Share of the lines of the warm start's programs that have a slip; with 0, see --bug_share."
        },
    )
    num_statements: int = field(
        default=Scale.num_statements,
        metadata={"help": "Statements of a solution in MiniAPPS-L, such as 8 or 16; 0 for MiniAPPS."},
    )
    wrong_share: float = field(
        default=Scale.wrong_share,
        metadata={"help": "Share of the kinds of stages of MiniAPPS-L that the warm start has with a mistake."},
    )


def comparisons(args: AblationArguments) -> dict[str, Comparison]:
    """Check the arguments and choose the tables."""
    for given, known, flag in (
        (args.tables, TABLES, "tables"),
        (args.arms or [], ARMS, "arms"),
        (args.architectures, ARCHITECTURES, "architectures"),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            sys.exit(f"--{flag} {' '.join(unknown)}: unknown. Choose from: {', '.join(known)}.")
    for name in ("num_seeds", "num_jobs", "max_steps", "eval_steps"):
        if vars(args)[name] < 1:
            sys.exit(f"--{name} is {vars(args)[name]}, but must be at least 1.")
    if args.samples_per_step < 1 or args.samples_per_step % GROUP_SIZE:
        sys.exit(
            f"--samples_per_step is {args.samples_per_step}, but must be a multiple of the group size, {GROUP_SIZE}."
        )
    if args.arms:
        return {"arms": Comparison("Arms", args.arms[0], args.arms[1:])}
    return {name: TABLES[name] for name in args.tables}


def main() -> None:
    """Run the missing arms and report the tables."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the runs too
    (args,) = TrlParser(AblationArguments).parse_args_and_config()
    tables = comparisons(args)
    names = list(dict.fromkeys(arm for table in tables.values() for arm in table.all_arms))
    scale = (
        QUICK if args.quick else Scale(**{f.name: vars(args)[f.name] for f in fields(Scale) if f.name in vars(args)})
    )
    seeds = range(1, 1 + (1 if args.quick else args.num_seeds))
    starts = [Run(args.output_dir, "warm-start", name, seed, scale) for seed in seeds for name in args.architectures]
    needs_critic = any(ARMS[name].critic for name in names)
    critics = [replace(run, arm="critic") for run in starts if needs_critic]
    runs = [replace(start, arm=name) for start in starts for name in names]

    banner("Arms")
    legend(names)
    failed = run_all(starts, args.num_jobs, "warm starts")
    if not failed:
        failed = run_all(critics, args.num_jobs, "critics") if critics else []
        failed += run_all(runs, args.num_jobs, "arms")
    folder = Path(args.output_dir)
    results = [run.result_path for run in starts + runs if run.result_path.is_file()]
    rows = write_parquet(results, folder / "results.parquet").to_pylist()
    for architecture in args.architectures:
        for name, comparison in tables.items():
            report(rows, name, comparison, architecture, seeds, folder)
    if failed:
        sys.exit(f"{len(failed)} runs failed: {', '.join(run.name for run in failed)}. Run this again to repeat them.")


def run_command() -> None:
    """Run `main`; Ctrl-C ends it with a message."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted. Finished runs are kept: run the command again to resume.")
