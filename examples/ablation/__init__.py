"""Compare ways to train on MiniAPPS: `python examples/ablation.py`."""
