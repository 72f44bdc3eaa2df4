"""All descendants of a process are found and killed."""

import subprocess
import time

import psutil
import pytest

from trl_rltf.execution.sandbox.processes import children_of, descendants, kill_tree


TREE = "setsid sh -c 'sleep 60 & sleep 60' & sleep 60 & wait"


@pytest.fixture
def shell():
    """A shell with two children, one of which leads a session and has two children itself."""
    process = subprocess.Popen(["sh", "-c", TREE])
    deadline = time.monotonic() + 20
    while len(descendants(process.pid)) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    yield process
    for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()


def test_descendants_are_those_that_psutil_finds(shell):
    found = psutil.Process(shell.pid).children(recursive=True)
    assert sorted(descendants(shell.pid)) == sorted(child.pid for child in found)
    assert len(found) == 4


def test_children_are_those_that_psutil_finds(shell):
    expected = [child.pid for child in psutil.Process(shell.pid).children()]
    assert sorted(children_of(shell.pid)) == sorted(expected)


def test_a_tree_is_killed_with_the_sessions_in_it(shell):
    tree = psutil.Process(shell.pid).children(recursive=True)
    kill_tree(shell.pid)
    assert shell.wait(timeout=10) == -9
    assert psutil.wait_procs(tree, timeout=10)[1] == []


def test_a_process_that_waits_to_be_reaped_is_a_child_and_not_a_descendant():
    process = subprocess.Popen(["true"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert process.pid not in descendants()
    assert process.pid in children_of(psutil.Process().pid)
    process.wait()
