"""
Turn docstrings in the form of Hugging Face's doc-builder into the form that mkdocstrings reads.

[`Name`] and [`~package.Name`] become links to the reference, or code for names of other libraries; the type of an argument
loses its backticks and its default, which the signature has.
"""

import ast
import re
from pathlib import Path
from typing import Any

import griffe


PACKAGE = Path(__file__).resolve().parents[1] / "trl_rltf"
REFERENCE = re.compile(r"\[`~?([\w.]+)`\](?!\()")
ARGUMENT = re.compile(r"^(\s+[\w*]+(?:, \*{0,2}\w+)*) \((.+)\):", re.MULTILINE)
RESULT = re.compile(r"^((?:Returns|Yields):\n\s+)([^\n]+?): ", re.MULTILINE)


def public_names() -> dict[str, str]:
    """Dotted path of each public name, by the name; the root re-exports names of its packages."""
    found = {}
    for file in sorted(PACKAGE.glob("*/__init__.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                found |= {alias.name: f"trl_rltf.{file.parent.name}.{alias.name}" for alias in node.names}
    return found


def plain_type(text: str) -> str:
    """The type alone, as Python writes it: without marks, default and `*optional*`."""
    text = re.sub(r",? \*optional\*.*", "", text)
    text = REFERENCE.sub(lambda match: match[1].rpartition(".")[2], text)
    return text.replace("`", "").replace(" or ", " | ")


class DocBuilderLinks(griffe.Extension):
    """Rewrite each docstring once it has been read."""

    def __init__(self) -> None:
        self._names = public_names()

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is None:
            return
        text = ARGUMENT.sub(lambda match: f"{match[1]} ({plain_type(match[2])}):", obj.docstring.value)
        text = RESULT.sub(lambda match: f"{match[1]}{plain_type(match[2])}: ", text)
        obj.docstring.value = REFERENCE.sub(self._link, text)

    def _link(self, match: re.Match[str]) -> str:
        name = match[1].rpartition(".")[2]
        return f"[`{name}`][{self._names[name]}]" if name in self._names else f"`{match[1]}`"
