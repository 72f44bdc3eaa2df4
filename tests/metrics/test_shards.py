"""The folder of a run: the shards of each process, files after a kill, and recorded settings."""

import signal

import pytest

from trl_rltf.metrics import ShardedRun, shards


KILLED_WHILE_WRITING = """
import os, runpy, signal, sys

def rows():
    yield {"sample": 0}
    os.kill(os.getpid(), signal.SIGKILL)

# The module alone: the package would import torch first.
runpy.run_path(sys.argv[1])["ShardedRun"](sys.argv[2], 2).write(0, rows())
"""


def test_each_shard_belongs_to_one_process(tmp_path):
    for world_size in (1, 2, 3):
        runs = [ShardedRun(tmp_path, 7, rank=rank, world_size=world_size) for rank in range(world_size)]
        assert sorted(index for run in runs for index in run.pending()) == list(range(7))


def test_another_number_of_processes_writes_the_missing_shards(tmp_path):
    alone = ShardedRun(tmp_path, 5)
    for index in (0, 3):
        alone.write(index, [{"shard": index}])
    runs = [ShardedRun(tmp_path, 5, rank=rank, world_size=2) for rank in range(2)]
    assert [run.pending() for run in runs] == [[2, 4], [1]]
    for run in runs:
        for index in run.pending():
            run.write(index, [{"shard": index}])
    runs[0].merge()
    assert [row["shard"] for row in runs[0].rows()] == [0, 1, 2, 3, 4]
    assert ShardedRun(tmp_path, 5).pending() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["samples.jsonl", "shards"]


def test_a_shard_whose_writer_was_killed_is_missing(tmp_path, run_script):
    killed = run_script(KILLED_WHILE_WRITING, shards.__file__, tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    run = ShardedRun(tmp_path, 2)
    assert list((tmp_path / "shards").iterdir())  # the half that was written
    assert run.pending() == [0, 1]
    run.write(0, [{"sample": 0}])
    run.write(1, [])
    run.merge()
    assert list(run.rows()) == [{"sample": 0}]


def test_a_run_is_resumed_with_the_same_settings_only(tmp_path):
    run = ShardedRun(tmp_path, 2)
    run.record_or_check("settings", {"temperature": 7, "stop": ("a",)})
    run.record_or_check("settings", {"temperature": 0.6, "stop": ("a",)})  # nothing was sampled yet
    run.write(0, [])
    run.record_or_check("settings", {"temperature": 0.6, "stop": ["a"]})
    with pytest.raises(
        ValueError, match=r"other settings: `temperature` was 0.6 and is 1.0; `seed` was None and is 3"
    ):
        run.record_or_check("settings", {"temperature": 1.0, "stop": ["a"], "seed": 3})


def test_a_file_is_not_a_folder_for_a_run(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        ShardedRun(tmp_path / "file", 1)


def test_damaged_samples_are_named(tmp_path):
    run = ShardedRun(tmp_path, 1)
    run.write(0, [{"sample": 0}])
    run.merge()
    run.samples.write_text('{"sample": 0}\n{"sam')
    with pytest.raises(ValueError, match=r"samples.jsonl, line 2: not valid JSON"):
        list(run.rows())
