"""
Measure the trainer on a GPU, next to TRL's, in at most 10 minutes; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/bench_gpu.py --output gpu.json
"""

from benchmarks.gpu import main

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        main()
