"""A local file of addresses → its rows, one at a time: the file may be larger than the memory."""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING, TextIO

from harvest.errors import Unavailable
from harvest.providers import parsing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    Row = dict[str, object]

_LONGEST = 2**17  # characters of a line; csv takes no longer cell either
_BATCH = 1024  # rows of a Parquet file at a time


def read_rows(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a file by our names of its columns; what is odd is left out, a bad file raises.

    `named` gives our name for a column's, the column we would rather have first. Case and punctuation of a
    column do not matter: "Image URL" is "imageurl". One of ours is `url`, and has to be there.
    """
    read = _READERS.get(path.suffix.casefold())
    if read is None:
        raise Unavailable(
            f"{path} is no file of addresses that we can read.", f"Its name ends in {', '.join(_READERS)}."
        )
    try:
        yield from read(path, named)
    except FileNotFoundError:
        raise Unavailable(f"There is no file {path}.", "Paths start at the folder you are in.") from None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None


def _text(path: Path, named: Mapping[str, str]) -> Iterator[Row]:  # noqa: ARG001 - it has no columns
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
            except csv.Error:  # a quote that swallowed more than a cell can be
                continue
            yield _row(zip(names, row, strict=False), named)


def _json_lines(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    with _open_text(path) as file:
        for line in _lines(file):
            yield _row(((_plain(name), cell) for name, cell in parsing.parse_json_object(line).items()), named)


def _parquet(path: Path, named: Mapping[str, str]) -> Iterator[Row]:
    try:
        import pyarrow  # noqa: ICN001, PLC0415 - an extra brings it
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise Unavailable(f"{path} needs pyarrow, which is not installed.", "pip install pyarrow") from None
    try:
        with parquet.ParquetFile(path, buffer_size=2**20) as file:  # with a buffer it streams its columns
            names = {name: _plain(name) for name in file.schema_arrow.names}
            _check(path, names.values(), named)
            wanted = [name for name, plain in names.items() if plain in named]
            for batch in file.iter_batches(_BATCH, columns=wanted):
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
        raise Unavailable(f"{path} has no column of addresses; it has: {shown}", "Name that column 'url'.")


def _row(cells: Iterable[tuple[str, object]], named: Mapping[str, str]) -> Row:
    """Return the cells that have something by our names, the best where several columns mean the same."""
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
    """Yield the lines of a file; those that are too long to be one are left out, never held in memory."""
    whole = True
    while line := file.readline(_LONGEST):
        begun, whole = whole, line.endswith(("\n", "\r")) or len(line) < _LONGEST
        if begun and whole:
            yield line
