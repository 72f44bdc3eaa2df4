"""Keep the samples of a long evaluation in shards on disk, to resume a killed run."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


logger = logging.getLogger(__name__)


class ShardedRun:
    """
    A folder with one file per shard, each written whole or not at all.

    At the end the shards are merged into `samples.jsonl`. Several processes may work in one folder: shard `i` belongs to
    process `i % world_size`, so that the processes need no connection to each other. A run may be resumed by another number of
    processes.

    Args:
        folder (`str` or `Path`): Folder of the run; created if it does not exist.
        num_shards (`int`): Number of shards.
        rank (`int`, *optional*, defaults to `0`): Number of this process.
        world_size (`int`, *optional*, defaults to `1`): Number of processes.
    """

    def __init__(self, folder: str | Path, num_shards: int, *, rank: int = 0, world_size: int = 1):
        self.folder = Path(folder).expanduser()
        self.num_shards = num_shards
        self.rank = rank
        self.world_size = world_size
        self.samples = self.folder / "samples.jsonl"
        self._shards = self.folder / "shards"
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(
                f"{str(self.folder)!r} is a file, but must be a folder for the samples. Give another name."
            )
        self._shards.mkdir(parents=True, exist_ok=True)

    def record_or_check(self, name: str, values: Mapping[str, Any]) -> None:
        """
        Record values that the run depends on, or check them against the recorded ones.

        Values are recorded until there are samples, and checked after that.

        Args:
            name (`str`): Name of the group of values; the file is `<name>.json`.
            values (`Mapping[str, Any]`): Values that JSON can hold.

        Raises:
            ValueError: If the run in this folder started with other values. The message names them.
        """
        path = self.folder / f"{name}.json"
        mine = json.loads(json.dumps(values))
        if not path.exists() or not self._has_begun():
            write_whole(path, [json.dumps(mine, indent=2), "\n"])
            return
        theirs = json.loads(path.read_text(encoding="utf-8"))
        changes = [
            f"`{key}` was {theirs.get(key)!r} and is {mine.get(key)!r}"
            for key in [*theirs, *(key for key in mine if key not in theirs)]
            if theirs.get(key) != mine.get(key)
        ]
        if changes:
            raise ValueError(
                f"{str(self.folder)!r} holds a run that started with other {name}: {'; '.join(changes)}. Use the same {name} "
                "to resume it, or another folder to start again."
            )

    def pending(self) -> list[int]:
        """Shards of this process that are missing."""
        return [index for index in range(self.rank, self.num_shards, self.world_size) if not self._is_done(index)]

    def write(self, index: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """
        Write a shard.

        Args:
            index (`int`): Number of the shard.
            rows (`Iterable[Mapping]`): Its samples.
        """
        write_whole(self._path(index), (json.dumps(row) + "\n" for row in rows))

    def merge(self, poll_seconds: float = 1.0) -> None:
        """
        Wait for the shards of all processes and merge them into one file.

        Args:
            poll_seconds (`float`, *optional*, defaults to `1.0`): Seconds between two checks of the folder.
        """
        while not all(self._is_done(index) for index in range(self.num_shards)):
            time.sleep(poll_seconds)
        if not self.samples.exists():
            write_whole(
                self.samples, (json.dumps(row) + "\n" for i in range(self.num_shards) for row in self._read(i))
            )
        shutil.rmtree(self._shards, ignore_errors=True)

    def check(self, num_rows: Sequence[int]) -> None:
        """
        Delete damaged shards of this process, so that they are sampled again.

        Args:
            num_rows (`Sequence[int]`): Number of samples of each shard.
        """
        for index in range(self.rank, self.num_shards, self.world_size):
            path = self._path(index)
            if not path.exists():
                continue
            try:
                is_whole = len(list(self._read(index))) == num_rows[index]
            except ValueError:
                is_whole = False
            if not is_whole:
                logger.warning("%s is damaged. Its samples are drawn again.", path)
                path.unlink()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Samples of a complete run, in the order of the shards."""
        return read_samples(self.samples)

    def _read(self, index: int) -> Iterator[dict[str, Any]]:
        with open(self._path(index), encoding="utf-8", errors="replace") as file:
            for line in file:
                yield json.loads(line)

    def _has_begun(self) -> bool:
        return self.samples.exists() or any(self._shards.glob("[0-9]*.jsonl"))

    def _is_done(self, index: int) -> bool:
        # In this order: the first process writes the samples before it deletes the shards.
        return self._path(index).exists() or self.samples.exists()

    def _path(self, index: int) -> Path:
        return self._shards / f"{index:06d}.jsonl"


def read_samples(path: Path) -> Iterator[dict[str, Any]]:
    """
    Read the samples of a complete run.

    Args:
        path (`Path`): Its `samples.jsonl`.

    Raises:
        ValueError: If a line is not JSON.
    """
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number}: not valid JSON ({error}). The file was changed after the run; start the run again "
                    "in another folder."
                ) from error


def write_whole(path: Path, lines: Iterable[str]) -> None:
    """
    Write a file whole or not at all, even if the process is killed.

    Args:
        path (`Path`): File to write.
        lines (`Iterable[str]`): Its text.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
