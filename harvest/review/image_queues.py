"""Choose and order the images of a queue, and write them as columns: 50,000 images are 3 MB, not 12."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harvest.review.image_counts import UNKNOWN, names_of
from harvest.review.model_results import MODEL_ORDERS
from harvest.review.suspicion_order import order_by_suspicion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from harvest.dataset import ReviewRow
    from harvest.review.images_in_memory import Snapshot

QUEUES = ("all", "unreviewed", "suspects", "rejected")
ORDERS = ("suspicious", "rank", "newest", "name", *MODEL_ORDERS)
HASH_DIGITS = 8  # of the content hash, in the address of a thumbnail


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What the page asks for; an empty text is no condition."""

    queue: str = "all"
    class_name: str = ""
    order: str = "suspicious"
    source: str = ""
    query: str = ""
    licence: str = ""
    reason: str = ""
    text: str = ""
    predicted: str = ""  # class
    like: int = 0  # the image that others are compared with, for the order "similar"
    min_size: int = 0


def is_in_queue(snapshot: Snapshot, row: ReviewRow, queue: str) -> bool:
    """Return whether an image is in a queue."""
    if queue == "rejected":
        return bool(row.rejected)
    if row.rejected:
        return False
    if queue == "all":
        return True
    return not row.reviewed and (queue == "unreviewed" or row.id in snapshot.reasons)


def list_items(
    snapshot: Snapshot,
    wanted: ItemFilter,
    with_text: Callable[[str], Collection[int]],
    position: Mapping[str, int] = MappingProxyType({}),
) -> list[ReviewRow]:
    """Return the images that pass a filter, in its order.

    `with_text` searches the sources of all images. `position` is that of each content hash in an order of a model.
    """
    passes = _conditions(snapshot, wanted, with_text)
    rows = [
        row
        for row in snapshot.rows.values()
        if is_in_queue(snapshot, row, wanted.queue) and all(has_passed(row) for has_passed in passes)
    ]
    if wanted.order == "suspicious":
        return order_by_suspicion(rows, snapshot.reasons)
    if wanted.order in MODEL_ORDERS:
        return sorted(
            rows, key=lambda row: (position.get(row.content, len(position)), row.class_name, row.rank, row.id)
        )
    return sorted(rows, key=_sort_key(wanted.order))


def _conditions(
    snapshot: Snapshot, wanted: ItemFilter, with_text: Callable[[str], Collection[int]]
) -> list[Callable[[ReviewRow], bool]]:
    """Return the conditions of a filter, only those that are asked for."""
    conditions: list[tuple[object, Callable[[ReviewRow], bool]]] = [
        (wanted.class_name, lambda row: row.class_name == wanted.class_name),
        (wanted.source, lambda row: row.source == wanted.source),
        (wanted.query, lambda row: row.query == wanted.query),
        (wanted.licence, lambda row: (row.licence or UNKNOWN) == wanted.licence),
        (wanted.reason, lambda row: wanted.reason in snapshot.reasons.get(row.id, ())),
        (wanted.predicted, lambda row: _predicted_class(snapshot, row) == wanted.predicted),
        (wanted.min_size, lambda row: max(row.width, row.height) >= wanted.min_size),
    ]
    if wanted.text:
        named, text = with_text(wanted.text), wanted.text.lower()
        conditions.append((text, lambda row: row.id in named or text in f"{row.class_name}/{row.name}".lower()))
    return [condition for value, condition in conditions if value]


def _predicted_class(snapshot: Snapshot, row: ReviewRow) -> str | None:
    prediction = snapshot.predictions.get(row.content)
    return prediction.class_name if prediction else None


def _sort_key(order: str) -> Callable[[ReviewRow], Any]:
    keys: dict[str, Callable[[ReviewRow], Any]] = {
        "rank": lambda row: (row.class_name, row.rank, row.id),
        "newest": lambda row: -row.id,
        "name": lambda row: (row.class_name, row.name),
    }
    return keys[order]


def as_columns(snapshot: Snapshot, rows: Iterable[ReviewRow]) -> dict[str, Any]:
    """Return images as columns of equal length."""
    rows = list(rows)
    classes = sorted({*names_of(snapshot.counts.kept), *names_of(snapshot.counts.rejected)})
    number = {name: index for index, name in enumerate(classes)}
    predictions = [snapshot.predictions.get(row.content) for row in rows]
    return {
        "seq": snapshot.seq,
        "classes": classes,
        "id": [row.id for row in rows],
        "class": [number[row.class_name] for row in rows],
        "state": ["rejected" if row.rejected else "kept" for row in rows],
        "reviewed": [row.reviewed for row in rows],
        "rating": [row.rating for row in rows],
        "w": [row.width for row in rows],
        "h": [row.height for row in rows],
        "source": [row.source for row in rows],
        "reasons": [snapshot.reasons.get(row.id, ()) for row in rows],
        "predicted": [number.get(each.class_name, -1) if each else -1 for each in predictions],
        "p": [round(each.probability, 2) if each else 0 for each in predictions],
        "v": [row.content[:HASH_DIGITS] for row in rows],
        "touched": [row.touched for row in rows],
    }
