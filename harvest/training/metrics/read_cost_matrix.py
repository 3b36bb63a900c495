"""Read the file of `--cost-matrix`: the gain of predicting the column's class for an image of the row's class.

A CSV has the classes as its header row and as its first column; JSON is `{row: {column: gain}}`. Classes may be
in any order, each exactly once.
"""

from __future__ import annotations

import csv
import json
import math
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST = 8 << 20  # bytes: a thousand classes
_SEPARATORS = ",;\t"
_BLANK = f" {_SEPARATORS}"
_NEWLINE = re.compile(r"\r\n|\r|\n")
_FORM = "The first line is ',daisy,tulip', the next 'daisy,1,-0.5': the gain of each prediction for a daisy."


def read_cost_matrix(path: Path, labels: Sequence[str]) -> NDArray[np.float64]:
    """Return the gains by true class and prediction, in the order of `labels`; raise UsageError if invalid."""
    text = _text(path)
    try:
        gains = _from_json(text) if text.lstrip().startswith(("{", "[")) else _from_csv(text, labels)
        return _matrix(gains, labels)
    except ValueError as error:  # raised below with its message and hint
        message, *hint = error.args
        raise UsageError(f"--cost-matrix {path}{message}", *hint) from None


def cost_matrix_warnings(path: Path, labels: Sequence[str]) -> Iterator[str]:
    """Yield a warning if the cells look like costs: the best classifier would then be wrong on purpose."""
    gains = read_cost_matrix(path, labels)
    worse = [row for row in range(len(labels)) if gains[row].max() > gains[row, row]]
    if worse:
        row, column = worse[0], int(gains[worse[0]].argmax())
        own, other = (f"{gains[row, each]:g}" for each in (row, column))
        more = f" ({len(worse) - 1} more classes like this)" if len(worse) > 1 else ""
        yield (
            f"--cost-matrix {path}: predicting {labels[column]!r} for {labels[row]!r} gains {other}, more than the "
            f"correct prediction, {own}{more}. Cells are gains: write a cost as a negative number."
        )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--cost-matrix {path} cannot be read: {reason}.") from None
    if len(data) > _LARGEST:
        raise UsageError(f"--cost-matrix {path} has more than {_LARGEST:,} bytes. Is it a cost matrix?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"--cost-matrix {path} line {line}: byte 0x{data[error.start]:02X} is not UTF-8.",
            "Save the file as UTF-8; a spreadsheet calls it 'CSV UTF-8'.",
        ) from None


def _from_json(text: str) -> dict[str, dict[str, float]]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f" line {error.lineno}: {error.msg}.") from None
    except RecursionError:
        raise ValueError(": it is nested too deeply.") from None
    if not isinstance(document, dict) or not all(isinstance(row, dict) for row in document.values()):
        raise ValueError(': JSON must be {"daisy": {"daisy": 1, "tulip": -0.5}, …}, with every class.')
    return {
        row: {column: _number(value, f": {row!r}, {column!r}") for column, value in cells.items()}
        for row, cells in document.items()
    }


def _from_csv(text: str, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = _rows(text)
    number, header = next(rows, (1, []))
    if len(header) < 2:  # noqa: PLR2004
        raise ValueError(f" line {number}: it does not list the classes.", _FORM)
    columns = [_match_name(name, labels) for name in header[1:]]
    _check(columns, labels, f" line {number}", "column")
    gains: dict[str, dict[str, float]] = {}
    for number, (first, *cells) in rows:
        name, place = _match_name(first, labels), f" line {number}"
        _check([*gains, name], labels, place, "row", whole=False)
        if len(cells) != len(columns):
            raise ValueError(f"{place}: {len(cells)} numbers for {len(columns)} classes.", _FORM)
        gains[name] = {column: _number(cell, place) for column, cell in zip(columns, cells, strict=True)}
    return gains


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, with their line numbers; a quoted cell cannot span lines."""
    lines = [(number, line) for number, line in enumerate(_NEWLINE.split(text), 1) if line.strip(_BLANK)]
    separator = max(_SEPARATORS, key=lines[0][1].count) if lines else ","
    for number, line in lines:
        try:
            cells = next(csv.reader([line], delimiter=separator, strict=True))
        except csv.Error:
            raise ValueError(f" line {number}: a quote is not closed, or text follows the closing one.") from None
        while not cells[-1].strip():  # spreadsheets pad rows with empty cells
            cells.pop()
        yield number, cells


def _match_name(name: str, labels: Sequence[str]) -> str:
    return name if name in labels else name.strip()


def _check(names: Sequence[str], labels: Sequence[str], place: str, kind: str, *, whole: bool = True) -> None:
    """Raise ValueError for names that are not classes or occur twice and, if `whole`, for missing classes."""
    for name in names:
        if name not in labels:
            close = get_close_matches(name, labels, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{place}: the {kind} {name!r} is not a class.{guess}")
        if names.count(name) > 1:
            raise ValueError(f"{place}: the {kind} {name!r} occurs twice.")
    if whole and (missing := [name for name in labels if name not in names]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"{place}: there is no {kind} for {missing[0]!r}{more}.")


def _number(value: Any, place: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{place}: {value!r} is not a number.", "Write numbers as 1, -0.5 or 2e3.")
    return number


def _matrix(gains: Mapping[str, Mapping[str, float]], labels: Sequence[str]) -> NDArray[np.float64]:
    _check(list(gains), labels, "", "row")
    for row in gains.values():
        _check(list(row), labels, "", "column")
    return np.array([[gains[row][column] for column in labels] for row in labels], np.float64)
