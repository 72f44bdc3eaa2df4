"""The pages: what they name exists, and what has to be described is on them."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
import textwrap
import tomllib
import unicodedata
from pathlib import Path

import pytest
from source import MODULES, PACKAGE, ROOT
from test_package import PUBLIC, ROOMS

from trl_rltf import __version__
from trl_rltf.execution import Outcome
from trl_rltf.metrics.held_out import HeldOutGroup, held_out_metrics


PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
ALL_PAGES = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
FOLDERS = ("trl_rltf", "examples", "tests", "docs", ".ci", ".github")


def blocks(page, language):
    """The fenced blocks of a page in one language."""
    return [textwrap.dedent(text) for _, name, text in BLOCK.findall(page.read_text()) if name == language]


def outside_of_blocks(page):
    """The text of a page without its fenced blocks."""
    return BLOCK.sub("", page.read_text())


# ---------------------------------------------------------------------- code on the pages


def without_prompts(code):
    """The statements of an interactive session, or the code as it is."""
    lines = code.splitlines()
    if not any(line.startswith(">>> ") for line in lines):
        return code
    return "\n".join(line[4:] for line in lines if line.startswith((">>> ", "... ")))


@functools.cache
def defined_names(module):
    """Names that a module of the package defines at its top, or, of a package, its public names."""
    if MODULES[module].name == "__init__.py":
        tree = ast.parse(MODULES[module].read_text())
        is_lazy = any(isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names" for node in ast.walk(tree))
        return set(importlib.import_module(module).__all__) if is_lazy else set()
    names = set()
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


@ALL_PAGES
def test_python_on_a_page_compiles_and_imports_names_that_exist(page):
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(without_prompts(code))):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "trl_rltf":
                assert node.module in MODULES, node.module
                known = defined_names(node.module)
                for alias in node.names:
                    assert alias.name in known or f"{node.module}.{alias.name}" in MODULES, ast.unparse(node)


# ---------------------------------------------------------------------- paths, commands and links


def paths_on(page):
    """Paths of this repository in the code of a page: in blocks, and between backticks."""
    text = "\n".join(code for _, _, code in BLOCK.findall(page.read_text()))
    spans = re.findall(r"`([^`\n]+)`", outside_of_blocks(page))
    for word in re.findall(r"[^\s\"'`=,;()]+", " ".join([text, *spans])):
        first, slash, _ = word.partition("/")
        if slash and first in FOLDERS and not re.search(r"[*<>{}…$]", word):
            yield re.sub(r"(::.*|[.:])$", "", word)


@ALL_PAGES
def test_a_path_on_a_page_exists(page):
    missing = [path for path in paths_on(page) if not (ROOT / path).exists()]
    assert not missing


def test_a_missing_path_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "See `docs/no_such_page.md` and `tests/test_docs.py`.\n\n```bash\npython examples/nothing.py --x 1\n```\n"
    )
    assert list(paths_on(page)) == ["examples/nothing.py", "docs/no_such_page.md", "tests/test_docs.py"]


def commands(page):
    """The commands of the shell on a page, one per line."""
    for code in blocks(page, "bash"):
        for line in code.replace("\\\n", " ").splitlines():
            yield from (part.strip() for part in re.split(r"&&|\|", line.partition(" #")[0]) if part.strip())


@ALL_PAGES
def test_a_command_on_a_page_exists(page):
    text = "\n".join(commands(page))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", text)) <= targets
    for module in re.findall(r"-m (trl_rltf[\w.]*)", text):
        assert module in MODULES
        assert MODULES[module].name != "__init__.py" or f"{module}.__main__" in MODULES
    if "trl-rltf " in text:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        module, _, function = project["scripts"]["trl-rltf"].partition(":")
        assert function in defined_names(module)
        words = {
            node.value for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Constant)
        }
        assert set(re.findall(r"\btrl-rltf ([a-z][\w-]*)", text)) <= words


# The scripts, and the commands that run them.
SCRIPTS = {
    "train": r"trl-rltf (?:train|demo) |examples/train_(?:apps|mbpp)\.py|make demo ARGS=",
    "evaluate": r"trl-rltf evaluate |examples/evaluate_\w+\.py",
    "train_critic": r"trl-rltf train-critic |examples/train_critic\.py",
    "check": r"trl-rltf check ",
    "compare": r"trl-rltf compare ",
    "augment_tests": r"trl-rltf augment-tests ",
    "report": r"trl-rltf report ",
    "grade": r"trl-rltf grade |trl_rltf\.execution grade ",
}
OF_ACCELERATE = {"--config_file", "--num_processes", "--num_machines", "--mixed_precision", "--dynamo_backend"}


@functools.cache
def flags_of(script):
    """The flags that a script takes."""
    parser = importlib.import_module(f"trl_rltf.scripts.{script}").make_parser()
    text = parser.format_help_of_all() if hasattr(parser, "format_help_of_all") else parser.format_help()
    return {*re.findall(r"--\w+", text), "--config", "--help"}


@ALL_PAGES
def test_a_flag_of_a_command_exists(page):
    for command in commands(page):
        for script, pattern in SCRIPTS.items():
            found = re.search(pattern, command)
            if found:
                assert set(re.findall(r"--\w+", command[found.end() :])) <= flags_of(script) | OF_ACCELERATE, command


@functools.cache
def known_flags():
    """Flags of all scripts and examples."""
    of_examples = {
        f"--{node.target.id}"
        for file in ROOT.glob("examples/**/*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return OF_ACCELERATE.union(of_examples, *map(flags_of, SCRIPTS))


@ALL_PAGES
def test_a_flag_in_a_sentence_exists(page):
    # Ours have no hyphens.
    assert set(re.findall(r"`(--[a-z]\w*)(?![\w-])[^`]*`", outside_of_blocks(page))) <= known_flags()


def anchors(page):
    """Names of the headings of a page, as links write them."""
    for heading in re.findall(r"^#+ (.+)$", outside_of_blocks(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        yield re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


@ALL_PAGES
def test_a_link_leads_to_a_page_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", outside_of_blocks(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in set(anchors(file)), target


def test_the_readme_has_at_most_150_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_front_page_has_a_sentence_about_each_page():
    page = (ROOT / "docs/index.md").read_text()
    rows = dict(re.findall(r"^\| \[[^\]]+\]\(([\w/.]+)\) \| (.+) \|$", page, re.MULTILINE))
    pages = [str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md") if page.name != "index.md"]
    sentences = " ".join(rows.values())  # the pages on integrations share one
    assert not [name for name in pages if name not in rows and f"]({name})" not in sentences]
    assert not [sentence for sentence in rows.values() if not sentence.endswith(".")]


def test_each_page_of_the_documentation_is_in_its_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")]
    missing = [page for page in pages if not re.search(rf" {page}$", navigation, re.MULTILINE)]
    assert not missing


# ---------------------------------------------------------------------- pages that follow the code


def logged_names(source):
    """
    Names of the metrics and columns that a module logs.

    Args:
        source (`str`): Text of the module.

    Returns:
        `tuple[set[str], set[str]]`: Metrics, and columns of the completions table.
    """
    metrics, columns = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(
                r"[a-z_]+/[a-z_]+", node.value
            ):  # also where the name is passed on to the call that logs it
                metrics.add(node.value)
        elif isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func).rpartition(".")[2].lstrip("_")
            if function in ("log_metric", "add_metric", "set_metric"):
                metrics |= literal_names(node.args[0])
            elif function in ("log_extra", "add_column"):
                columns |= literal_names(node.args[0])
    return metrics, columns


def literal_names(node):
    """A name that is written out, or one per outcome where it ends with the name of the outcome."""
    if isinstance(node, ast.Constant):
        return {node.value}
    if isinstance(node, ast.JoinedStr) and ast.unparse(node).endswith("outcome.name.lower()}'"):
        return {f"{node.values[0].value}{outcome.name.lower()}" for outcome in Outcome}
    assert not isinstance(node, ast.JoinedStr), f"{ast.unparse(node)}: write the name of the metric out"
    return set()


def test_the_names_that_are_logged_are_found():
    source = """
