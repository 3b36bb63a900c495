"""Order images by suspicion: the most suspicious first, and every eighth an ordinary one.

Ordinary images among the suspects keep the judgement of a person honest, and show how many bad ones have no reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.review.find_suspects_without_model import suspicion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from harvest.dataset import ReviewRow

_EVERY = 8


def order_by_suspicion(rows: Iterable[ReviewRow], reasons: Mapping[int, Collection[str]]) -> list[ReviewRow]:
    """Return images, the most suspicious first; the order depends on the images alone, not on that of `rows`."""
    suspects: list[ReviewRow] = []
    ordinary: list[ReviewRow] = []
    for row in rows:
        (suspects if reasons.get(row.id) else ordinary).append(row)
    if not suspects:
        return sorted(ordinary, key=_ordinary_order)
    suspects.sort(key=lambda row: (-suspicion(reasons[row.id]), row.class_name, row.rank, row.id))
    # By content hash, the ordinary images between the suspects are a sample of all.
    samples = sorted(ordinary, key=lambda row: (row.content, row.id))[: len(suspects) // (_EVERY - 1)]
    ordered: list[ReviewRow] = []
    for number, row in enumerate(suspects, 1):
        ordered.append(row)
        if number % (_EVERY - 1) == 0 and number // (_EVERY - 1) <= len(samples):
            ordered.append(samples[number // (_EVERY - 1) - 1])
    shown = {row.id for row in samples}
    rest = (row for row in ordinary if row.id not in shown)
    return ordered + sorted(rest, key=_ordinary_order)


def _ordinary_order(row: ReviewRow) -> tuple[str, int, int]:
    return row.class_name, row.rank, row.id
