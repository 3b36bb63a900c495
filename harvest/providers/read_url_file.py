"""Read a local file of URLs row by row; the file may be larger than memory."""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING, TextIO

from harvest.errors import Unavailable
from harvest.providers import answer_values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    Row = dict[str, object]

_LONGEST = 2**17  # characters of a line; also the limit of a cell in csv
_BATCH = 1024  # rows of a Parquet file at a time


def read_rows(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a file, with its columns renamed. Skip invalid rows; raise for an invalid file.

    `named` maps the file's column names to ours, the preferred one first. Case and punctuation of a column name
    do not matter: "Image URL" is "imageurl". A column for `url` is required.
    """
    read_file = _READERS.get(path.suffix.casefold())
    if read_file is None:
        raise Unavailable(f"{path} is not a supported file of URLs.", f"Supported file types: {', '.join(_READERS)}.")
    try:
        yield from read_file(path, named)
    except FileNotFoundError:
        raise Unavailable(f"There is no file {path}.", "Paths are relative to the current folder.") from None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None


def _text(path: Path, named: Mapping[str, str]) -> Iterator[Row]:  # noqa: ARG001 - a text file has no columns
    with _open_text(path) as file:
        for line in _lines(file):
            yield {"url": line}


def _read_delimited(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    with _open_text(path) as file:
        lines = _lines(file)
        header = next((line for line in lines if line.strip()), "")
        separator = max(",;\t", key=header.count)
        names = [_plain(name) for name in next(csv.reader([header], delimiter=separator), [])]
        _check(path, names, named)
        cells = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        while True:
            try:
                row = next(cells)
            except StopIteration:
                return
            except csv.Error:  # an unclosed quote makes a cell longer than the limit
                continue
            yield _row(zip(names, row, strict=False), named)


def _json_lines(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    with _open_text(path) as file:
        for line in _lines(file):
            yield _row(((_plain(name), cell) for name, cell in answer_values.parse_json_object(line).items()), named)


def _parquet(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    try:
        import pyarrow  # noqa: ICN001, PLC0415 - an optional dependency
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise Unavailable(f"{path} needs pyarrow, which is not installed.", "pip install pyarrow") from None
    try:
        with parquet.ParquetFile(path, buffer_size=2**20) as file:  # with a buffer, columns are streamed
            names = {name: _plain(name) for name in file.schema_arrow.names}
            _check(path, names.values(), named)
            columns = [name for name, plain in names.items() if plain in named]
            for batch in file.iter_batches(_BATCH, columns=columns):
                for row in batch.to_pylist():
                    yield _row(((names[name], cell) for name, cell in row.items()), named)
    except pyarrow.ArrowException as error:
        raise ValueError(error) from error


_READERS: dict[str, Callable[[Path, Mapping[str, str]], Iterator[Row]]] = {
    ".txt": _text,
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}


def _check(path: Path, columns: Collection[str], named: Mapping[str, str]) -> None:
    if "url" not in map(named.get, columns):
        shown = ", ".join(columns)[:100]
        raise Unavailable(f"{path} has no URL column. Its columns: {shown}", "Name the column with the URLs 'url'.")


def _row(cells: Iterable[tuple[str, object]], named: Mapping[str, str]) -> Row:
    """Return the non-empty cells by our names; where several columns mean the same, the preferred one."""
    filled = {name: cell for name, cell in cells if cell not in (None, "")}
    row: Row = {}
    for name, ours in named.items():
        if name in filled:
            row.setdefault(ours, filled[name])
    return row


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _open_text(path: Path) -> TextIO:
    with path.open("rb") as file:
        wide = file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    return path.open(encoding="utf-16" if wide else "utf-8-sig", errors="replace", newline="")


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file; skip those over the limit without holding them in memory."""
    whole = True
    while line := file.readline(_LONGEST):
        begun, whole = whole, line.endswith(("\n", "\r")) or len(line) < _LONGEST
        if begun and whole:
            yield line
