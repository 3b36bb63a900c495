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
    SkipLine = Callable[[int], None]

_LONGEST = 2**17  # characters of a line; also the limit of a cell in csv
_BATCH = 1024  # rows of a Parquet file at a time


def read_rows(path: Path, named: Mapping[str, str], skip: SkipLine) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file, with their numbers and their columns renamed; raise for an invalid file.

    The number of a row is that of its last line, in a Parquet file that of the row. `skip` is called with the number
    of each line that cannot be read. Blank lines, and comments of a text file, are neither.

    `named` maps the file's column names to ours, the preferred one first. Case and punctuation of a column name
    do not matter: "Image URL" is "imageurl". A column for `url` is required.
    """
    read_file = _READERS.get(path.suffix.casefold())
    if read_file is None:
        raise Unavailable(f"{path} is not a supported file of URLs.", f"Supported file types: {', '.join(_READERS)}.")
    try:
        yield from read_file(path, named, skip)
    except FileNotFoundError:
        raise Unavailable(f"There is no file {path}.", "Paths are relative to the current folder.") from None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None


def _text(path: Path, named: Mapping[str, str], skip: SkipLine) -> Iterator[tuple[int, Row]]:  # noqa: ARG001
    with _open_text(path) as file:
        for number, line in _Lines(file, skip).enumerate_filled():
            if not line.lstrip().startswith("#"):
                yield number, {"url": line}


def _read_delimited(path: Path, named: Mapping[str, str], skip: SkipLine) -> Iterator[tuple[int, Row]]:
    with _open_text(path) as file:
        lines = _Lines(file, skip)
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
                skip(lines.number)
                continue
            if any(row):
                yield lines.number, _row(zip(names, row, strict=False), named)


def _json_lines(path: Path, named: Mapping[str, str], skip: SkipLine) -> Iterator[tuple[int, Row]]:
    with _open_text(path) as file:
        for number, line in _Lines(file, skip).enumerate_filled():
            cells = answer_values.parse_json_object(line).items()
            yield number, _row(((_plain(name), cell) for name, cell in cells), named)


def _parquet(path: Path, named: Mapping[str, str], skip: SkipLine) -> Iterator[tuple[int, Row]]:  # noqa: ARG001
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
            batches = file.iter_batches(_BATCH, columns=columns)
            rows = (row for batch in batches for row in batch.to_pylist())
            for number, row in enumerate(rows, start=1):
                yield number, _row(((names[name], cell) for name, cell in row.items()), named)
    except pyarrow.ArrowException as error:
        raise ValueError(error) from error


_READERS: dict[str, Callable[[Path, Mapping[str, str], SkipLine], Iterator[tuple[int, Row]]]] = {
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


class _Lines:
    """The lines of a file, without those over the limit, which are skipped without holding them in memory."""

    def __init__(self, file: TextIO, skip: SkipLine) -> None:
        self.number = 0  # of the last line
        self._file = file
        self._skip = skip

    def __iter__(self) -> Iterator[str]:
        whole = True
        while line := self._file.readline(_LONGEST):
            begun, whole = whole, line.endswith(("\n", "\r")) or len(line) < _LONGEST
            self.number += begun
            if begun and whole:
                yield line
            elif begun:
                self._skip(self.number)

    def enumerate_filled(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that are not blank, with their numbers."""
        for line in self:
            if line.strip():
                yield self.number, line
