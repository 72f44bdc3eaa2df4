"""The public names, and the promises that hold for the whole package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import trl_rltf
import trl_rltf.data
import trl_rltf.execution
import trl_rltf.metrics
import trl_rltf.rewards
import trl_rltf.trainer


ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [trl_rltf, trl_rltf.data, trl_rltf.execution, trl_rltf.metrics, trl_rltf.rewards, trl_rltf.trainer]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_names_what_is_public_and_each_name_is_documented(package):
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


def test_the_root_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        trl_rltf.nothing  # noqa: B018
    assert set(trl_rltf.__all__) < set(dir(trl_rltf))


def test_importing_the_root_loads_nothing_heavy():
    code = "import sys, trl_rltf; assert not {'torch', 'trl', 'datasets', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("file", sorted(ROOT.glob("trl_rltf/**/*.py")), ids=lambda file: file.name)
def test_the_first_line_of_a_module_says_what_it_is_for(file):
    first = file.read_text().splitlines()[0]
    assert re.fullmatch(r'"""\S.{15,}(\."""|[a-z`])', first), first


@pytest.mark.parametrize("file", sorted(ROOT.glob("trl_rltf/**/*.py")), ids=lambda file: file.name)
def test_folders_know_only_whom_they_may(file):
    allowed = {
        "execution": {"execution"},
        "rewards": {"rewards", "execution"},
        "trainer": {"trainer"},
        "data": {"data", "execution"},
        "metrics": {"metrics", "execution", "rewards"},
    }
    folder = file.relative_to(ROOT / "trl_rltf").parts[0]
    if folder not in allowed:
        return
    text = file.read_text()
    known = set(re.findall(r"^\s*from \.\.(\w+)", text, re.MULTILINE)) | set(
        re.findall(r"^\s*(?:from|import) trl_rltf\.(\w+)", text, re.MULTILINE)
    )
    siblings = {path.stem for path in file.parent.glob("*.py")} | {path.stem for path in file.parents[1].glob("*.py")}
    assert known - siblings <= allowed[folder]
