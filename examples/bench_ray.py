"""
Measure grading on a Ray cluster of several nodes on this machine; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_ray.py
"""

from benchmarks.ray import run_command

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        run_command()
