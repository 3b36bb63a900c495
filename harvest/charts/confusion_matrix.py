"""Draw a confusion matrix as a coloured table, which a screen reader can read and a browser can search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST = 40  # classes that are legible side by side
_SHOWN = 30  # classes shown if there are more: those with the most mistakes
_SHADES = 9
_SIZES = ((3, "few"), (6, "some"), (14, "more"))


@dataclass(frozen=True, slots=True)
class _Grid:
    """The part of a confusion matrix that is drawn."""

    matrix: NDArray[np.int64]
    labels: tuple[str, ...]
    rest: int = 0  # classes merged into the last row and column


def confusion(matrix: NDArray[np.int64], labels: Sequence[str], *, caption: str) -> Markup:
    """Draw a confusion matrix: rows are the folders of the images, columns the predicted classes.

    With more than 40 classes, those with the most mistakes are drawn, and all others are merged.
    """
    grid = _condense(np.asarray(matrix), tuple(labels))
    size = next((name for most, name in _SIZES if len(grid.labels) <= most), "many")
    head = Markup().join(
        Markup('<th scope="col"><span title="{0}"><bdi>{0}</bdi></span></th>').format(label) for label in grid.labels
    )
    rows = Markup().join(_row(grid, number) for number in range(len(grid.labels)))
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        '<table class="matrix {}"><caption>{}</caption>'
        '<thead><tr><th scope="col" class="corner">folder ↓ predicted →</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>{}"
    ).format(size, caption, head, rows, _describe(grid))


def _describe(grid: _Grid) -> Markup:
    if not grid.rest:
        return Markup()
    return Markup(
        '<p class="note">The {} classes with the most mistakes; the other {} share one row and one column.</p>'
    ).format(len(grid.labels) - 1, grid.rest)


def _condense(matrix: NDArray[np.int64], labels: tuple[str, ...]) -> _Grid:
    if len(labels) <= MOST:
        return _Grid(matrix, labels)
    wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
    shown = np.sort(np.argsort(-wrong, kind="stable")[:_SHOWN])
    member = np.full(len(labels), _SHOWN)
    member[shown] = np.arange(_SHOWN)
    smaller = np.zeros((_SHOWN + 1, _SHOWN + 1), np.int64)
    np.add.at(smaller, (member[:, None], member[None, :]), matrix)
    rest = len(labels) - _SHOWN
    return _Grid(smaller, (*(labels[i] for i in shown), f"{rest} others"), rest)


def _row(grid: _Grid, number: int) -> Markup:
    total = int(grid.matrix[number].sum())
    cells = Markup().join(_cell(grid, number, column, total) for column in range(len(grid.labels)))
    return Markup('<tr><th scope="row"><span title="{0}"><bdi>{0}</bdi></span></th>{1}</tr>').format(
        grid.labels[number], cells
    )


def _cell(grid: _Grid, row: int, column: int, total: int) -> Markup:
    """Shade a count by its share of the row, with one colour for correct and one for wrong predictions."""
    count = int(grid.matrix[row, column])
    if not count:
        return Markup('<td class="same"></td>') if row == column else Markup("<td></td>")
    shade = max(1, round(_SHADES * count / total))
    title = f"{count} of {total} in {grid.labels[row]} predicted as {grid.labels[column]}"
    return Markup('<td class="{}{}" title="{}">{}</td>').format("r" if row == column else "w", shade, title, count)
