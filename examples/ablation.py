"""
Compare ways to train on MiniAPPS; the code is in examples/ablation.

    python examples/ablation.py --quick
"""

from ablation.compare import run_command

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        run_command()
