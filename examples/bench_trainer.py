"""
Measure the trainer on a small model, on the CPU; the code is in examples/benchmarks.

    OMP_NUM_THREADS=1 python examples/bench_trainer.py
"""

from benchmarks.trainer import main

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        main()
