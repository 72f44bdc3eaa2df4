"""Problems with unit tests, as datasets with one set of columns."""

from .apps import load_apps
from .mbpp import load_mbpp
from .mini_apps import add_bug, add_slips, make_mini_apps
from .mini_critic import make_mini_critic
from .mini_model import make_mini_model
from .prompts import apps_prompt, mbpp_prompt
from .visible_tests import visible_tests


__all__ = [
    "add_bug",
    "add_slips",
    "apps_prompt",
    "load_apps",
    "load_mbpp",
    "make_mini_apps",
    "make_mini_critic",
    "make_mini_model",
    "mbpp_prompt",
    "visible_tests",
]
