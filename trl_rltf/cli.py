"""The console command `trl-rltf`: `train`, `evaluate`, `check`, and more."""

from __future__ import annotations

import argparse
import difflib
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__


# The module of `trl_rltf.scripts` that each command runs, and its help.
COMMANDS = {
    "train": ("train", "train a code model from unit-test feedback"),
    "evaluate": ("evaluate", "measure pass@k of a model on a benchmark"),
    "compare": ("compare", "compare finished evaluations of the same problems"),
    "grade": ("grade", "grade the programs of a file, without a model"),
    "check": ("check", "check the tests and the reference solutions of a dataset"),
    "augment-tests": ("augment_tests", "give the problems of a dataset more tests"),
    "report": ("report", "show a training or an evaluation as one HTML file"),
    "train-critic": ("train_critic", "train a critic, which predicts the outcome of the tests"),
    "demo": ("train", "train a tiny model on MiniAPPS, on the CPU"),
}
# Commands that need no process group.
_WITHOUT_LAUNCHER = ("compare", "grade", "check", "augment-tests", "report")
_EPILOG = """\
Each command has a help: trl-rltf train --help. The commands train, evaluate, train-critic and demo take --config FILE, a YAML file
of arguments. They are started by `accelerate launch` and pass on its arguments, such as --num_processes 2 or --config_file FILE.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    Args:
        arguments (`Sequence[str]`, *optional*): Command and its arguments. Defaults to `sys.argv[1:]`.

    Returns:
        `int`: Exit status.
    """
    parser = argparse.ArgumentParser(
        prog="trl-rltf",
        description="Train code models from unit-test feedback (RLTF), as a plugin for TRL.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"trl-rltf {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = parser.parse_args(given[:1]).command
    if command is None:
        parser.print_help()
        return 0
    try:
        if command in _WITHOUT_LAUNCHER:
            script = importlib.import_module(f"trl_rltf.scripts.{COMMANDS[command][0]}")
            script_parser = script.make_parser(prog=f"trl-rltf {command}")
            status: int = script.main(script_parser.parse_args(given[1:]), script_parser)
            return status
        _launch(command, given[1:])
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package == "trl_rltf":
            raise
        parser.exit(
            2,
            f"trl-rltf {command}: the package {package!r} is not installed. `pip install trl-rltf`, without `--no-deps`, installs "
            "what this command needs. `trl-rltf grade` needs no other package.\n",
        )
    return 0


def _launch(command: str, given: list[str]) -> None:
    """
    Start a script by `accelerate launch`.

    Arguments that the script does not have are passed to `accelerate launch`.
    """
    name, _ = COMMANDS[command]
    module = importlib.import_module(f"trl_rltf.scripts.{name}")
    parser = module.make_parser(prog=f"trl-rltf {command}")
    # This shows the help, and refuses wrong arguments before processes are started.
    *parsed, in_config, remaining = parser.parse_args_and_config(
        given, return_remaining_strings=True, separate_remaining_strings=True
    )
    if command == "demo" and parsed[-1].model_name_or_path is not None:
        parser.error("the demo makes a tiny model. For another model, use `trl-rltf train`.")
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    launcher = launch_command_parser()
    unknown = [name for name in _flags([*in_config, *remaining]) if name not in launcher._option_string_actions]
    if unknown:
        near = difflib.get_close_matches(unknown[0], [*parser._option_string_actions], n=1, cutoff=0.75)
        parser.error(f"unknown argument {unknown[0]}.{f' Did you mean {near[0]}?' if near else ''}")
    script = ["--module", module.__name__, *_without(given, remaining)]
    arguments = launcher.parse_args([*in_config, *remaining, *script])
    if arguments.training_script != module.__name__:
        parser.error(f"{arguments.training_script!r} does not belong to an argument.")
    _set_single_device_defaults(arguments)
    try:
        launch_command(arguments)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # the process has said what is wrong
    except ChildFailedError as error:
        sys.exit(error.get_first_failure()[1].exitcode)


def _set_single_device_defaults(arguments: argparse.Namespace) -> None:
    """Set what `accelerate launch` would choose with a warning."""
    from accelerate.commands.config.config_args import default_config_file
    from torch import accelerator

    if arguments.config_file is not None or Path(default_config_file).is_file() or accelerator.device_count() > 1:
        return
    defaults = {"num_processes": 1, "num_machines": 1, "mixed_precision": "no", "dynamo_backend": "no"}
    for name, value in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def _flags(arguments: Sequence[str]) -> list[str]:
    return [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]


def _without(given: Sequence[str], remaining: Sequence[str]) -> list[str]:
    """Remove the arguments that remain after parsing, which have the same order."""
    kept, left = [], list(remaining)
    for argument in given:
        if left and argument == left[0]:
            left.pop(0)
        else:
            kept.append(argument)
    return kept


if __name__ == "__main__":
    sys.exit(main())
