"""
Grade the same programs with our adapter for a framework and with the grader of that framework, and print a table.

    HF_ALLOW_CODE_EVAL=1 python -P examples/benchmarks/framework_agreement.py --framework verl
    HF_ALLOW_CODE_EVAL=1 python -P examples/benchmarks/framework_agreement.py --framework lighteval

The framework has to be installed. Without `-P`, the `ray.py` in this folder hides Ray, which verl imports. Its grader runs the programs in a process that it forks, without a sandbox, and counts elapsed
seconds: use an idle machine. A program on which the verdicts differ is graded once more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from transformers import HfArgumentParser

from trl_rltf.scripts import short_errors


@dataclass
class FrameworkArguments:
    """The framework."""

    framework: Literal["verl", "lighteval"] = field(metadata={"help": "Framework whose grader is compared."})


SUM = {"inputs": ["1 2\n", "2 2\n", "10 -3\n"], "outputs": ["3\n", "4\n", "7\n"]}
ADD = {
    "fn_name": "add",
    "inputs": ["1\n2", "2\n2", "10\n-3"],
    "outputs": ["3", "4", "7"],
}  # arguments as JSON, one per line
READ = "a, b = map(int, input().split())\n"
EQUAL = "class Equal(int):\n    def __eq__(self, other):\n        return True\n"
OF_SCRIPTS = {
    "right": f"{READ}print(a + b)",
    "right, in a function `main`": f"def main():\n    {READ}    print(a + b)\n\nif __name__ == '__main__':\n    main()",
    "right, reads `sys.stdin`": "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
    "right, with white space around": f"{READ}print(f' {{a + b}} \\n')",
    "right, as a float": f"{READ}print(float(a + b))",
    "right, then `sys.exit(0)`": f"import sys\n{READ}print(a + b)\nsys.exit(0)",
    "right, then `sys.exit(1)`": f"import sys\n{READ}print(a + b)\nsys.exit(1)",
    "right, then an exception": f"{READ}print(a + b)\nraise ValueError",
    "right, and a line more": f"{READ}print(a + b)\nprint('done')",
    "right for one of three": f"{READ}print(a * b)",
    "wrong": "print(0)",
    "prints nothing": f"{READ}a + b",
    "syntax error": f"{READ}print(a +",
    "misspelt name": f"{READ}print(a + c)",
    "endless recursion": f"{READ}def f(x): return f(x + 1)\nprint(f(a))",
    "endless loop": "while True: pass",
    "sleeps": "import time\ntime.sleep(60)\nprint(3)",
}
OF_FUNCTIONS = {
    "right": "def add(a, b): return a + b",
    "right, in `class Solution`": "class Solution:\n    def add(self, a, b): return a + b",
    "right, as a float": "def add(a, b): return float(a + b)",
    "right for one of three": "def add(a, b): return a * b",
    "wrong": "def add(a, b): return 0",
    "prints instead of returning": "def add(a, b): print(a + b)",
    "other name": "def plus(a, b): return a + b",
    "syntax error": "def add(a, b) return a + b",
    "exception": "def add(a, b): raise ValueError",
    "endless loop": "def add(a, b):\n    while True: pass",
    "error after the function": "def add(a, b): return a + b\n\nprint(add('x'))",
    "an object that equals everything": f"{EQUAL}\ndef add(a, b): return Equal()",
}
CASES = [
    *(("reads input", name, source, SUM) for name, source in OF_SCRIPTS.items()),
    *(("function", name, source, ADD) for name, source in OF_FUNCTIONS.items()),
]


def verl_scores(source: str, tests: dict[str, Any]) -> tuple[float, float]:
    """Share of the tests that a program passes, by us and by verl."""
    from verl.utils.reward_score import prime_code

    from trl_rltf.integrations import compute_score

    completion = f"```python\n{source}\n```"
    theirs, _ = prime_code.compute_score(completion, json.dumps(tests), continuous=True)
    return compute_score("test", completion, json.dumps(tests))["score"], float(theirs)


def lighteval_scores(source: str, tests: dict[str, Any]) -> tuple[float, float]:
    """Whether a program passes, by us and by lighteval."""
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.requests import Doc
    from lighteval.tasks.tasks.lcb.codegen_metrics import codegen_metrics, extract_code

    from trl_rltf.integrations import pass_at_k_metric

    completion = f"```python\n{source}\n```"
    doc = Doc(query="", choices=[""], gold_index=0, task_name="test", id="0", specific=tests)
    ours = pass_at_k_metric(k=1, n=1).sample_level_fn.compute(ModelResponse(text=[completion]), doc)
    samples = [{"input_output": json.dumps({"fn_name": None, **tests})}]
    metrics, _ = codegen_metrics(samples, [[extract_code(completion)]], k_list=[1], num_process_evaluate=1)
    return float(ours), float(metrics["pass@1"])


GRADERS: dict[str, Callable[[str, dict[str, Any]], tuple[float, float]]] = {
    "verl": verl_scores,
    "lighteval": lighteval_scores,
}


def main() -> None:
    """Print the table."""
    (args,) = HfArgumentParser(FrameworkArguments).parse_args_into_dataclasses()
    grade = GRADERS[args.framework]
    same = 0
    print(f"| program | | ours | {args.framework} |\n| --- | --- | --- | --- |")
    for kind, name, source, tests in CASES:
        ours, theirs = grade(source, tests)
        if ours != theirs:
            ours, theirs = grade(source, tests)
        same += ours == theirs
        print(f"| {kind} | {name} | {ours:.2f} | {theirs:.2f}{'' if ours == theirs else ' (differs)'} |")
        sys.stdout.flush()
    print(f"\n{same} of {len(CASES)} are the same.")


if __name__ == "__main__":
    with short_errors():
        main()
