"""The wheel and the sdist: the files that they have, and a training with nothing of the repository but the wheel."""

import ast
import subprocess
import sys
import tarfile
import zipfile

import pytest
from setuptools import Distribution
from source import PACKAGE, ROOT
from test_docs import blocks


def installed_files(monkeypatch, wanted):
    """Installed files of a package, without its modules."""
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files()
    distribution.include_package_data = False  # or setuptools would write its metadata into the repository
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    return [name for package, *_, names in build.data_files for name in names if package == wanted]


def test_the_type_information_is_installed(monkeypatch):
    assert installed_files(monkeypatch, "trl_rltf") == ["py.typed"]


def test_the_parts_of_a_report_are_installed(monkeypatch):
    parts = {path.name for path in (ROOT / "trl_rltf/report").iterdir() if path.is_file() and path.suffix != ".py"}
    assert set(installed_files(monkeypatch, "trl_rltf.report")) == parts == {"page.css", "page.html.jinja", "page.js"}


def files_of_the_package():
    """Paths of the files in `trl_rltf`, without caches."""
    return {
        str(path.relative_to(ROOT))
        for path in PACKAGE.glob("**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_the_wheel_has_the_package_and_nothing_else(distributions):
    _, wheel = distributions
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == files_of_the_package()


@pytest.mark.slow
def test_the_sdist_has_what_a_build_needs_and_no_tests(distributions):
    sdist, _ = distributions
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    others = {name for name in names if not name.startswith(("trl_rltf/", "trl_rltf.egg-info/"))}
    assert {name for name in names if name.startswith("trl_rltf/")} == files_of_the_package()
    of_setuptools = {"PKG-INFO", "setup.cfg"}
    assert others - of_setuptools == {
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "MANIFEST.in",
        "README.md",
        "pyproject.toml",
    }


# ---------------------------------------------------------------------- the README's example

# Settings with which it takes seconds; the others are the README's.
SMALL = {
    "RLTFConfig": {
        "output_dir": "trained",
        "max_steps": 2,
        "max_prompt_length": 256,
        "max_completion_length": 16,
        "per_device_train_batch_size": 2,
        "num_generations": 2,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
    },
    "OnlineBuffer": {"capacity": 4, "update_steps": 1},
    "RLTFTrainer": {"model": "tiny"},
}
FIRST = """
import trl_rltf
from trl_rltf import make_mini_apps
from trl_rltf.mini import make_mini_model

problems = make_mini_apps("train", num_problems=8)
for part in make_mini_model(problems, hidden_size=32, num_layers=2, vocab_size=400):
    part.save_pretrained("tiny")
"""
LAST = """
print(trl_rltf.__file__, trainer.state.global_step)
"""


class MakeSmall(ast.NodeTransformer):
    """Replace the model, the problems and some settings of the README's example by small ones."""

    def visit_Call(self, node):
        self.generic_visit(node)
        name = ast.unparse(node.func)
        if name == "load_apps":
            return ast.Name("problems", ast.Load())
        changed = SMALL.get(name, {})
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in changed]
        node.keywords += [ast.keyword(key, ast.Constant(value)) for key, value in changed.items()]
        return node


def readme_example():
    """The script of the README that trains, with a tiny model and two steps."""
    (code,) = [code for code in blocks(ROOT / "README.md", "python") if "trainer.train()" in code]
    return FIRST + ast.unparse(ast.fix_missing_locations(MakeSmall().visit(ast.parse(code)))) + LAST


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_of_the_readme_trains_with_the_wheel_alone(distributions, tmp_path, run_script):
    pytest.importorskip("peft")
    _, wheel = distributions
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--no-index", "--target", installed]
    subprocess.run([*pip, wheel], check=True)
    script = tmp_path / "example.py"
    script.write_text(readme_example())
    result = run_script(script, env={"PYTHONPATH": str(installed)}, cwd=tmp_path, timeout=800.0)
    assert result.stdout.splitlines()[-1] == f"{installed / 'trl_rltf' / '__init__.py'} 2"
    assert list((tmp_path / "trained").glob("checkpoint-*/adapter_model.safetensors"))
