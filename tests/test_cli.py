"""The console command `trl-rltf`: its help, what it launches, and its exit codes."""

import json
import re
import sys

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf import __version__, cli


@pytest.fixture
def launched(monkeypatch):
    """Arguments of `accelerate launch`, which starts nothing."""
    calls = []
    monkeypatch.setattr("accelerate.commands.launch.launch_command", calls.append)
    return calls


def test_without_a_command_the_help_is_shown(capsys):
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    assert all(re.search(rf"^ +{name}\b", printed, re.MULTILINE) for name in cli.COMMANDS)


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"trl-rltf {__version__}\n"


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["trian"])
    assert exit_.value.code == 2
    assert "train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "argument"),
    [
        ("train", "--token_feedback"),
        ("evaluate", "--samples_per_shard"),
        ("grade", "--strict_comparison"),
        ("train-critic", "--pooling"),
        ("demo", "--architecture"),
    ],
)
def test_each_command_has_a_help(command, argument, capsys, launched):
    with pytest.raises(SystemExit) as exit_:
        cli.main([command, "--help"])
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: trl-rltf {command} ")
    assert argument in printed
    assert not launched


def test_arguments_that_a_script_does_not_have_go_to_accelerate(launched, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("max_steps: 2\nmain_process_port: 29501\n")
    cli.main(
        [
            "train",
            "--num_processes",
            "2",
            "--eval_samples",
            "2",
            "--config",
            str(config),
            "--cpu",
            "--output_dir",
            "out",
        ]
    )
    (arguments,) = launched
    assert (arguments.num_processes, arguments.cpu, arguments.main_process_port) == (2, True, 29501)
    assert (arguments.module, arguments.training_script) == (True, "trl_rltf.scripts.train")
    assert arguments.training_script_args == ["--eval_samples", "2", "--config", str(config), "--output_dir", "out"]


@pytest.mark.parametrize(
    ("command", "module"), [("evaluate", "evaluate"), ("train-critic", "train_critic"), ("demo", "train")]
)
def test_each_command_launches_its_script(command, module, launched):
    cli.main([command])
    assert launched[0].training_script == f"trl_rltf.scripts.{module}"


def test_a_wrong_argument_is_refused_before_anything_is_launched(launched, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--benchmark", "humaneval"])
    with pytest.raises(SystemExit):
        cli.main(["train", "--no_such_argument", "1"])  # accelerate does not have it either
    with pytest.raises(ValueError, match="`batch_size` is 0"):
        cli.main(["evaluate", "--batch_size", "0"])
    assert not launched


def test_the_demo_does_not_take_a_model(launched, capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", "--model_name_or_path", "model"])
    assert "use `trl-rltf train`" in capsys.readouterr().err
    assert not launched


@pytest.mark.parametrize("module", ["trl_rltf.cli", "trl_rltf.execution.__main__"])
def test_grade_writes_reports_and_needs_no_torch(tmp_path, run_script, module):
    programs = tmp_path / "programs.jsonl"
    programs.write_text(json.dumps({"source": SUM_PROGRAM, "tests": SUM_TESTS}) + "\n")
    code = (
        f"import sys\nfrom {module} import main\nstatus = main()\n"
        "assert not {'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)\nsys.exit(status)"
    )
    result = run_script(code, "grade", programs, "--allow_code_eval")
    assert json.loads(result.stdout)["outcome"] == "PASS"


def test_the_console_command_is_declared():
    from source import ROOT

    assert 'trl-rltf = "trl_rltf.cli:main"' in (ROOT / "pyproject.toml").read_text()
    assert callable(cli.main)
    assert sys.modules["trl_rltf.cli"] is cli
