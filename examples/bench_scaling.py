"""
Measure how many programs one calling process can grade; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_scaling.py
"""

from benchmarks.scaling import run_command

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        run_command()
