"""Import the public names of a package when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """
    Make the `__all__`, `__getattr__` and `__dir__` of a package with lazy names.

    Importing `trl_rltf` stays cheap, also for a worker of the grader, which imports the package too.

    Args:
        package (`str`): The `__name__` of the package.
        homes (`Mapping[str, Sequence[str]]`): Relative name of each module, and the public names that it defines.

    Returns:
        `tuple[list[str], Callable, Callable]`: The package's `__all__`, `__getattr__` and `__dir__`. Modules of the package
        are attributes too.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    public = sorted(home_of)

    def get_name(name: str) -> Any:
        if name in home_of:
            return getattr(importlib.import_module(home_of[name], package), name)
        if not name.startswith("_"):
            try:
                return importlib.import_module(f".{name}", package)
            except ModuleNotFoundError as error:
                if error.name != f"{package}.{name}":
                    raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return public, get_name, lambda: public
