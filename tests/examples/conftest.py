"""The ablation and the benchmarks are packages next to the commands that start them."""

import sys

from source import ROOT


sys.path.append(str(ROOT / "examples"))
