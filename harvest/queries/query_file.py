"""Read queries from a CSV file. The whole file is checked first, and an error names the line.

The header decides between two forms. `searchterm,exclude` is FastClass's: a row is split at its last separator,
quotes are literal search syntax, and the folder name is derived from the search term. The wide form is strict CSV
with the folder name in `class`. In both forms a cell ends on its line, so an unclosed quote affects no other line.
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
from harvest.files.check_names_and_cells import check_component, fold_name
from harvest.licences import LicenceFilter
from harvest.models import Filters, Query
from harvest.queries.names_taken_for_splits import find_split_word
from harvest.queries.negative_terms_and_phrases import derive_class_name, has_unclosed_phrase
from harvest.queries.text_file import read_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Sequence

_COLUMNS = ("class", "query", "exclude", "max", "providers", "license")
_EXPECTED = (
    "The first line is 'searchterm,exclude', or 'class,query' with any of exclude, max, providers, license; "
    "';' or a tab can replace ','."
)
_SEPARATORS = ",;\t"
_BLANK = f" {_SEPARATORS}"  # a spreadsheet writes an empty row as bare separators
_SHOWN = 60  # characters of a text that a message quotes


@dataclass(frozen=True, slots=True)
class _Row:
    """One parsed row: its query, its class as spelled in the file, and a warning."""

    query: Query
    spelling: str
    warning: str = ""


def read_queries(
    path: str | os.PathLike[str],
    *,
    providers: Collection[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Query]:
    """Return the queries of a file in its order; a `QueryFileError` names the first invalid line.

    `providers` are the names allowed in the `providers` column. `warn` is called with each warning.
    """
    path = Path(path)
    lines = ((number, line) for number, line in read_lines(path) if line.strip(_BLANK))
    number, header = next(lines, (0, ""))
    if not header:
        raise QueryFileError(path, None, "the file is empty", _EXPECTED)
    warn_at = partial(_warn, path, warn)
    try:
        read_row = _row_reader(header, providers, partial(warn_at, number))
        spellings: dict[str, tuple[str, int]] = {}
        first_lines: dict[Query, int] = {}
        warnings: set[str] = set()
        for number, line in lines:
            row = read_row(line)
            _check_spelling(row.spelling, *spellings.setdefault(fold_name(row.spelling), (row.spelling, number)))
            for warning in (row.warning, _warn_of_split(row.query.class_name)):
                if warning and warning not in warnings:
                    warnings.add(warning)
                    warn_at(number, warning)
            first = first_lines.setdefault(row.query, number)
            if first != number:
                warn_at(number, f"the same as line {first}; it is searched once")
    except ValueError as error:  # raised with message and hint while a row is read
        raise QueryFileError(path, number, *error.args) from None
    if not first_lines:
        raise QueryFileError(path, None, "it has a header but no queries", _EXPECTED)
    return [replace(query, line=line) for query, line in first_lines.items()]


def _warn(path: Path, warn: Callable[[str], None] | None, number: int, message: str) -> None:
    if warn:
        warn(f"{path} line {number}: {message}")


def _warn_of_split(class_name: str) -> str:
    word = find_split_word(class_name)
    return word and (
        f"the library 'datasets' takes the class folder {_shorten(class_name)} for a split, because of the word "
        f"{word!r}, and loads the dataset without labels; another class name avoids it"
    )


def _check_spelling(spelling: str, first: str, line: int) -> None:
    if spelling != first:
        raise ValueError(
            f"class {_shorten(spelling)} differs from {_shorten(first)} of line {line} only in case or in how an "
            "accent is encoded; on many file systems they are the same folder",
            "Spell both the same way: rows of one class are several queries for it.",
        )


def _row_reader(header: str, providers: Collection[str] | None, warn: Callable[[str], None]) -> Callable[[str], _Row]:
    """Return the function that reads the rows below this header."""
    separator = max(_SEPARATORS, key=header.count)
    names = [name.strip().casefold() for name in header.rstrip(_BLANK).split(separator)]
    if names in (["searchterm"], ["searchterm", "exclude"]):
        return partial(_fastclass, separator)
    columns = [name.strip().casefold().replace("licence", "license") for name in _cells(header, separator)]
    if missing := [name for name in ("class", "query") if name not in columns]:
        raise ValueError(f"the header is {_shorten(header)}, without {' and '.join(missing)}", _EXPECTED)
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise ValueError(f"the column {_shorten(name)} appears twice")
        if name not in _COLUMNS:
            warn(f"the column {_shorten(name)} is unknown and ignored.{_suggest(name, _COLUMNS)}")
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
            f"Quotes are search syntax here, and a row is split at its last {separator!r}. "
            f"End the row with {separator!r}.",
        )
    if not text:
        raise ValueError("the search term is empty")
    try:
        name = derive_class_name(text, exclude)
    except ValueError as reason:
        raise ValueError(
            f"{_shorten(text)} gives no valid folder name: {reason}",
            "Name the folder yourself, in the 'class' column of a file with the header 'class,query'.",
        ) from None
    doubled = '""' in text and "quotes are search syntax here and are kept as written, doubled ones too"
    return _Row(Query(text, name), name, doubled or "")


def _wide(separator: str, columns: Sequence[str], known: frozenset[str] | None, line: str) -> _Row:
    cells = _cells(line, separator)
    if any(cells[len(columns) :]):
        raise ValueError(
            f"the row has {len(cells)} cells, but the header has {len(columns)} columns",
            f"Put quotes around a cell that contains {separator!r}.",
        )
    row = {column: cells[i] if i < len(cells) else "" for i, column in enumerate(columns)}
    spelling, text = row["class"].strip(" "), row["query"].strip()
    try:
        name = check_component(spelling)
    except ValueError as reason:
        raise ValueError(
            f"class {_shorten(spelling)} is not a valid folder name: {reason}",
            "Use a name that is valid on every system: letters, digits, '_' and '-'.",
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
    unused = row.get("exclude") and "exclude has no effect when the class is given; use -word in the query"
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
        raise ValueError(f"max is {_shorten(cell)}; it must be a whole number of at least 1")
    return int(cell) if cell else None


@lru_cache  # 100,000 rows share a few distinct cells
def _providers(cell: str, known: frozenset[str] | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(re.findall(r"[^\s,;|+]+", cell.upper())))
    for name in names:
        if known is not None and name not in known:
            raise ValueError(
                f"no provider {_shorten(name)}.{_suggest(name, known)}",
                f"Providers: {', '.join(sorted(known))}.",
            )
    return () if "ALL" in names else names


@lru_cache
def _filters(cell: str) -> Filters:
    try:
        return Filters(LicenceFilter(cell.casefold() or "any"))
    except ValueError:
        raise ValueError(
            f"no license filter {_shorten(cell)}.{_suggest(cell, LicenceFilter)}",
            f"License filters: {', '.join(LicenceFilter)}.",
        ) from None


def _suggest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _shorten(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
