"""
Turn docstrings in the form of Hugging Face's doc-builder into the form that mkdocstrings reads.

[`Name`] and [`~package.Name`] become links to the reference, or code for names that it does not list. The type of an argument
loses its backticks and its default, which the signature has. Arguments that share a description get one each.
"""

import re
from pathlib import Path
from typing import Any

import griffe


REFERENCE = re.compile(r"\[`~?([\w.]+)`\](?!\()")
GROUP = re.compile(r"^    > Parameters .*\n\n?", re.MULTILINE)
SHARED = re.compile(r"^    ((?:\*{0,2}\w+,\s+)+\*{0,2}\w+):\s+(.+(?:\n     .+)*)", re.MULTILINE)
ARGUMENT = re.compile(r"^(    [\w*]+) \((.+)\):", re.MULTILINE)
RESULT = re.compile(r"^((?:Returns|Yields):\n    )([^\n]+?): ", re.MULTILINE)


def listed_names() -> dict[str, str]:
    """Dotted path of each name that the reference lists, by the name."""
    page = Path(__file__).with_name("reference.md").read_text()
    return {path.rpartition(".")[2]: path for path in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)}


def plain_type(text: str) -> str:
    """The type alone, as Python writes it: without marks, default and `*optional*`."""
    text = re.sub(r",? \*optional\*.*", "", text)
    text = REFERENCE.sub(lambda match: match[1].rpartition(".")[2], text)
    return text.replace("`", "").replace(" or ", " | ")


def one_each(match: re.Match[str]) -> str:
    """The description of several arguments, once for each of them."""
    description = " ".join(match[2].split())
    return "\n".join(f"    {name}: {description}" for name in re.split(r",\s+", match[1]))


class DocBuilderLinks(griffe.Extension):
    """Rewrite each docstring once it has been read."""

    def __init__(self) -> None:
        self._names = listed_names()

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is None:
            return
        text = SHARED.sub(one_each, GROUP.sub("", obj.docstring.value))
        text = ARGUMENT.sub(lambda match: f"{match[1]} ({plain_type(match[2])}):", text)
        text = RESULT.sub(lambda match: f"{match[1]}{plain_type(match[2])}: ", text)
        obj.docstring.value = REFERENCE.sub(self._link, text)

    def _link(self, match: re.Match[str]) -> str:
        name = match[1].rpartition(".")[2]
        return f"[`{name}`][{self._names[name]}]" if name in self._names else f"`{match[1]}`"
