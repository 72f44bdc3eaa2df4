"""The notebooks and the quickstart run, offline, and what they link to exists."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest
from source import ROOT
from test_docs import blocks


NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))
ALL_NOTEBOOKS = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
NEEDED = {"rltf_in_ten_minutes": ("jinja2", "matplotlib", "pygments")}  # for the report


def texts(notebook, cell_type):
    """The sources of the cells of one type."""
    return [
        "".join(cell["source"]) for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == cell_type
    ]


@pytest.fixture
def run_cells(tmp_path):
    """A function that runs the cells of a notebook in a fresh process, in an empty folder; returns what they print."""

    def run(notebook):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, ROOT / "docs/_run_notebook.py", notebook]
        result = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=280
        )
        assert result.returncode == 0, result.stderr[-2000:]
        return result.stdout

    return run


@pytest.mark.slow
@ALL_NOTEBOOKS
def test_a_notebook_runs(notebook, run_cells):
    for package in NEEDED.get(notebook.stem, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    printed = run_cells(notebook)
    if notebook.stem == "rltf_in_ten_minutes":
        before, after = (
            int(share) for share in re.search(r"^pass@1 (\d+)% -> (\d+)%$", printed, re.MULTILINE).groups()
        )
        assert after > before + 10
    elif notebook.stem == "only_the_grader":
        outcomes = re.findall(r"^.{22}(\w+) +\w", printed.partition("['PASS', 'PASS', 'PASS']")[2], re.MULTILINE)
        assert len(outcomes) == 6
        assert "PASS" not in outcomes
    else:
        shares = [int(share) for share in re.findall(r"^ +\d+ +(\d+)% ", printed, re.MULTILINE)]
        assert shares[-1] > shares[0] + 10


@pytest.mark.slow
def test_the_code_of_the_quickstart_runs(tmp_path, run_cells):
    codes = blocks(ROOT / "docs/quickstart.md", "python")
    quickstart = tmp_path / "quickstart.ipynb"
    quickstart.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [code]} for code in codes]}))
    assert "'pass@1': 0.5" in run_cells(quickstart)
    assert (tmp_path / "outputs/rltf/config.json").is_file()


@pytest.mark.slow
def test_an_error_in_a_cell_ends_the_run(tmp_path, run_cells):
    notebook = tmp_path / "broken.ipynb"
    notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["%pip install x\n", "1 / 0"]}]}))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_cells(notebook)


@ALL_NOTEBOOKS
def test_a_notebook_has_the_output_of_its_cells(notebook):
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in cells if "print(" in "".join(cell["source"]))


@ALL_NOTEBOOKS
def test_a_link_of_a_notebook_leads_to_a_page(notebook):
    links = [link for text in texts(notebook, "markdown") for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [link.partition("#")[0] for link in links if not link.startswith("https://")]
    assert local
    assert not [link for link in local if not (notebook.parent / link).is_file()]


@ALL_NOTEBOOKS
def test_a_notebook_is_in_the_navigation_and_on_the_front_page(notebook):
    path = f"notebooks/{notebook.name}"
    assert re.search(rf" {path}$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert f"]({path})" in (ROOT / "docs/index.md").read_text()
