"""The grader in an environment where `pip install --no-deps trl-rltf` installed nothing else."""

import json
import re
import subprocess
import sys
import venv

import pytest


pytestmark = pytest.mark.slow
TESTS = {"inputs": ["1 2\n"], "outputs": ["3\n"]}
SOURCES = {
    "PASS": "print(sum(map(int, input().split())))\n",
    "FAILURE": "print(4)\n",
    "RUNTIME_ERROR": "print(1 / 0)\n",
    "SYNTAX_ERROR": "print(3 = 3)\n",
}
GRADE = """
import json, sys
from trl_rltf.execution import LocalRunner, Program

if __name__ == "__main__":
    tests, sources = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    with LocalRunner(num_workers=2, allow_code_eval=True) as runner:
        reports = runner.run([Program(source, tests) for source in sources], progress=True)
    print([report.outcome.name for report in reports])
"""
REWARD = """
import json, sys
from trl_rltf.rewards import UnitTestRewardFunction

if __name__ == "__main__":
    tests, sources = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    reward = UnitTestRewardFunction(allow_code_eval=True)
    completions = [f"Here it is:\\n```python\\n{source}```" for source in sources]
    print(reward(completions=completions, tests=[json.dumps(tests)] * len(sources)))
"""
VERL = """
import json, sys
from trl_rltf.integrations.verl import compute_score

if __name__ == "__main__":
    tests, sources = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    print([compute_score("apps", source, tests, allow_code_eval=True)["score"] for source in sources])
"""


@pytest.fixture(scope="module")
def environment(distributions, tmp_path_factory):
    """An environment with the package and nothing else; returns its Python."""
    _, wheel = distributions
    folder = tmp_path_factory.mktemp("alone") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    return python


@pytest.fixture
def run_alone(environment, tmp_path):
    """A function that runs something in this environment, outside of the repository."""

    def run(*arguments, check=True):
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(
            [environment, *map(str, arguments)],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    return run


@pytest.fixture
def script(tmp_path):
    """A function that writes a script, which gets the tests and the programs as arguments."""

    def write(code):
        file = tmp_path / "alone.py"
        file.write_text(code)
        return file, json.dumps(TESTS), json.dumps(list(SOURCES.values()))

    return write


def test_nothing_else_is_installed(run_alone):
    code = (
        "import importlib.metadata as m, importlib.util as u\n"
        "print([d.name for d in m.distributions()], [n for n in ('torch', 'trl', 'numpy', 'tqdm', 'rich') if u.find_spec(n)])"
    )
    assert run_alone("-c", code).stdout == "['trl-rltf'] []\n"


def test_programs_are_graded_in_python(run_alone, script):
    assert run_alone(*script(GRADE)).stdout == f"{list(SOURCES)}\n"


def test_completions_get_rewards_in_python(run_alone, script):
    assert run_alone(*script(REWARD)).stdout == "[1.0, 0.0, 0.0, 0.0]\n"


def test_an_integration_that_needs_no_package_works(run_alone, script):
    assert run_alone(*script(VERL)).stdout == "[1.0, 0.0, 0.0, 0.0]\n"


@pytest.mark.parametrize("module", ["trl_rltf.execution", "trl_rltf.cli"])
def test_programs_are_graded_from_the_command_line(run_alone, tmp_path, module):
    programs = tmp_path / "programs.jsonl"
    programs.write_text(
        "".join(json.dumps({"source": s, "tests": TESTS, "name": n}) + "\n" for n, s in SOURCES.items())
    )
    result = run_alone("-m", module, "grade", programs, "--allow_code_eval")
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(report["name"], report["outcome"]) for report in reports] == [(name, name) for name in SOURCES]
    assert "4 of 4 programs" in result.stderr


def test_without_the_opt_in_no_program_runs(run_alone, tmp_path):
    (tmp_path / "programs.jsonl").write_text(json.dumps({"source": "", "tests": TESTS}) + "\n")
    result = run_alone("-m", "trl_rltf.execution", "grade", tmp_path / "programs.jsonl", check=False)
    assert result.returncode == 2
    assert "--allow_code_eval" in result.stderr


@pytest.mark.parametrize("command", ["train", "evaluate", "demo"])
def test_a_command_that_needs_more_names_the_package_that_is_missing(run_alone, command):
    result = run_alone("-m", "trl_rltf.cli", command, check=False)
    assert result.returncode == 2
    assert re.match(rf"trl-rltf {command}: the package '(yaml|trl|torch)' is not installed", result.stderr)
    assert "Traceback" not in result.stderr
