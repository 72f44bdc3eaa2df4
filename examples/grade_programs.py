# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
Grade programs with unit tests in the sandbox, without a model.

    python examples/grade_programs.py

`trl-rltf grade` does the same for files. The sandbox is described in docs/execution.md.
"""

from trl_rltf.execution import LocalRunner, Program
from trl_rltf.scripts import short_errors


TESTS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
PROGRAMS = {
    "right": "a, b = map(int, input().split())\nprint(a + b)\n",
    "wrong": "print(3)\n",
    "raises": "print(1 / 0)\n",
    "does not compile": "print(",
    "does not end": "while True:\n    pass\n",
}


def main():
    with LocalRunner(timeout=1.0, allow_code_eval=True) as runner:
        reports = runner.run([Program(source, TESTS) for source in PROGRAMS.values()])
    for name, report in zip(PROGRAMS, reports, strict=True):
        error = "" if report.error_type is None else f", {report.error_type}: {report.error_message}"
        print(f"{name}: {report.outcome.name}, {report.num_passed} of {report.num_tests} tests passed{error}")


if __name__ == "__main__":
    with short_errors():
        main()
