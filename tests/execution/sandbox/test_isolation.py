"""The choice of a mechanism, its description, and the work that it leaves to the worker."""

import shutil
from itertools import pairwise

import pytest

from trl_rltf.execution import Isolation
from trl_rltf.execution.errors import SandboxError
from trl_rltf.execution.sandbox import bubblewrap, mechanisms
from trl_rltf.execution.sandbox.bubblewrap import bubblewrap_command
from trl_rltf.execution.sandbox.file_view import PACKAGE, FileView
from trl_rltf.execution.sandbox.isolation import ISOLATION_CHOICES, choose_isolation, worker_command, worker_layout
from trl_rltf.execution.sandbox.mechanisms import MECHANISMS


NAMES = ["bubblewrap", "namespaces", "landlock", "process"]
PROBLEMS = {"bubblewrap": "no bubblewrap", "namespaces": "no namespaces", "landlock": "no Landlock", "process": ""}


@pytest.fixture
def broken(monkeypatch):
    """Make mechanisms fail, and all others work."""

    def break_(*names):
        for name, mechanism in MECHANISMS.items():
            monkeypatch.setattr(mechanism, "problem", lambda name=name: PROBLEMS[name] if name in names else "")

    return break_


@pytest.mark.parametrize(
    ("names", "chosen", "missing"),
    [
        ((), "bubblewrap", ""),
        (("bubblewrap",), "namespaces", ""),
        (("bubblewrap", "namespaces"), "landlock", "no bubblewrap; no namespaces"),
        (("bubblewrap", "namespaces", "landlock"), "process", "no bubblewrap; no namespaces; no Landlock"),
        (("namespaces", "landlock"), "bubblewrap", ""),
    ],
)
def test_auto_takes_the_strongest_that_works_and_says_why_a_stronger_one_is_missing(broken, names, chosen, missing):
    broken(*names)
    found = choose_isolation("auto")
    assert (found.name, found.missing) == (chosen, missing)
    assert found.is_complete is (missing == "")


def test_strict_takes_only_a_complete_isolation(broken):
    broken("bubblewrap")
    assert choose_isolation("strict").name == "namespaces"
    broken("bubblewrap", "namespaces")
    with pytest.raises(SandboxError, match=r"`isolation='strict'` .* but no bubblewrap; no namespaces\. Install"):
        choose_isolation("strict")


@pytest.mark.parametrize("name", NAMES)
def test_a_mechanism_can_be_demanded_by_name(broken, name):
    broken()
    found = choose_isolation(name)
    assert found.name == name
    assert found.missing == ("" if found.is_complete else "not asked for")


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_demanded_mechanism_that_does_not_work_is_an_error(broken, name):
    broken(*NAMES)
    with pytest.raises(SandboxError, match=PROBLEMS[name]):
        choose_isolation(name)


def test_the_choices_are_the_mechanisms_and_two_words():
    assert ("auto", "strict", *NAMES) == ISOLATION_CHOICES
    with pytest.raises(ValueError, match=r"`isolation` is 'none', but must be one of 'auto', 'strict', 'bubblewrap'"):
        choose_isolation("none")


@pytest.mark.parametrize(
    ("name", "filesystem", "processes", "has_own_root"),
    [
        ("bubblewrap", True, True, True),
        ("namespaces", True, True, True),
        ("landlock", True, False, False),
        ("process", False, False, False),
    ],
)
def test_an_isolation_says_what_it_keeps_apart(broken, name, filesystem, processes, has_own_root):
    broken()
    found = choose_isolation(name)
    assert (found.filesystem, found.processes, found.has_own_root) == (filesystem, processes, has_own_root)
    assert found.layers[-1] == "rlimits"
    assert ("seccomp" in found.layers) is mechanisms.can_filter()


def test_a_warning_names_the_actions_that_stay_open():
    no_layer = Isolation("process", False, False, False, missing="it is a test").warning
    assert "read files and read and change the memory of processes of the same user and use the network" in no_layer
    assert 'pass `isolation="process"`' in no_layer
    landlock = Isolation(
        "landlock", True, True, False, layers=("Landlock 7", "rlimits"), missing="it is a test"
    ).warning
    assert "without process isolation, because it is a test" in landlock
    assert "read files" not in landlock


