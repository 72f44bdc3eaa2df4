"""
Write the signatures of all public names to `tests/public_api.txt`.

    python tests/public_api.py

A change of the file is a change of the public API: say so in the changelog.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "tests" / "public_api.txt"


def describe_package() -> str:
    """All public names of the package and its rooms, one line per name, method or field."""
    packages = sorted(path.parent.name for path in ROOT.glob("trl_rltf/*/__init__.py"))
    lines = []
    rooms = [f"trl_rltf.{package}" for package in packages]
    for name in ("trl_rltf", "trl_rltf.presets", *rooms, "trl_rltf.execution.ray"):
        module = importlib.import_module(name)
        lines.append(f"# {name}")
        lines += [line for public in _public_names(module) for line in _describe(public, getattr(module, public))]
    return "\n".join(lines) + "\n"


def _public_names(module: Any) -> list[str]:
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (name.isupper() or getattr(value, "__module__", "") == module.__name__)
    )


def _describe(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _describe_class(name, value)
    elif inspect.isfunction(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _describe_class(name: str, value: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
    if issubclass(value, enum.Enum):
        yield f"class {name}({bases})"
        yield from (f"  {name}.{member.name}" for member in value)
        return
    fields = {field.name: field for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else {}
    # The fields of a parent, such as those of TRL's configurations, are described where the parent is defined.
    if fields and any(map(dataclasses.is_dataclass, value.__bases__)):
        yield f"class {name}({bases})"
        own = inspect.get_annotations(value)
        yield from (f"  {name}.{field}: {own[field]} = {fields[field].default!r}" for field in own)
    else:
        is_own = "__init__" in vars(value) or "__new__" in vars(value)
        yield f"class {name}({bases}){' ' + _signature(value) if is_own else ''}"
    bases_of_ours = [base for base in value.__mro__[1:] if inspect.isabstract(base) and "trl_rltf" in base.__module__]
    members = {name: attribute for owner in (*bases_of_ours, value) for name, attribute in vars(owner).items()}
    for member, attribute in sorted(members.items()):
        # TRL's names are described where TRL defines them.
        inherited = any(member in vars(parent) for parent in value.__mro__[1:] if parent not in bases_of_ours)
        if member.startswith("_") and member != "__call__":
            continue
        if inherited or member in fields or isinstance(attribute, type(dataclasses)):
            continue
        function = getattr(attribute, "__func__", attribute)
        if inspect.isfunction(function):
            yield f"  {name}.{member}{_signature(function)}"
        elif isinstance(attribute, property):
            yield f"  {name}.{member}: property"


def _signature(value: Any) -> str:
    text = re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(value)))  # addresses of default values
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    SNAPSHOT.write_text(describe_package())
