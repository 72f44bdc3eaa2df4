"""Problems with unit tests, as datasets with one set of columns."""

from .apps import load_apps
from .mbpp import load_mbpp
from .prompts import apps_prompt, mbpp_prompt


__all__ = ["apps_prompt", "load_apps", "load_mbpp", "mbpp_prompt"]
