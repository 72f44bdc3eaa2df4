"""Read the source of the package: its modules, what each imports, and the text for people."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "trl_rltf"


def module_name(file: Path) -> str:
    """Dotted name of a module of the package."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.glob("**/*.py"))}


def imports(module: str) -> set[str]:
    """
    Names of the modules that a module imports, at its top, in a function or for type checking.

    Args:
        module (`str`): Dotted name of a module of the package.

    Returns:
        `set[str]`: Modules of the package by their dotted names, other ones by the name of their top-level package.
    """
    file = MODULES[module]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {_known(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{source}.{alias.name}"
                found.add(name if name in MODULES else _known(source))
    return found - {module, "__future__"}


def _known(name: str) -> str:
    return name if name in MODULES else name.partition(".")[0]


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """
    Text for people in a file: all of a page, and the comments and strings of a module.

    Args:
        file (`Path`): Markdown or Python. Of tests, strings other than docstrings are left out: they are programs.

    Yields:
        `tuple[int, str]`: Number of the line where a piece starts, and the piece.
    """
    text = file.read_text()
    if file.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    if "tests" not in file.relative_to(ROOT).parts:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                yield token.start[0], token.string
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            yield getattr(node, "lineno", 1), ast.get_docstring(node, clean=False) or ""
