# /// script
# dependencies = ["trl-rltf"]
# ///
"""
Compare the verdicts of `code_eval` with ours, on MBPP solutions and on broken ones.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_code_eval.py --mbpp mbpp.jsonl

`code_eval` runs the programs without a sandbox.
"""

import argparse
import json
import re
import time

import evaluate

from trl_rltf.data import load_mbpp
from trl_rltf.integrations import CODE_EVAL
from trl_rltf.scripts import short_errors


LAST_RETURN = re.compile(r"return\b(?!.*\breturn\b)(.*)", re.DOTALL)
EQUALS_ALL = "class Equal:\n    def __eq__(self, other): return True\n"
KINDS = {
    "reference solution": lambda code: code,
    "last `return` returns `None`": lambda code: LAST_RETURN.sub("return None", code),
    "last `return` has a misspelt name": lambda code: LAST_RETURN.sub(r"return no_such_name\1", code),
    "cut off in the last line": lambda code: code.rstrip()[:-3],
    "error after the functions": lambda code: f"{code}\nraise ValueError\n",
    "last `return` returns an object that equals everything": lambda code: (
        EQUALS_ALL + LAST_RETURN.sub("return Equal()", code)
    ),
}


def main() -> None:
    """Grade each kind of program with both graders, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--mbpp", default="google-research-datasets/mbpp", help="`mbpp.jsonl`, or a dataset of the Hub"
    )
    parser.add_argument("--code_eval", default="code_eval", help="name or folder of the other `evaluate` module")
    parser.add_argument("--split", default="test", help="split of MBPP")
    parser.add_argument("--num_problems", type=int, default=500, help="number of problems")
    parser.add_argument("--num_workers", type=int, default=2, help="programs that run at the same time")
    args = parser.parse_args()
    problems = load_mbpp(args.mbpp, split=args.split).select(range(args.num_problems))
    metrics = {"code_eval": evaluate.load(args.code_eval), "ours": evaluate.load(CODE_EVAL)}
    tests = [json.loads(text) for text in problems["tests"]]
    references = ["\n".join([entry.get("setup") or "", *entry["asserts"]]) for entry in tests]
    print(f"| {len(references)} programs each | passed, `code_eval` | passed, ours | same verdict | seconds |")
    print("| --- | --- | --- | --- | --- |")
    differences = []
    for kind, change in KINDS.items():
        candidates = [[change(solutions[0].replace("\r\n", "\n"))] for solutions in problems["solutions"]]
        verdicts, seconds = {}, {}
        for name, metric in metrics.items():
            began = time.perf_counter()
            options = {"k": [1], "num_workers": args.num_workers, "timeout": 4.0}
            _, results = metric.compute(references=references, predictions=candidates, **options)
            verdicts[name] = [results[task][0][1] for task in range(len(references))]
            seconds[name] = time.perf_counter() - began
        pairs = list(zip(*verdicts.values(), strict=True))
        passed = [sum(verdict["passed"] for verdict in rows) for rows in verdicts.values()]
        same = sum(theirs["passed"] == ours["passed"] for theirs, ours in pairs)
        print(f"| {kind} | {passed[0]} | {passed[1]} | {same} | {' / '.join(f'{s:.0f}' for s in seconds.values())} |")
        differences += [
            (kind, problem_id, theirs["result"], ours["result"])
            for problem_id, (theirs, ours) in zip(problems["problem_id"], pairs, strict=True)
            if theirs["passed"] != ours["passed"] and kind != list(KINDS)[-1]
        ]
    for kind, problem_id, theirs, ours in differences:
        print(f"MBPP {problem_id}, {kind}: code_eval {theirs[:80]!r}, ours {ours[:120]!r}")


if __name__ == "__main__":
    with short_errors():
        main()
