"""Problems and models that are small enough to train on a CPU in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names


if TYPE_CHECKING:
    from .bugs import add_bug as add_bug
    from .bugs import add_slips as add_slips
    from .critic import make_mini_critic as make_mini_critic
    from .long.gaps import make_gapped_examples as make_gapped_examples
    from .long.problems import make_mini_apps_long as make_mini_apps_long
    from .models import make_mini_model as make_mini_model
    from .problems import make_mini_apps as make_mini_apps

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        ".bugs": (
            "add_bug",
            "add_slips",
        ),
        ".critic": ("make_mini_critic",),
        ".long.gaps": ("make_gapped_examples",),
        ".long.problems": ("make_mini_apps_long",),
        ".models": ("make_mini_model",),
        ".problems": ("make_mini_apps",),
    },
)
