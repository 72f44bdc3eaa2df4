"""The folders that a program may write to are restored after it."""

import os

import pytest

from trl_rltf.execution.sandbox.scratch import ScratchFolders, empty_folders, remove_folders


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Two empty folders, one of them open to other users; the working directory is restored after the test."""
    monkeypatch.chdir(tmp_path)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir(mode=0o700)
    folders[1].chmod(0o777)
    return [str(folder) for folder in folders]


def write_file(path):
    with open(f"{path}/file", "w") as file:
        file.write("message")


def hide_files(path):
    os.makedirs(f"{path}/closed/inner")
    write_file(f"{path}/closed/inner")
    os.chmod(f"{path}/closed", 0)


def link_outside(path):
    os.symlink("/usr", f"{path}/link")


def become_link(path):
    os.rmdir(path)
    os.symlink("/usr/bin", path)


def become_file(path):
    os.rmdir(path)
    write_file(os.path.dirname(path))
    os.rename(f"{os.path.dirname(path)}/file", path)


def be_removed(path):
    os.rmdir(path)


def be_closed(path):
    os.chmod(path, 0o111)


CHANGES = [write_file, hide_files, link_outside, become_link, become_file, be_removed, be_closed]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("index", [0, 1])
def test_a_changed_folder_is_seen_and_restored(paths, change, index):
    folders = ScratchFolders(paths)
    assert folders.are_untouched()
    change(paths[index])
    assert not folders.are_untouched()
    assert folders.restore()
    assert folders.are_untouched()
    for path in paths:
        assert not os.path.islink(path)
        assert os.listdir(path) == []
    assert [os.stat(path).st_mode & 0o7777 for path in paths] == [0o700, 0o777]
    assert os.getcwd() == os.path.realpath(paths[0])
    assert os.path.exists("/usr/bin"), "the target of a link is gone"


def test_the_times_of_folders_and_devices_are_set_to_now(paths, tmp_path):
    device = tmp_path / "device"
    device.touch()
    folders = ScratchFolders(paths, [str(device)])
    for path in (*paths, device):
        os.utime(path, (1234, 1234))  # a message to the next program
    assert folders.restore()
    assert all(os.stat(path).st_mtime > 10_000 for path in (*paths, device))


def test_a_folder_that_cannot_be_made_again_retires_the_worker(paths, tmp_path):
    folders = ScratchFolders(paths)
    os.rmdir(paths[0])
    os.rename(tmp_path, tmp_path.with_name("moved"))
    try:
        assert not folders.are_untouched()
        assert not folders.restore()
    finally:
        os.rename(tmp_path.with_name("moved"), tmp_path)


def test_a_tree_of_any_depth_is_emptied(paths):
    os.chdir(paths[0])
    for _ in range(2000):  # the path of the last one has more bytes than the kernel takes
        os.mkdir("deep")
        os.chdir("deep")
    os.chdir(paths[0])
    assert empty_folders(paths)
    assert os.listdir(paths[0]) == []


def test_removing_leaves_out_links_and_missing_folders(paths, tmp_path):
    write_file(paths[1])
    link = tmp_path / "link"
    link.symlink_to(paths[1])
    remove_folders([paths[0], str(link), str(tmp_path / "missing")])
    assert not os.path.exists(paths[0])
    assert os.listdir(paths[1]) == ["file"]
    remove_folders([paths[1]])
    assert not os.path.exists(paths[1])
