"""Read the rows of a dataset from a file, a folder or the Hub."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from huggingface_hub import hf_hub_download

from .problems import parse_json
from .rows import BadRow, Row


_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
_MARKS_OF_A_SAVED_DATASET = ("state.json", "dataset_dict.json")


def read_rows(
    path: str | Path, *, split: str, subset: str | None = None, files: Sequence[str] | None = None
) -> Iterator[Row | BadRow]:
    """
    Read the rows of a dataset, one after the other.

    Args:
        path (`str` or `Path`): A file (`.jsonl`, `.json`, either with `.gz`, or `.parquet`), a folder with such files or from
            `Dataset.save_to_disk`, or the id of a dataset on the Hub. A file has only one split, so `split` does not matter.
        split (`str`): Split to read. In a folder, the files whose names begin with it.
        subset (`str`, *optional*): Configuration of the dataset: on the Hub its name, in a folder a folder of that name.
        files (`Sequence[str]`, *optional*): Names of the files to read, for a dataset that comes with a loading script.

    Yields:
        [`~data.rows.Row`]: The next row, or a [`~data.rows.BadRow`] for a line that is not a row.

    Raises:
        FileNotFoundError: If there is no such file, folder or dataset.
        ValueError: If a file is damaged. The message names the file.
    """
    for number, (where, content) in enumerate(_find_rows(path, split, subset, files)):
        if isinstance(content, ValueError):
            yield BadRow("", str(content))
        elif not isinstance(content, dict):
            found = (
                f"this is of type {type(content).__name__}, but a row must be a JSON object with one value per column"
            )
            yield BadRow("", f"{where}: {found}. Repair or remove it.")
        else:
            yield Row(where, content, number)


# Where a row is, and its content: a mapping, or the error of a line.
_Rows = Iterator[tuple[str, Any]]


def _find_rows(path: str | Path, split: str, subset: str | None, files: Sequence[str] | None) -> _Rows:
    local = Path(path).expanduser()
    if local.is_file():
        return _rows_of_file(local)
    if local.is_dir():
        return _rows_of_folder(local, split, subset, files)
    if looks_like_a_path(str(path)):
        raise FileNotFoundError(
            f"there is no file or folder {str(local)!r}. Give a file ({', '.join(_SUFFIXES)}), a folder with such files, or "
            "the id of a dataset on the Hub."
        )
    return _rows_of_hub(str(path), split, subset, files)


def looks_like_a_path(path: str) -> bool:
    """Whether a name that is neither a file nor a folder was meant to be one."""
    return path.startswith((".", "/", "~")) or path.endswith(_SUFFIXES) or path.count("/") != 1


def is_saved_dataset(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return any((folder / name).is_file() for name in _MARKS_OF_A_SAVED_DATASET)


def _rows_of_folder(folder: Path, split: str, subset: str | None, files: Sequence[str] | None) -> _Rows:
    if is_saved_dataset(folder):
        saved = load_from_disk(str(folder))
        if isinstance(saved, DatasetDict):
            if split not in saved:
                raise FileNotFoundError(f"{str(folder)!r} has the splits {', '.join(saved)}, but not {split!r}.")
            saved = saved[split]
        return _rows_of_dataset(saved, str(folder))
    if files is not None:
        missing = [name for name in files if not (folder / name).is_file()]
        if missing:
            raise FileNotFoundError(f"{str(folder)!r} lacks {', '.join(missing)}. Download all of {', '.join(files)}.")
        return (row for name in files for row in _rows_of_file(folder / name))
    found = _files_of_split(folder, split, subset)
    if not found:
        inside = "" if subset is None else f" or of its folder {subset!r}"
        raise FileNotFoundError(
            f"{str(folder)!r} has no file of split {split!r}{inside}. Expected names such as `{split}.jsonl` or "
            f"`{split}-00000-of-00001.parquet`; give the file itself if it has another name."
        )
    return (row for file in found for row in _rows_of_file(file))


def _files_of_split(folder: Path, split: str, subset: str | None) -> list[Path]:
    """
    Files of a split.

    They are in the first of the folders that a snapshot of the Hub may have them in.
    """
    for place in [*([folder / subset] if subset is not None else []), folder / "data", folder]:
        found = [
            file
            for file in sorted(place.glob(f"{split}*"))
            if file.name.endswith(_SUFFIXES) and not file.name[len(split)].isalnum()
        ]
        if found:
            return found
    return []


def _rows_of_hub(name: str, split: str, subset: str | None, files: Sequence[str] | None) -> _Rows:
    try:
        if files is None:
            return _rows_of_dataset(load_dataset(name, subset, split=split), f"{name}, split {split!r}")
        downloaded = [hf_hub_download(name, file, repo_type="dataset") for file in files]
    except (OSError, ValueError, RuntimeError) as error:
        # Of several lines, the last one names the cause for some errors and the first one for others.
        cause = " ".join(str(error).split())[:300]
        raise FileNotFoundError(
            f"{name!r} is neither a file or folder here nor a dataset that could be read from the Hub with subset "
            f"{subset!r} and split {split!r} ({type(error).__name__}: {cause}). Check the name, the subset, the split and the "
            "connection, or download the files and give their folder."
        ) from error
    return (row for file in downloaded for row in _rows_of_file(Path(file)))


def _rows_of_dataset(dataset: Dataset, where: str) -> _Rows:
    return ((f"{where}, row {index}", row) for index, row in enumerate(dataset))


def _rows_of_file(file: Path) -> _Rows:
    if file.name.endswith(".parquet"):
        return _rows_of_parquet(file)
    return _rows_of_json(file)


def _rows_of_parquet(file: Path) -> _Rows:
    index = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=64):
            for row in batch.to_pylist():
                yield f"{file}, row {index}", row
                index += 1
    except pa.ArrowException as error:
        raise ValueError(f"{file}: not a valid Parquet file ({error}). Download it again.") from error


def _rows_of_json(file: Path) -> _Rows:
    try:
        with _open(file) as stream:
            if _first_character(stream) == b"[":
                items = parse_json(_decode(stream.read(), str(file)), str(file))
                yield from ((f"{file}, item {index}", item) for index, item in enumerate(items))
                return
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    where = f"{file}, line {number}"
                    yield where, _content(line, where)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{file}: not a whole gzip file ({error}). Download it again.") from error


def _content(line: bytes, where: str) -> Any:
    """Content of a line, or the error of a line that is not JSON."""
    try:
        return parse_json(_decode(line, where), where)
    except ValueError as error:
        return error


def _open(file: Path) -> IO[bytes]:
    return gzip.open(file) if file.name.endswith(".gz") else file.open("rb")  # type: ignore[return-value]


def _first_character(stream: IO[bytes]) -> bytes:
    """
    The first character that is not white space or a byte order mark.

    The stream starts again after that mark.
    """
    start = 3 if stream.read(3) == b"\xef\xbb\xbf" else 0
    stream.seek(start)
    while (character := stream.read(1)).isspace():
        pass
    stream.seek(start)
    return character


def _decode(text: bytes, where: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: the text is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8."
        ) from error
