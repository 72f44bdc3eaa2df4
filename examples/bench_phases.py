"""
Measure the phases of a program in the grader; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_phases.py
"""

from benchmarks.phases import run_command

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        run_command()
