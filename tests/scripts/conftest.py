"""Run scripts in the process of the tests, which has imported everything already."""

import contextlib
import re

import architectures
import pytest
import torch

from trl_rltf.scripts import load_problems, tables


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs a script with arguments and returns the printed text."""
    monkeypatch.setattr(tables.console, "_width", 120)

    def start(script, *arguments):
        script.main(*script.make_parser().parse_args_and_config(list(map(str, arguments))))
        return capsys.readouterr().out

    return start


@pytest.fixture
def refused(capsys):
    """Expect a message: of the parser, which ends the process with status 2, or of an error."""

    @contextlib.contextmanager
    def expect(message):
        with pytest.raises((ValueError, OSError, SystemExit)) as caught:
            yield
        is_exit = isinstance(caught.value, SystemExit)
        assert not is_exit or caught.value.code == 2
        text = capsys.readouterr().err if is_exit else str(caught.value)
        assert re.search(message, text), text

    return expect


@pytest.fixture
def few_problems(monkeypatch):
    """Let the training scripts take a part of their training problems, for time."""

    def load_few(script_args):
        train_set, test_set = load_problems(script_args)
        return train_set.select(range(24)), test_set

    for name in ("train", "train_critic"):
        monkeypatch.setattr(f"trl_rltf.scripts.{name}.load_problems", load_few)


@pytest.fixture
def pretrained(tmp_path, request):
    """Folder of a model of a class, with weights that are random enough to write something."""
    model, tokenizer = architectures.make(getattr(request, "param", "llama"))
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    folder = tmp_path / "pretrained"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
