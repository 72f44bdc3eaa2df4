"""The console command `trl-rltf`: its help, what it launches, and its exit codes."""

import json
import re
import sys

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf import __version__, cli
from trl_rltf.scripts.train import make_parser


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
        ("compare", "--json"),
        ("grade", "--strict_comparison"),
        ("check", "--leave_out"),
        ("augment-tests", "--max_disagreement"),
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense", "3"], "unknown argument --nonsense."),
        (["--learning_rato", "3"], "unknown argument --learning_rato. Did you mean --learning_rate?"),
        (["story.py"], "'story.py' does not belong to an argument."),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--ce_loss_weight", "-1"], "`ce_loss_weight` is -1.0, but must be 0 (off) or above."),
        (["--warm_start_steps", "-3"], "`warm_start_steps` is -3, but must be at least 0."),
        (["--test_timeout", "0"], "`test_timeout` is 0.0, but must be a number of seconds above 0."),
        (["--preset", "papr"], "invalid choice: 'papr'"),
        (["--benchmark", "humaneval"], "invalid choice: 'humaneval' (choose from 'apps', 'mbpp', 'columns')"),
    ],
)
def test_arguments_that_are_wrong_end_with_one_sentence_before_anything_is_launched(
    arguments, message, capsys, launched
):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["train", *arguments])
    assert exit_.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[0]
    assert lines[1:] == ["`trl-rltf train --help` lists the arguments."]
    assert not launched


@pytest.mark.parametrize(
    ("command", "line", "message"),
    [
        ("train", "preset: papr", "`preset` is 'papr' in the configuration file, but must be one of 'paper'."),
        ("train", "baseline: greeedy", "`baseline` is 'greeedy'"),
        ("train", "update_steps: 2.5", "`update_steps` is 2.5 in the configuration file, but must be a whole number."),
        ("train", "use_buffer: 3", "`use_buffer` is 3 in the configuration file, but must be true or false."),
        ("train", "difficulties: [easy, 1", "expected"),
        ("evaluate", "programs: referense", "`programs` is 'referense'"),
        ("evaluate", "benchmark: mbp", "`benchmark` is 'mbp'"),
        ("train-critic", "pooling: min", "`pooling` is 'min'"),
    ],
)
def test_values_of_a_file_are_checked_like_those_of_the_command_line(
    command, line, message, tmp_path, capsys, launched
):
    (tmp_path / "arguments.yaml").write_text(line)
    with pytest.raises(SystemExit) as exit_:
        cli.main([command, "--config", str(tmp_path / "arguments.yaml")])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert not launched


def test_text_in_a_file_is_converted_as_on_the_command_line(tmp_path, launched):
    (tmp_path / "arguments.yaml").write_text("update_steps: '7'\nlearning_rate: 2e-6\nuse_buffer: 'no'\n")
    cli.main(["train", "--config", str(tmp_path / "arguments.yaml")])
    (script_args, training_args, _) = make_parser().parse_args_and_config(
        ["--config", str(tmp_path / "arguments.yaml")]
    )
    assert (script_args.update_steps, script_args.use_buffer, training_args.learning_rate) == (7, False, 2e-6)
    assert len(launched) == 1
