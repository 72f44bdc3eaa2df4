"""The files of a program: how many there may be, and how they are removed whatever they are."""

import os
import tracemalloc

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.sandbox import scratch


MANY_FILES = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        break
number, end = 0, time.time() + 20
while time.time() < end:
    os.mknod(f'{os.getpid()}-{number}')
    number += 1
"""
MANY_FOLDERS = """
import os
for number in range(100_000):
    os.mkdir('d')
    os.chdir('d' if number % 100 else '/proc/self/cwd/d')
    os.mkdir('closed', 0o300)
    for other in range(100):
        os.symlink('x', f'closed/{other}')
"""


@pytest.mark.parametrize("source", [MANY_FILES, MANY_FOLDERS])
def test_a_program_with_too_many_files_is_stopped_and_judged(any_runner, source):
    with LocalRunner(num_workers=1, timeout=10.0, isolation=any_runner.sandbox.name, memory_limit=2**27) as local:
        bad, good = local.run([Program(source, SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
    # Where its file system bounds them, the program gets the error itself.
    assert (bad.outcome, bad.num_passed) == (Outcome.RUNTIME_ERROR, 0)
    assert bad.error_type in ("FileLimitExceeded", "OSError"), bad
    assert bad.cpu_seconds < 10, "it ran out of time instead"
    assert good.outcome is Outcome.PASS


def test_files_folders_and_links_count_also_where_they_cannot_be_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "MAX_FILES_ON_DISK", 6)
    closed = tmp_path / "a" / "closed"
    closed.mkdir(parents=True)
    for number in range(3):
        (closed / f"f{number}").touch()
    (tmp_path / "link").symlink_to("/usr")
    closed.chmod(0o300)
    assert not scratch.has_too_many_files([str(tmp_path)])  # a, closed, three files and a link: six
    (tmp_path / "seventh").touch()
    assert scratch.has_too_many_files([str(tmp_path)])


def test_folders_too_deep_to_look_into_count_as_too_many(tmp_path):
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(20):
            os.mkdir("ü" * 120)
            os.chdir("ü" * 120)
    finally:
        os.chdir(here)
    assert scratch.has_too_many_files([str(tmp_path)])
    scratch.empty_folders([str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_has_no_files(tmp_path):
    assert not scratch.has_too_many_files([str(tmp_path / "gone")])


def test_emptying_takes_the_same_memory_however_many_files_there_are(tmp_path):
    peaks = []
    for number in (1_000, 20_000):
        for index in range(number):
            os.mknod(tmp_path / f"{index}-{'x' * 100}")
        for index in range(number // 20):
            os.makedirs(tmp_path / f"folder-{index}" / "inner")
        tracemalloc.start()
        scratch.empty_folders([str(tmp_path)])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert list(tmp_path.iterdir()) == []
    assert peaks[1] < 2 * peaks[0] + 10_000


@pytest.mark.parametrize("makes", ["open({folder!r}, 'w').close()", "os.symlink({target!r}, {folder!r})", "pass"])
def test_a_program_that_replaces_its_folder_harms_neither_others_nor_its_own_verdict(makes, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "kept").touch()
    with LocalRunner(num_workers=1, isolation="process") as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        folder = local._pool.workers[0]._scratch
        replaces = makes.format(folder=folder, target=str(target))
        bad = Program(f"import os\nos.rmdir({folder!r})\n{replaces}\n{SUM_PROGRAM}", SUM_TESTS)
        good = Program("open('x', 'w').close()\n" + SUM_PROGRAM, SUM_TESTS)
        reports = local.run([bad, good])
    assert reports[0].outcome is not Outcome.NOT_GRADABLE
    assert reports[1].outcome is Outcome.PASS
    assert list(target.iterdir()) == [target / "kept"]
