"""
Measure the outcomes of a warm start on MiniAPPS-L with persistent gaps, to calibrate it.

    python -m ablation.long_start --num_statements 16 --wrong_share 0.3 --steps 600    # in the folder examples

It grades 400 programs of `make_gapped_examples`, trains a tiny model on such programs and samples programs for training and test
problems. It prints the share of each outcome, pass@1, and the shares of groups in which all samples fail, some pass, and all pass.
"""

import argparse
import tempfile
import time
from collections import Counter

from trl import SFTConfig

from trl_rltf import make_mini_apps_long
from trl_rltf.execution import LocalRunner, Program
from trl_rltf.generation import Sampling
from trl_rltf.metrics import PolicySampler, evaluate
from trl_rltf.mini import make_gapped_examples, make_mini_model
from trl_rltf.scripts import RLTFScriptArguments
from trl_rltf.scripts.warm_start import warm_start


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--num_statements", type=int, help="statements of a solution; by default the lengths of APPS")
    parser.add_argument(
        "--train_problems", type=int, default=2000, help="problems of the warm start, before rare ones are left out"
    )
    parser.add_argument("--wrong_share", type=float, default=0.3, help="share of the kinds of stages with a mistake")
    parser.add_argument("--wrong_rate", type=float, default=0.85, help="share of their programs that have the mistake")
    parser.add_argument("--rare_share", type=float, default=0.2, help="share of the rare kinds of stages")
    parser.add_argument(
        "--rare_rate", type=float, default=0.1, help="share of the problems with a rare stage that are kept"
    )
    parser.add_argument("--steps", type=int, default=600, help="steps of 32 programs; 0 only grades the examples")
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--solutions", type=int, default=4, help="programs per problem of the warm start")
    parser.add_argument("--hidden_size", type=int, default=192)
    parser.add_argument("--num_layers", type=int, default=4)
    parser.add_argument("--vocab_size", type=int, default=1000)
    parser.add_argument("--eval_problems", type=int, default=48, help="problems of each split that are sampled")
    parser.add_argument("--num_samples", type=int, default=8, help="samples per problem")
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--max_completion_length", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    args = make_parser().parse_args()
    began = time.monotonic()
    shares = {name: getattr(args, name) for name in ("wrong_share", "wrong_rate", "rare_share", "rare_rate")}
    chosen = {"num_statements": args.num_statements, "seed": args.seed}
    examples = make_gapped_examples(num_problems=args.train_problems, **chosen, **shares)
    with LocalRunner(allow_code_eval=True) as runner:
        programs = [
            Program(text, row["tests"])
            for row in examples.select(range(min(100, len(examples))))
            for text in row["solutions"][:4]
        ]
        outcomes = Counter(report.outcome.name for report in runner.run(programs))
    print("examples:", ", ".join(f"{name} {100 * n / len(programs):.1f} %" for name, n in outcomes.most_common()))
    if not args.steps:
        return
    model, tokenizer = make_mini_model(
        examples, seed=args.seed, hidden_size=args.hidden_size, num_layers=args.num_layers, vocab_size=args.vocab_size
    )
    script_args = RLTFScriptArguments(
        warm_start_steps=args.steps,
        warm_start_batch_size=32,
        warm_start_learning_rate=args.learning_rate,
        warm_start_solutions=args.solutions,
        warm_start_bug_share=0.0,
        warm_start_slip_share=0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        training = SFTConfig(folder, seed=args.seed, use_cpu=True, bf16=False, gradient_checkpointing=False)
        warm_start(model, tokenizer, examples, script_args, training, folder=folder)
    print(f"{len(examples)} problems, {args.steps} steps: {time.monotonic() - began:.0f} s")
    sampling = Sampling(temperature=args.temperature, max_completion_length=args.max_completion_length)
    sampler = PolicySampler(model, tokenizer, sampling)
    with LocalRunner(allow_code_eval=True) as runner:
        for split in ("train", "test"):
            problems = make_mini_apps_long(split, num_problems=args.eval_problems, num_tests=20, **chosen)
            result = evaluate(problems, sampler, runner, args.num_samples, seed=args.seed)
            correct, groups = list(result.num_correct), len(problems)
            outcomes = ", ".join(f"{name} {100 * share:.1f} %" for name, share in result.outcome_shares.items())
            print(f"{split}: pass@1 {100 * sum(correct) / groups / args.num_samples:.1f} %; {outcomes}")
            all_fail, all_pass = correct.count(0) / groups, correct.count(args.num_samples) / groups
            print(
                f"  groups: {100 * all_fail:.0f} % all fail, {100 * (1 - all_fail - all_pass):.0f} % mixed, "
                f"{100 * all_pass:.0f} % all pass ({time.monotonic() - began:.0f} s)"
            )


if __name__ == "__main__":
    main()
