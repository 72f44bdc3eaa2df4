"""A program may have a limited number of files, and all of them are removed, including hostile ones."""

import os
import tracemalloc

import pytest
from programs import source
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.sandbox import scratch


@pytest.mark.parametrize("name", ["makes_many_files", "makes_many_folders"])
def test_a_program_with_too_many_files_is_stopped_and_judged(any_runner, name):
    with LocalRunner(num_workers=1, timeout=10.0, isolation=any_runner.sandbox.name, memory_limit=2**27) as local:
        bad, good = local.run([Program(source("probes", name), SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
    # Where its file system bounds them, the program itself gets the error.
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


def test_a_missing_folder_has_no_files(tmp_path):
    assert not scratch.has_too_many_files([str(tmp_path / "gone")])


def test_emptying_takes_the_same_memory_for_any_number_of_files(tmp_path):
    peaks = []
    for number in (200, 2_000):
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
def test_a_program_that_replaces_its_folder_changes_neither_files_of_others_nor_its_verdict(
    makes, tmp_path_factory, scratch_root
):
    target = tmp_path_factory.mktemp("target")
    (target / "kept").touch()
    with LocalRunner(num_workers=1, isolation="process") as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        (folder,) = map(str, scratch_root.iterdir())
        replaces = makes.format(folder=folder, target=str(target))
        bad = Program(f"import os\nos.rmdir({folder!r})\n{replaces}\n{SUM_PROGRAM}", SUM_TESTS)
        good = Program("open('x', 'w').close()\n" + SUM_PROGRAM, SUM_TESTS)
        reports = local.run([bad, good])
    assert reports[0].outcome is not Outcome.NOT_GRADABLE
    assert reports[1].outcome is Outcome.PASS
    assert list(target.iterdir()) == [target / "kept"]
