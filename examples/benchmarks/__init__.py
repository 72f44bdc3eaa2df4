"""Measure the grader and the trainer: `bench_execution.py` and `bench_trainer.py`."""
