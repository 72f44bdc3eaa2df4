"""
Measure how many programs one calling process can grade; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_scaling.py
"""

from benchmarks.scaling import run_command


if __name__ == "__main__":
    run_command()
