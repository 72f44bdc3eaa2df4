"""Show a progress bar where tqdm is installed: the grader needs no other package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar


Item = TypeVar("Item")


def with_progress(
    items: Iterable[Item], *, total: int | None = None, description: str | None = None, disable: bool | None = False
) -> Iterable[Item]:
    """
    Yield items, and count them in a progress bar.

    Args:
        items (`Iterable`): Items, one per program.
        total (`int`, *optional*): Number of items. Defaults to their length.
        description (`str`, *optional*): Text before the bar.
        disable (`bool`, *optional*, defaults to `False`): Show no bar; `None` shows one on a terminal only.

    Returns:
        `Iterable`: The items; without tqdm, no bar is shown.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    bar: Iterable[Item] = tqdm(items, total=total, desc=description, unit="program", disable=disable)
    return bar