def test_only_bubblewrap_gets_a_command_of_its_program(broken):
    broken()
    for name in NAMES:
        command = worker_command(choose_isolation(name), 2**20)
        assert command[-2:] == ["-m", "trl_rltf.execution.worker"]
        assert ("bwrap" in command) is (name == "bubblewrap")
        assert any(part.endswith("clean_exec.py") for part in command)


@pytest.mark.parametrize("name", NAMES)
def test_a_layout_has_the_parts_of_its_mechanism(broken, tmp_path, name):
    broken()
    folder = None if name == "bubblewrap" else str(tmp_path)
    layout = worker_layout(choose_isolation(name), folder, 2**20)
    has_own_root = name in ("bubblewrap", "namespaces")
    assert layout["scratch"] == (["/scratch", "/dev/shm"] if has_own_root else [folder])
    assert layout["owns_processes"] is has_own_root
    assert (layout["own_root"] is not None) is (name == "namespaces")
    assert (layout["own_user"] is None) is not MECHANISMS[name].changes_user()
    rules = layout["file_rules"]
    if name == "bubblewrap":
        assert rules is None
    elif name == "process":
        assert rules in (None, {"writable": ["/"]})
    else:
        assert rules["writable"] == layout["scratch"]
        assert ("listed" in rules) is (name == "landlock")
    assert layout["hides_files"] or name != "landlock"


def test_each_worker_of_root_gets_another_user_id(monkeypatch):
    mechanism = MECHANISMS["process"]
    monkeypatch.setattr(mechanism, "changes_user", lambda: True)
    monkeypatch.setattr(mechanism, "opens_files_as_own_user", lambda: False)
    layouts = [mechanism.layout("/folder", 2**20) for _ in range(20)]
    users = {layout["own_user"] for layout in layouts}
    assert len(users) == 20
    assert all(2**30 <= user < 2**31 for user in users)
    assert {layout["file_user"] for layout in layouts} == {0}


def test_under_bubblewrap_all_memory_but_the_scratch_folders_is_read_only(monkeypatch):
    view = FileView(["/usr", "/bin"], ["/usr/share"], ["/usr/share/code"])
    monkeypatch.setattr(bubblewrap, "file_view", lambda: view)
    command = bubblewrap_command(["--unshare-all"], 2**20)
    pairs = list(pairwise(command))
    in_memory = {path for option, path in pairs if option == "--tmpfs"} | {"/dev", "/proc", "/"}
    read_only = {path for option, path in pairs if option == "--remount-ro"}
    assert "/usr/share" in in_memory
    assert in_memory - read_only == {"/scratch", "/dev/shm"}
    assert read_only <= in_memory
    # After the last mount: mounting needs a writable root.
    assert command.index("/", command.index("--remount-ro")) > max(
        i for i, part in enumerate(command) if part == "--ro-bind"
    )


def test_under_bubblewrap_each_scratch_folder_has_a_size():
    command = bubblewrap_command([], 12345)
    for folder in ("/scratch", "/dev/shm"):
        place = command.index(folder)
        assert command[place - 3 : place] == ["--size", "12345", "--tmpfs"]


@pytest.mark.parametrize("writes", [True, False])
def test_the_modules_of_a_worker_are_compiled_once_by_the_caller(tmp_path, writes, run_script):
    package = tmp_path / "trl_rltf"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "from trl_rltf.execution.sandbox.isolation import choose_isolation, worker_command\n"
        "worker_command(choose_isolation('process'), 2**20)"
    )
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "" if writes else "1"}
    run_script(code, env=environment, cwd=tmp_path)
    modules = {file.stem for file in package.glob("execution/worker/**/*.py")}
    compiled = {file.name.partition(".")[0] for file in package.glob("execution/worker/**/__pycache__/*.pyc")}
    assert compiled == (modules if writes else set())
