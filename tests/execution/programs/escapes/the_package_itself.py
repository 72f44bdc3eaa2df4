"""Append to a module of the grader."""

import trl_rltf.execution as e

open(e.__path__[0] + "/worker.py", "a")
