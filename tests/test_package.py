"""The public names, and the promises that hold for the whole package."""

import ast
import importlib
import sys

import pytest
from source import MODULES, PACKAGE, ROOT, imports

import trl_rltf


PACKAGES = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
PUBLIC = ["trl_rltf", *(f"trl_rltf.{path.name}" for path in PACKAGES), "trl_rltf.execution.ray"]

# What each room imports, apart from itself, the standard library and other people's packages. `None` is the standard library
# and nothing else. A room that is not listed is part of the one around it.
ROOMS = {
    "_lazy": set(),
    "analysis": {"completions", "data", "execution", "execution.sandbox"},  # starter code, confinement of ruff
    "cli": {"scripts"},
    "presets": {"execution", "rewards", "trainer"},
    "completions": {"execution"},
    "corrections": {"completions", "execution"},
    "critic": {"completions", "execution", "generation", "metrics", "rewards"},
    # The comparison of answers, and the programs that a model writes to make inputs.
    "data": {"completions", "execution", "execution.unit_tests", "execution.wire"},
    "environments": {"completions", "data", "execution", "execution.wire"},
    "execution": {"execution.host", "execution.sandbox", "execution.unit_tests", "execution.wire", "scripts"},
    "execution.host": {"execution", "execution.sandbox", "execution.unit_tests", "execution.wire"},
    "execution.ray": {"execution", "execution.host", "execution.sandbox", "execution.unit_tests"},
    "execution.sandbox": {"execution.wire"},  # the types of its part of the first message
    "execution.unit_tests": {"execution.wire"},
    "execution.wire": set(),
    "execution.worker": {"execution.sandbox", "execution.wire"},
    "generation": set(),
    # The grader for people who have no trainer: nothing here imports torch.
    "integrations": {"completions", "execution", "execution.wire"},
    "metrics": {"completions", "data", "execution", "generation"},  # starter code
    "mini": {"critic", "data", "execution"},
    # For people who read a run on a laptop: nothing here imports torch. Starter code is that of `data`.
    "report": {"completions", "data", "execution"},
    "rewards": {"analysis", "completions", "execution"},
    "scripts": {
        "completions",
        "critic",
        "data",
        "execution",
        "execution.ray",
        "execution.wire",
        "generation",
        "metrics",
        "mini",
        "presets",
        "report",
        "rewards",
        "trainer",
    },
    # pass@k of evaluations; corrections are found with the tests of a reward function
    "trainer": {"completions", "corrections", "execution", "generation", "metrics", "rewards"},
}
STANDARD_LIBRARY_ONLY = {"execution.sandbox", "execution.wire", "execution.worker", "_lazy"}


def room_of(module):
    """The innermost room that a module of the package is in."""
    parts = module.split(".")[1:]
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in ROOMS), "")


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name)])
def test_a_room_imports_only_the_rooms_that_it_may(module):
    room = room_of(module)
    used = {room_of(name) for name in imports(module) if name.startswith("trl_rltf")} - {room, "", "_lazy"}
    assert used <= ROOMS[room]


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) in STANDARD_LIBRARY_ONLY])
def test_what_a_worker_imports_is_the_standard_library(module):
    assert {name for name in imports(module) if not name.startswith("trl_rltf")} <= sys.stdlib_module_names


def test_no_module_imports_itself_through_others():
    graph = {name: {other for other in imports(name) if other in MODULES} for name in MODULES}
    # A package imports its modules, and these import the package only for names that are loaded on first use.
    for name, file in MODULES.items():
        if file.name == "__init__.py":
            graph[name] = {"trl_rltf._lazy"} & graph[name]
    assert not circle(graph)


def circle(graph):
    """Modules that import each other in a circle, or an empty list."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        found = next(filter(None, map(visit, sorted(graph[name]))), [])
        path.pop()
        done.add(name)
        return found

    return next(filter(None, map(visit, sorted(graph))), [])


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_grader_has_at_most_six_layers():
    rooms = {
        name: room if room != "execution" else name.removeprefix("trl_rltf.")
        for name in MODULES
        if (room := room_of(name)).startswith("execution")
    }
    below = {}
    for name, room in rooms.items():
        if MODULES[name].name == "__init__.py" and name != "trl_rltf.execution":
            continue
        known = {rooms[other] for other in imports(name) if other in rooms and other != "trl_rltf.execution"}
        below.setdefault(room, set()).update(known - {room})

    def layer(room):
        return 1 + max(map(layer, below[room]), default=0)

    assert max(map(layer, below)) <= 6


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_at_most_350_lines(module):
    assert len(MODULES[module].read_text().splitlines()) <= 350


@pytest.mark.parametrize("module", MODULES)
def test_a_docstring_starts_with_a_summary_of_at_most_80_characters(module):
    file = MODULES[module]
    if not file.read_text():
        return
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            continue
        text = ast.get_docstring(node)
        assert text or not isinstance(node, ast.Module), "the module has no docstring"
        if text:
            lines = text.splitlines()
            assert len(lines[0]) <= 80, lines[0]
            assert lines[0].endswith((".", ":")), f"the summary is longer than one line: {lines[0]}"


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_loaded_on_first_use_and_documented(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__) == dir(module)
    modules = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package}
    assert not modules & set(module.__all__), "importing a module of this name would hide the public name"
    for name in module.__all__:
        text = getattr(module, name).__doc__
        assert text, name
        assert not text.startswith(f"{name}("), f"{name} has only the docstring that `dataclass` makes"


def test_a_package_has_no_public_names_but_those_it_lists():
    for package in PUBLIC:
        names = {name for name in vars(importlib.import_module(package)) if not name.startswith("_")}
        modules = {name.rpartition(".")[2] for name in MODULES}
        machinery = {"annotations", "lazy_names", "TYPE_CHECKING"}
        assert names - modules - machinery <= set(importlib.import_module(package).__all__), package
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        trl_rltf.nothing  # noqa: B018


def test_the_modules_of_a_package_are_its_attributes(run_script):
    code = (
        "import os, trl_rltf; print(os.path.isdir(trl_rltf.metrics.PASS_AT_K), trl_rltf.execution.limits.MEMORY_LIMIT)"
    )
    assert run_script(code).stdout == f"True {2**30}\n"


def test_importing_the_root_loads_nothing_heavy(run_script):
    code = "import sys, trl_rltf; assert not {'torch', 'trl', 'datasets', 'numpy'} & set(sys.modules)"
    run_script(code)


COMMANDS = {
    "analyser_evidence.py",
    "ablation.py",
    "augment_evidence.py",
    "bench_code_eval.py",
    "bench_execution.py",
    "bench_gpu.py",
    "bench_scaling.py",
    "bench_phases.py",
    "bench_trainer.py",
    "bench_vllm.py",
    "bench_ray.py",
    "train_real_model.py",
    "gates.py",
    "grader_agreement.py",
}  # compare and measure, most with the folders next to them


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/*.py")), ids=lambda file: file.name)
def test_an_example_can_be_copied(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 80
    names = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    own = {path.stem for path in ROOT.glob("examples/*")}
    assert file.name in COMMANDS or not names & own
