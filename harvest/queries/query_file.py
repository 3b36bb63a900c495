"""CSV → queries. The whole file is checked before anything else happens, and a complaint names its line.

Two forms, told apart by the header. `searchterm,exclude` is FastClass's: a row is split at its last
separator, quotes are literal search syntax, and the search makes the folder's name. The wide form is strict
CSV with the folder's name in `class`. In both a cell ends on its line: an unclosed quote swallows nothing.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import QueryFileError
from harvest.files.names import check_component, fold_name
from harvest.licences import LicenceFilter
from harvest.models import Filters, Query
from harvest.queries.query_syntax import derive_class_name, has_unclosed_phrase
from harvest.queries.text_file import read_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Sequence

_COLUMNS = ("class", "query", "exclude", "max", "providers", "license")
_EXPECTED = (
    "The first line is 'searchterm,exclude', or 'class,query' with any of exclude, max, providers, license; "
    "';' or a tab will do for ','."
)
_SEPARATORS = ",;\t"
_BLANK = f" {_SEPARATORS}"  # a spreadsheet writes an empty row as bare separators
_SHOWN = 60  # characters of a text that a message quotes


@dataclass(frozen=True, slots=True)
class _Row:
    """One row understood: its query, its class as the file spells it, and what is odd about it."""

    query: Query
    spelling: str
    oddity: str = ""


def read_queries(
    path: str | os.PathLike[str],
    *,
    providers: Collection[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Query]:
    """Return the queries of a file in its order; a `QueryFileError` names the first line that is wrong.

    `providers` are the names its `providers` column may hold; `warn` is told what is odd but harmless.
    """
    path = Path(path)
    lines = ((number, line) for number, line in read_lines(path) if line.strip(_BLANK))
    number, header = next(lines, (0, ""))
    if not header:
        raise QueryFileError(path, None, "the file is empty", _EXPECTED)
    say = partial(_warn, path, warn)
    try:
        read = _row_reader(header, providers, partial(say, number))
        spellings: dict[str, tuple[str, int]] = {}
        asked: dict[Query, int] = {}
        odd: set[str] = set()
        for number, line in lines:
            row = read(line)
            _same_spelling_error(row.spelling, *spellings.setdefault(fold_name(row.spelling), (row.spelling, number)))
            if row.oddity and row.oddity not in odd:
                odd.add(row.oddity)
                say(number, row.oddity)
            first = asked.setdefault(row.query, number)
            if first != number:
                say(number, f"the same as line {first}, so it is asked once")
    except ValueError as fault:  # raised with its message and hint by whoever reads a row
        raise QueryFileError(path, number, *fault.args) from None
    if not asked:
        raise QueryFileError(path, None, "there is a header and no query below it", _EXPECTED)
    return [replace(query, line=line) for query, line in asked.items()]


def _warn(path: Path, warn: Callable[[str], None] | None, number: int, message: str) -> None:
    if warn:
        warn(f"{path} line {number}: {message}")


def _same_spelling_error(spelling: str, first: str, line: int) -> None:
    if spelling != first:
        raise ValueError(
            f"class {_shorten(spelling)} differs from {_shorten(first)} of line {line} only in case or in how an "
            "accent is encoded; on many disks they are one folder",
            "Spell both alike: rows of one class are several queries for it.",
        )


def _row_reader(header: str, providers: Collection[str] | None, say: Callable[[str], None]) -> Callable[[str], _Row]:
    """Return what reads the rows below this header."""
    separator = max(_SEPARATORS, key=header.count)
    names = [name.strip().casefold() for name in header.rstrip(_BLANK).split(separator)]
    if names in (["searchterm"], ["searchterm", "exclude"]):
        return partial(_fastclass, separator)
    columns = [name.strip().casefold().replace("licence", "license") for name in _cells(header, separator)]
    if missing := [name for name in ("class", "query") if name not in columns]:
        raise ValueError(f"the header is {_shorten(header)}, without {' and '.join(missing)}", _EXPECTED)
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise ValueError(f"the column {_shorten(name)} stands there twice")
        if name not in _COLUMNS:
            say(f"the column {_shorten(name)} is not known and not read.{_suggest(name, _COLUMNS)}")
    known = None if providers is None else frozenset(name.upper() for name in providers) | {"ALL"}
    return partial(_wide, separator, columns, known)


def _fastclass(separator: str, line: str) -> _Row:
    text, found, exclude = line.rpartition(separator)
    if not found:
        text, exclude = line, ""
    text = text.strip()
    if has_unclosed_phrase(text) or has_unclosed_phrase(exclude):
        raise ValueError(
            "a quote is not closed",
            f"Quotes are search syntax here, and a row is split at its last {separator!r}; end it with one.",
        )
    if not text:
        raise ValueError("there is nothing to search for")
    try:
        name = derive_class_name(text, exclude)
    except ValueError as reason:
        raise ValueError(
            f"{_shorten(text)} makes no folder name: {reason}",
            "Name the folder yourself: with the header 'class,query' there is a column for it.",
        ) from None
    doubled = '""' in text and "quotes are search syntax here and stay as they are, doubled ones too"
    return _Row(Query(text, name), name, doubled or "")


def _wide(separator: str, columns: Sequence[str], known: frozenset[str] | None, line: str) -> _Row:
    cells = _cells(line, separator)
    if any(cells[len(columns) :]):
        raise ValueError(
            f"{len(cells)} cells under {len(columns)} columns",
            f"A cell that holds {separator!r} needs quotes around it.",
        )
    row = {column: cells[i] if i < len(cells) else "" for i, column in enumerate(columns)}
    spelling, text = row["class"], row["query"].strip()
    try:
        name = check_component(spelling)
    except ValueError as reason:
        raise ValueError(
            f"class {_shorten(spelling)} cannot be a folder: {reason}",
            "It has to be one folder's name on every system: letters, digits, '_' and '-' are.",
        ) from None
    if not text:
        raise ValueError(f"class {_shorten(name)} has no query")
    query = Query(
        text,
        name,
        limit=_limit(row.get("max", "").strip()),
        providers=_providers(row.get("providers", ""), known),
        filters=_filters(row.get("license", "").strip()),
    )
    unused = row.get("exclude") and "exclude changes nothing here, since the class is given; -word in the query does"
    return _Row(query, spelling, unused or "")


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        raise ValueError(
            "a quote is not closed, or text follows the closing one",
            'In a quoted cell a quote is written twice: """Flying V"" guitar".',
        ) from None


def _limit(cell: str) -> int | None:
    if cell and not re.fullmatch(r"[1-9][0-9]{0,7}", cell):
        raise ValueError(f"max is {_shorten(cell)}; a whole number from 1 up is wanted")
    return int(cell) if cell else None


@lru_cache  # the same few cells on every row: 100,000 rows share them
def _providers(cell: str, known: frozenset[str] | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(re.findall(r"[^\s,;|+]+", cell.upper())))
    for name in names:
        if known is not None and name not in known:
            raise ValueError(
                f"no provider {_shorten(name)}.{_suggest(name, known)}",
                f"There are {', '.join(sorted(known))}.",
            )
    return () if "ALL" in names else names


@lru_cache
def _filters(cell: str) -> Filters:
    try:
        return Filters(LicenceFilter(cell.casefold() or "any"))
    except ValueError:
        raise ValueError(
            f"no license filter {_shorten(cell)}.{_suggest(cell, LicenceFilter)}",
            f"There are {', '.join(LicenceFilter)}.",
        ) from None


def _suggest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _shorten(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
