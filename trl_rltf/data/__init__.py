"""Problems with unit tests, as datasets with one set of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .apps import load_apps as load_apps
    from .mbpp import load_mbpp as load_mbpp
    from .prompts import apps_prompt as apps_prompt
    from .prompts import mbpp_prompt as mbpp_prompt
    from .visible_test_parsing import visible_tests as visible_tests

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".apps": ("load_apps",),
        ".mbpp": ("load_mbpp",),
        ".prompts": (
            "apps_prompt",
            "mbpp_prompt",
        ),
        ".visible_test_parsing": ("visible_tests",),
    },
)
