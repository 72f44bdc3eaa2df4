"""Problems with unit tests, as datasets with one set of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .apps import load_apps as load_apps
    from .augmentation.augment import AugmentationSettings as AugmentationSettings
    from .augmentation.augment import augment_problems as augment_problems
    from .augmentation.hypothesis_inputs import HypothesisInputs as HypothesisInputs
    from .augmentation.model_inputs import ModelInputs as ModelInputs
    from .augmentation.results import AugmentedProblem as AugmentedProblem
    from .augmentation.results import LeftAlone as LeftAlone
    from .augmentation.sources import InputSource as InputSource
    from .augmentation.sources import MutatedInputs as MutatedInputs
    from .augmentation.sources import NewInputs as NewInputs
    from .augmentation.sources import ProblemInputs as ProblemInputs
    from .benchmarks import BENCHMARKS as BENCHMARKS
    from .benchmarks import Benchmark as Benchmark
    from .benchmarks import load_benchmark as load_benchmark
    from .checks.findings import CheckThresholds as CheckThresholds
    from .checks.findings import Finding as Finding
    from .checks.findings import find_duplicates as find_duplicates
    from .checks.findings import find_faults as find_faults
    from .checks.grading import check_problems as check_problems
    from .checks.results import CheckedProblem as CheckedProblem
    from .checks.results import CheckedProgram as CheckedProgram
    from .known_flaws import KNOWN_FLAWS as KNOWN_FLAWS
    from .known_flaws import Flaw as Flaw
    from .mbpp import load_mbpp as load_mbpp
    from .notices import RowNotice as RowNotice
    from .options import Columns as Columns
    from .prompts import apps_prompt as apps_prompt
    from .prompts import livecodebench_prompt as livecodebench_prompt
    from .prompts import mbpp_prompt as mbpp_prompt
    from .starter_code import complete_program as complete_program
    from .test_sources import select_tests as select_tests
    from .test_sources import with_new_tests as with_new_tests
    from .visible_test_parsing import visible_tests as visible_tests

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".apps": ("load_apps",),
        ".augmentation.augment": (
            "AugmentationSettings",
            "augment_problems",
        ),
        ".augmentation.hypothesis_inputs": ("HypothesisInputs",),
        ".augmentation.model_inputs": ("ModelInputs",),
        ".augmentation.results": (
            "AugmentedProblem",
            "LeftAlone",
        ),
        ".augmentation.sources": (
            "InputSource",
            "MutatedInputs",
            "NewInputs",
            "ProblemInputs",
        ),
        ".benchmarks": (
            "BENCHMARKS",
            "Benchmark",
            "load_benchmark",
        ),
        ".checks.findings": (
            "CheckThresholds",
            "Finding",
            "find_duplicates",
            "find_faults",
        ),
        ".checks.grading": ("check_problems",),
        ".checks.results": (
            "CheckedProblem",
            "CheckedProgram",
        ),
        ".known_flaws": (
            "KNOWN_FLAWS",
            "Flaw",
        ),
        ".mbpp": ("load_mbpp",),
        ".notices": ("RowNotice",),
        ".options": ("Columns",),
        ".prompts": (
            "apps_prompt",
            "livecodebench_prompt",
            "mbpp_prompt",
        ),
        ".starter_code": ("complete_program",),
        ".test_sources": (
            "select_tests",
            "with_new_tests",
        ),
        ".visible_test_parsing": ("visible_tests",),
    },
)
