"""Parse the arguments of a script, whose help is the docstring of the arguments."""

from __future__ import annotations

import copy
import inspect
import re
import sys
from argparse import SUPPRESS, Action, Namespace
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import yaml
from trl import TrlParser


_ARGUMENT = re.compile(r"^    (\w+) \(.*\):\s*(.*)")
_MARKUP = re.compile(r"\[`~?(?:\w+\.)*(\w+)`\]|`([^`]*)`")
_PACKAGE = __name__.partition(".")[0]
# Arguments of TRL and transformers that the short help has, too.
_COMMON = (
    *("model_name_or_path", "dtype", "use_peft", "output_dir", "resume_from_checkpoint", "seed", "report_to"),
    *("learning_rate", "max_steps", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("num_generations", "max_completion_length", "temperature", "top_p", "beta", "use_vllm"),
    *("logging_steps", "log_completions", "save_steps", "eval_strategy", "eval_steps", "use_cpu"),
)
_COMMON_TITLE = "the most used arguments of TRL and transformers"
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
        super().__init__(dataclass_types, usage="%(prog)s [--config FILE] [arguments]", **kwargs)
        text = "show all arguments, those of TRL and transformers too"
        self.add_argument("--help_all", "--help-all", action=_HelpAll, help=text)
        self._help_sections = self._find_sections(dataclass_types)
        self._choose_defaults = choose_defaults
        self._in_config: set[str] = set()

    def _find_sections(self, dataclass_types: Sequence[Any]) -> dict[str, list[Action]]:
        """Arguments by the class that defines them, those of this package first."""
        owners = {}
        for dataclass_type in dataclass_types:
            is_own = dataclass_type.__module__.partition(".")[0] == _PACKAGE
            described = _described_arguments(inspect.getdoc(dataclass_type) or "") if is_own else {}
            for name in dataclass_type.__dataclass_fields__:
                by = [cls for cls in dataclass_type.__mro__ if name in getattr(cls, "__dataclass_fields__", ())]
                # The last one is the class that defines it first.
                owners[name] = _title(dataclass_type if name in described else by[-1])
        own: dict[str, list[Action]] = {"options": []}
        others: dict[str, list[Action]] = {_COMMON_TITLE: []}
        for action in self._actions:
            title = owners.get(action.dest, "options")
            if action.dest in _COMMON and not _is_own(title):
                title = _COMMON_TITLE
            (own if title == "options" or _is_own(title) else others).setdefault(title, []).append(action)
        return {title: actions for title, actions in {**own, **others}.items() if actions}

    def format_help(self) -> str:
        """Help with the arguments of this package, and the most used of others."""
        titles = [title for title in self._help_sections if title in ("options", _COMMON_TITLE) or _is_own(title)]
        hidden = sum(len(actions) for title, actions in self._help_sections.items() if title not in titles)
        return self._format(titles) + f"\n`--help_all` lists {hidden} other arguments, of TRL and transformers.\n"

    def format_help_of_all(self) -> str:
        """Help with all arguments, by the class that defines them."""
        return self._format(list(self._help_sections))

    def _format(self, titles: Sequence[str]) -> str:
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title in titles:
            formatter.start_section(title)
            formatter.add_arguments(self._help_sections[title])
            formatter.end_section()
        return formatter.format_help()

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


class _HelpAll(Action):
    def __init__(self, option_strings: Sequence[str], dest: str = SUPPRESS, **kwargs: Any):
        super().__init__(option_strings, SUPPRESS, nargs=0, default=SUPPRESS, help=kwargs.get("help"))

    def __call__(self, parser: Any, *args: Any) -> NoReturn:
        sys.stdout.write(parser.format_help_of_all())
        raise SystemExit(0)


def _title(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}: {cls.__name__}"


def _is_own(title: str) -> bool:
    return title.startswith(_PACKAGE)


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
