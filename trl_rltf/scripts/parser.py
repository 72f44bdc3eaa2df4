"""Parse the arguments of a script, whose help is the docstring of the arguments."""

from __future__ import annotations

import copy
import inspect
import re
import sys
from argparse import Action, Namespace
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import yaml
from trl import TrlParser


_ARGUMENT = re.compile(r"^    (\w+) \(.*\):\s*(.*)")
_MARKUP = re.compile(r"\[`~?(?:\w+\.)*(\w+)`\]|`([^`]*)`")
Arguments = TypeVar("Arguments")


def documented(cls: type[Arguments]) -> type[Arguments]:
    """
    Take the help of each field of a dataclass from the class's docstring.

    Args:
        cls (`type`): Dataclass whose docstring has a section `Args`.

    Returns:
        `type`: The same class; its fields, inherited ones too, have the metadata `help`.
    """
    fields = cls.__dataclass_fields__  # type: ignore[attr-defined]
    for name, text in _described_arguments(inspect.getdoc(cls) or "").items():
        fields[name] = copy.copy(fields[name])  # an inherited field is the object of the parent class
        fields[name].metadata = MappingProxyType({**fields[name].metadata, "help": text})
    return cls


def _described_arguments(docstring: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    name = None
    for line in docstring.partition("Args:\n")[2].splitlines():
        match = _ARGUMENT.match(line)
        if match:
            name, text = match[1], match[2]
        elif line.startswith("        ") and name is not None:
            text = f"{texts[name]} {line.strip()}"
        else:
            name = None
            continue
        # argparse formats the text with %.
        texts[name] = _MARKUP.sub(lambda found: found[1] or found[2], text).strip().replace("%", "%%")
    return texts


class ScriptParser(TrlParser):
    """
    A [`~trl.TrlParser`] whose defaults may depend on other arguments.

    Args:
        dataclass_types (`Sequence[type]`): Dataclasses of the arguments.
        choose_defaults (`Callable`): Gives defaults for the parsed arguments. The command line and a file given by `--config`
            take precedence over them.
        **kwargs: Arguments of [`~trl.TrlParser`].
    """

    def __init__(
        self,
        dataclass_types: Sequence[Any] = (),
        choose_defaults: Callable[[Namespace], Mapping[str, Any]] = lambda chosen: {},
        **kwargs: Any,
    ):
        super().__init__(dataclass_types, **kwargs)
        self._choose_defaults = choose_defaults
        self._in_config: set[str] = set()

    def set_defaults_with_config(self, **kwargs: Any) -> list[str]:
        """
        Set the values of a configuration file.

        Raises:
            ValueError: If a value is not one that the argument takes on the command line.
        """
        self._in_config = set(kwargs)
        for action in self._actions:
            value = kwargs.get(action.dest)
            for item in value if isinstance(value, list) else [value]:
                if item is not None:
                    _check_value(action, item)
        remaining: list[str] = super().set_defaults_with_config(**kwargs)
        return remaining

    def parse_args_and_config(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Parse the arguments, and end with a message if a value is refused."""
        try:
            parsed: tuple[Any, ...] = super().parse_args_and_config(*args, **kwargs)
        except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
            self.error(str(error))
        return parsed

    def error(self, message: str) -> NoReturn:
        """End with a message alone: the usage has more lines than a screen."""
        sys.stderr.write(f"{self.prog}: error: {message}\n`{self.prog} --help` lists the arguments.\n")
        raise SystemExit(2)

    def parse_args_into_dataclasses(self, args: Sequence[str] | None = None, **kwargs: Any) -> tuple[Any, ...]:
        """Parse the arguments, with the defaults that suit them."""
        chosen, _ = self.parse_known_args(args)
        defaults = self._choose_defaults(chosen)
        self.set_defaults(**{name: value for name, value in defaults.items() if name not in self._in_config})
        parsed: tuple[Any, ...] = super().parse_args_into_dataclasses(args, **kwargs)
        return parsed


def _check_value(action: Action, value: Any) -> None:
    """Check a value of a configuration file as argparse checks a flag."""
    if action.choices is not None and value not in action.choices:
        raise ValueError(
            f"`{action.dest}` is {value!r} in the configuration file, but must be one of "
            f"{', '.join(map(repr, action.choices))}."
        )
    if isinstance(value, str):
        return  # argparse converts text, as on the command line
    if action.type is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"`{action.dest}` is {value!r} in the configuration file, but must be a whole number.")
    if isinstance(action.default, bool) and not isinstance(value, bool):
        raise ValueError(f"`{action.dest}` is {value!r} in the configuration file, but must be true or false.")
