"""Errors of the input end a script or a command with a sentence, and bugs keep their traceback."""

import json
import runpy
import sys

import pytest
from source import ROOT

from trl_rltf import cli
from trl_rltf.execution import SandboxError
from trl_rltf.scripts import short_errors
from trl_rltf.scripts.bad_input import is_raised_here
from trl_rltf.scripts.runners import parse_ray_arguments


def caught(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_raise_statement_of_the_package_is_bad_input():
    error = caught(lambda: parse_ray_arguments(None, 1.0, None))
    assert is_raised_here(error)


def test_an_error_of_the_interpreter_in_the_package_is_a_bug():
    error = caught(lambda: parse_ray_arguments("auto", None, [None]))
    assert isinstance(error, AttributeError)
    assert not is_raised_here(error)


def test_an_error_of_another_library_is_a_bug():
    assert not is_raised_here(caught(lambda: json.loads("{")))


@pytest.mark.parametrize(
    ("statement", "is_bug"),
    [
        ("raise ValueError('Give a model.')", False),
        ("raise FileNotFoundError('rows.jsonl: there is no such file.')", False),
        ("raise SandboxError('The sandbox does not work.')", False),
        ("raise KeyError('name')", True),
        ("int('x')", True),
        ("open('nowhere')", True),
    ],
)
def test_a_script_ends_with_its_sentence_or_with_a_traceback(statement, is_bug, tmp_path, run_script):
    script = tmp_path / "a_script.py"
    script.write_text(
        "from trl_rltf.execution import SandboxError\nfrom trl_rltf.scripts import short_errors\n"
        f"def main():\n    {statement}\n\n"
        "if __name__ == '__main__':\n    with short_errors():\n        main()\n"
    )
    result = run_script(script, check=False)
    assert result.returncode == (1 if is_bug else 2)
    assert ("Traceback" in result.stderr) == is_bug
    if not is_bug:
        assert result.stderr.startswith("a_script.py: error: ")
        assert result.stderr.count("\n") == 1


def test_an_error_from_a_thread_is_recognized():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        error = caught(executor.submit(parse_ray_arguments, None, 1.0, None).result)
    assert is_raised_here(error)


def test_the_message_and_the_status_are_those_of_bad_input(capsys):
    with pytest.raises(SystemExit) as exit_, short_errors("trl-rltf evaluate"):
        parse_ray_arguments("auto", None, ["grading"])
    assert exit_.value.code == 2
    message = "`ray_resources` has 'grading', but must have pairs of a name and an amount, such as grading=1."
    assert capsys.readouterr().err == f"trl-rltf evaluate: error: {message}\n"
    with pytest.raises(SystemExit), short_errors():
        raise_in_the_package()


def raise_in_the_package():
    from trl_rltf.execution import LocalRunner

    LocalRunner(0, allow_code_eval=True)


def test_other_errors_pass_through():
    with pytest.raises(SandboxError), short_errors():
        raise SandboxError("raised by the test, which is neither the package nor the script")
    with pytest.raises(KeyboardInterrupt), short_errors():
        raise KeyboardInterrupt


# What each script does with a dataset that does not exist, before it loads a model.
MISSING = ["--dataset_name", "nowhere.jsonl"]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("evaluate", ["--programs", "empty", "--benchmark", "mbpp", *MISSING], "nowhere.jsonl"),
        ("evaluate", [], "Give `--model_name_or_path`"),
        ("evaluate", ["--ray_num_cpus", "1"], "`ray_num_cpus` is 1.0, but there is no `ray_address`."),
        ("train", ["--benchmark", "mbpp", *MISSING], "but no `model_name_or_path`"),
        ("train", ["--ce_loss_weight", "-1"], "`ce_loss_weight` is -1.0"),
        ("train_critic", ["--samples", "nowhere.jsonl", "--use_cpu", "true", "--output_dir", "out"], "nowhere.jsonl"),
        ("examples/evaluate_mbpp.py", ["--programs", "empty", *MISSING], "nowhere.jsonl"),
        ("examples/train_mbpp.py", ["--test_timeout", "0"], "`test_timeout` is 0.0"),
    ],
)
def test_each_script_ends_with_a_sentence(script, arguments, message, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    is_example = script.endswith(".py")
    name = str(ROOT / script) if is_example else f"trl_rltf.scripts.{script}"
    with pytest.raises(SystemExit) as exit_:
        (runpy.run_path if is_example else runpy.run_module)(name, run_name="__main__")
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("examples/*.py")))
def test_each_example_ends_with_a_sentence(name):
    text = (ROOT / "examples" / name).read_text()
    assert 'if __name__ == "__main__":\n    with short_errors():\n' in text


@pytest.mark.slow
def test_a_command_on_two_processes_ends_without_a_traceback_of_the_launcher(tmp_path, run_script):
    flags = [
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--cpu",
    ]
    evaluate = ["evaluate", "--programs", "empty", "--benchmark", "mbpp", *MISSING]
    result = run_script("-m", "trl_rltf.cli", *evaluate, *flags, check=False, cwd=tmp_path, timeout=280.0)
    assert result.returncode == 2
    assert "nowhere.jsonl" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_command_without_a_launcher_ends_with_a_sentence(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["check", "nowhere.jsonl"],
        ["grade", "nowhere.jsonl", "--allow_code_eval"],
        ["compare", "a", "b"],
    ):
        with pytest.raises(SystemExit) as exit_:
            cli.main(arguments)
        assert exit_.value.code == 2
        printed = capsys.readouterr().err
        assert printed.startswith(f"trl-rltf {arguments[0]}: ")
        assert "Traceback" not in printed
    assert sys.exc_info() == (None, None, None)
