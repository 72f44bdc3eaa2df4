"""Problems with unit tests, as datasets with one set of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .apps import load_apps as load_apps
    from .benchmarks import BENCHMARKS as BENCHMARKS
    from .benchmarks import Benchmark as Benchmark
    from .benchmarks import load_benchmark as load_benchmark
    from .known_flaws import KNOWN_FLAWS as KNOWN_FLAWS
    from .known_flaws import Flaw as Flaw
    from .mbpp import load_mbpp as load_mbpp
    from .options import Columns as Columns
    from .prompts import apps_prompt as apps_prompt
    from .prompts import livecodebench_prompt as livecodebench_prompt
    from .prompts import mbpp_prompt as mbpp_prompt
    from .starter_code import complete_program as complete_program
    from .visible_test_parsing import visible_tests as visible_tests

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".apps": ("load_apps",),
        ".benchmarks": (
            "BENCHMARKS",
            "Benchmark",
            "load_benchmark",
        ),
        ".known_flaws": (
            "KNOWN_FLAWS",
            "Flaw",
        ),
        ".mbpp": ("load_mbpp",),
        ".options": ("Columns",),
        ".prompts": (
            "apps_prompt",
            "livecodebench_prompt",
            "mbpp_prompt",
        ),
        ".starter_code": ("complete_program",),
        ".visible_test_parsing": ("visible_tests",),
    },
)
