"""The workflows of `.github/workflows`: they run the targets of the Makefile, on the versions of Python that are promised."""

import re

import pytest
import yaml
from source import ROOT
from test_extras import PROJECT


FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ALL_WORKFLOWS = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow):
    """All steps of the jobs of a workflow."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@ALL_WORKFLOWS
def test_a_workflow_runs_targets_that_exist(file):
    called = re.findall(
        r"\bmake ([\w-]+)", "\n".join(step.get("run", "") for step in steps(yaml.safe_load(file.read_text())))
    )
    assert called
    assert set(called) <= TARGETS


@ALL_WORKFLOWS
def test_each_job_has_a_limit_of_time_and_may_only_read_unless_it_says_more(file):
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert all(0 < job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())


@ALL_WORKFLOWS
def test_each_action_has_a_version(file):
    used = [step["uses"] for step in steps(yaml.safe_load(file.read_text())) if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v1)", name) for name in used), used


def test_the_tests_run_on_each_version_of_python_that_is_promised():
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    promised = re.findall(r"Python :: (3\.\d+)\b", "\n".join(PROJECT["classifiers"]))
    assert jobs["tests"]["strategy"]["matrix"]["python-version"] == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"
    assert jobs["lowest"]["steps"][1]["with"]["python-version"] == promised[0]


def test_a_release_needs_no_stored_token():
    text = (ROOT / ".github/workflows/release.yml").read_text()
    assert yaml.safe_load(text)["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in text


@pytest.mark.parametrize("file", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda file: file.stem)
def test_a_form_for_issues_has_what_github_asks_for(file):
    form = yaml.safe_load(file.read_text())
    assert form["name"]
    assert form["description"]
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields) > 0
