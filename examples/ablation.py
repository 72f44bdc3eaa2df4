"""
Compare ways to train on MiniAPPS; the code is in examples/ablation.

    python examples/ablation.py --quick
"""

from ablation.compare import run_command


if __name__ == "__main__":
    run_command()
