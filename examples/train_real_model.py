"""
Train a real code model on MBPP in one of the ways that docs/evidence.md compares; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/train_real_model.py --arm grpo --output_dir outputs/real/grpo
"""

from benchmarks.real_model import main

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        main()
