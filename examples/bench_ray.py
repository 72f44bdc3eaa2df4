"""
Measure grading on a Ray cluster of several nodes on this machine; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_ray.py
"""

from benchmarks.ray import run_command


if __name__ == "__main__":
    run_command()