self.add_metric("buffer/age", age)
for name, part in (("loss/rl", a), ("loss/ce", b)):
    self.add_metric(name, part)
log_metric(f"outcome/{outcome.name.lower()}", share)
log_extra("error_line", lines)
"""
    metrics, columns = logged_names(source)
    assert metrics - {f"outcome/{outcome.name.lower()}" for outcome in Outcome} == {"buffer/age", "loss/rl", "loss/ce"}
    assert "outcome/not_gradable" in metrics
    assert columns == {"error_line"}


def test_each_logged_metric_is_described_and_each_described_one_is_logged():
    rooms = re.compile(r"trl_rltf\.(critic|rewards|trainer)\.")
    found = [logged_names(MODULES[name].read_text()) for name in MODULES if rooms.match(name)]
    metrics, columns = (set().union(*names) for names in zip(*found, strict=True))
    page, _, table = (ROOT / "docs/logged_metrics.md").read_text().partition("## Columns of the completions table")
    described = [re.findall(r"^- `([^`]+)`: ", text, re.MULTILINE) for text in (page, table)]
    described[0] = [name for name in described[0] if not name.startswith("eval_")]
    assert [len(names) for names in described] == [len(metrics), len(columns)]
    assert [set(names) for names in described] == [metrics, columns]


def test_troubleshooting_names_metrics_that_are_logged():
    text = (ROOT / "docs/troubleshooting.md").read_text()
    page = (ROOT / "docs/logged_metrics.md").read_text()
    trainer = importlib.util.find_spec("trl.trainer.grpo_trainer").origin
    of_trl = set(re.findall(r'_metrics\[mode\]\["([\w/]+)"\]', Path(trainer).read_text()))
    of_trl.update(re.findall(r'_metrics\["train"\]\["([\w/]+)"\]', Path(trainer).read_text()))
    groups = {name.partition("/")[0] for name in re.findall(r"^- `(\w+/\w+)`: ", page, re.MULTILINE)}
    groups |= {name.partition("/")[0] for name in of_trl if "/" in name}
    named = {name for name in re.findall(r"`([a-z_]+/[a-z_/]+)`", text) if name.partition("/")[0] in groups}
    named |= {"reward_std", "frac_reward_zero_std", "step_time", "entropy"}
    assert len(named) > 20
    assert not [name for name in named if f"- `{name}`: " not in page and name not in of_trl]


def test_each_metric_of_an_evaluation_is_described():
    logged = held_out_metrics([HeldOutGroup([Outcome.PASS], "<difficulty>")], [1])
    names = {re.sub(r"outcome/\w+", "outcome/<outcome>", name.replace("@1", "@k")) for name in logged}
    page = (ROOT / "docs/logged_metrics.md").read_text()
    assert set(re.findall(r"^- `eval_([^`]+)`: ", page, re.MULTILINE)) == names


@pytest.mark.parametrize("package", [name for name in PUBLIC if name != "trl_rltf"])
def test_each_public_name_is_in_the_reference(package):
    listed = set(
        re.findall(rf"^::: {re.escape(package)}\.(\w+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE)
    )
    assert listed == set(importlib.import_module(package).__all__)


def test_each_preset_is_in_the_reference():
    listed = set(re.findall(r"^::: trl_rltf\.presets\.(\w+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE))
    assert listed == {
        name for name in defined_names("trl_rltf.presets") if name.islower() and not name.startswith("_")
    }


def test_each_name_of_the_root_is_in_the_reference():
    listed = re.findall(r"^::: trl_rltf\.[\w.]+\.(\w+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE)
    assert set(importlib.import_module("trl_rltf").__all__) <= set(listed)


def test_each_value_of_the_preset_is_in_the_index_of_the_paper():
    page = (ROOT / "docs/paper_index.md").read_text()
    settings = {
        key.value
        for node in ast.walk(ast.parse(MODULES["trl_rltf.presets"].read_text()))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    } - {"args", "reward_funcs", "callbacks"}
    assert {"learning_rate", "token_weight", "capacity"} <= settings
    assert not [name for name in settings if not re.search(rf"\b{name}\b", page)]


def test_the_map_lists_the_imports_that_each_room_may_make():
    text = (ROOT / "docs/CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `trl_rltf/([\w/.]+)` \| .* \|(.*)\|$", text, re.MULTILINE)
    listed = {
        re.sub(r"(\.py|/)$", "", path).replace("/", "."): set(re.findall(r"`([\w.]+)`", cell)) for path, cell in rows
    }
    assert listed == ROOMS


def test_the_map_has_each_folder_of_the_package():
    text = (ROOT / "docs/CONTRIBUTING.md").read_text()
    folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert not [name for name in folders if f"| `trl_rltf/{name}/` |" not in text]


def test_the_citation_has_the_version_of_the_package():
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
