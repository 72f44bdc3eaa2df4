"""The pass@k metric as an `evaluate` module: `evaluate.load` takes the path of this folder."""
