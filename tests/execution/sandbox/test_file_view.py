"""The files that a worker and its programs may see."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trl_rltf.execution.sandbox import file_view
from trl_rltf.execution.sandbox.command_check import worker_environment
from trl_rltf.execution.sandbox.file_view import PACKAGE, FileView, links_to_scratch, split_folders


@pytest.fixture
def tree(tmp_path):
    """A folder with a package in it, which has secrets and code for workers."""
    for name in (
        "top.txt",
        "a/one.txt",
        "a/package/secret.txt",
        "a/package/code/worker.py",
        "a/package/data/answers.txt",
        "b/two.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a" / "package" / "secret.txt")
    return tmp_path


def all_files(folder):
    """Files below a folder, with the real path of those that are links."""
    return {str(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def visible(view, folder):
    """The slow reference: each file belongs to the longest path of the view that contains it."""
    rules = [(path, True) for path in (*view.shown, *view.shown_inside)] + [(path, False) for path in view.covered]
    seen = set()
    for file in all_files(folder):
        matching = [rule for rule in rules if file == rule[0] or file.startswith(rule[0] + "/")]
        if matching and max(matching, key=lambda rule: len(rule[0]))[1]:
            seen.add(file)
    return seen


def readable_below(paths):
    """Files that can be read where reading is allowed below some paths."""
    return {file for path in map(Path, paths) for file in (all_files(path) if path.is_dir() else {str(path)})}


@pytest.mark.parametrize(
    ("covered", "inside"),
    [
        ((), ()),
        (("a/package",), ()),
        (("a/package",), ("a/package/code",)),
        (("a/package/data",), ()),
        (("a",), ("a/package/code/worker.py",)),
    ],
)
def test_a_view_without_covered_folders_shows_the_same_files(tree, covered, inside):
    view = FileView([str(tree)], [f"{tree}/{name}" for name in covered], [f"{tree}/{name}" for name in inside])
    readable, listed = split_folders(view)
    assert readable_below(readable) == visible(view, tree)
    parents = {str(parent) for path in view.covered for parent in Path(path).parents if parent.is_relative_to(tree)}
    assert set(listed) == parents


def test_only_the_names_in_a_folder_around_a_covered_one_can_be_listed(tree):
    readable, listed = split_folders(FileView([str(tree)], [f"{tree}/a/package"], []))
    assert sorted(listed) == [str(tree), f"{tree}/a"]
    assert sorted(readable) == [f"{tree}/a/one.txt", f"{tree}/b", f"{tree}/top.txt"]  # and not `a/link`


def test_tmp_becomes_a_link_unless_something_in_it_is_shown():
    assert links_to_scratch(FileView(["/usr"], [], [])) == {"/tmp": "/scratch"}
    assert links_to_scratch(FileView(["/usr"], [], ["/tmp/package/worker"])) == {}


def test_a_worker_sees_only_its_part_of_the_package():
    shown = [Path(path) for path in file_view.file_view().shown_inside if Path(path).is_relative_to(PACKAGE)]
    names = sorted(str(path.relative_to(PACKAGE)) for path in shown)
    assert names == [
        "__init__.py",
        "_lazy.py",
        "execution/__init__.py",
        "execution/sandbox",
        "execution/wire",
        "execution/worker",
    ]
    assert all(path.exists() for path in shown)


def test_a_worker_imports_no_other_file_of_the_package():
    code = (
        "import sys, trl_rltf.execution.worker.__main__\n"
        "for name, module in sys.modules.items():\n"
        "    if name.startswith('trl_rltf'):\n"
        "        print(module.__file__)"
    )
    command = [sys.executable, "-S", "-s", "-P", "-c", code]
    printed = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=True).stdout
    shown = [Path(path) for path in file_view.file_view().shown_inside]
    files = [Path(line) for line in printed.splitlines()]
    assert len(files) > 20
    assert [file for file in files if not any(file.is_relative_to(path) for path in shown)] == []


def test_the_rest_of_the_package_and_of_its_checkout_is_not_shown():
    view = file_view.file_view()
    hidden = [PACKAGE / "rewards", PACKAGE / "execution" / "unit_tests", PACKAGE / "execution" / "host"]
    checkout = PACKAGE.parent
    if (checkout / "pyproject.toml").is_file():
        hidden += [checkout / "tests", checkout / "pyproject.toml"]
    for path in hidden:
        around = [shown for shown in (*view.shown, *view.shown_inside) if path.is_relative_to(os.path.realpath(shown))]
        covers = [cover for cover in view.covered if path.is_relative_to(os.path.realpath(cover))]
        assert not around or covers, path


def test_entries_of_proc_that_describe_the_machine_are_hidden():
    hidden = {path for path, _ in file_view.hidden_proc_entries()}
    assert not hidden & {"/proc/self", "/proc/stat", "/proc/meminfo", f"/proc/{os.getpid()}"}
    assert {"/proc/modules", "/proc/kallsyms", "/proc/keys"} & set(map(str, Path("/proc").iterdir())) <= hidden
