"""Why an image is here: its sources, its file, and everything that was decided about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.dataset import Dataset, PictureHistory, ReviewRow
    from harvest.review.model_results import ModelPrediction

_WEB = ("http://", "https://")


def describe_image(
    dataset: Dataset, row: ReviewRow, reasons: Sequence[str], prediction: ModelPrediction | None
) -> dict[str, Any]:
    """Return the history of an image as the page shows it."""
    history = dataset.picture_history(row.id)
    return {
        "id": row.id,
        "class": row.class_name,
        "name": row.name,
        "file": f"{dataset.root.name}{'.rejected' if row.rejected else ''}/{row.class_name}/{row.name}",
        **_describe_source(history),
        "fetched": history.at,
        "original_size": history.original,
        "size": history.size,
        "content": history.content,
        "reasons": list(reasons),
        "copies": list(history.copies),
        "near_duplicates": list(history.near_duplicates),
        "decisions": [
            {"at": each.at, "by": each.by, "action": each.action, "to": each.target, "value": each.value}
            for each in history.events
        ],
        "predicted": _describe_prediction(prediction, dataset),
    }


def _describe_prediction(prediction: ModelPrediction | None, dataset: Dataset) -> dict[str, Any] | None:
    """Return the prediction, unless the class is gone or was never one: the image could not be moved there."""
    if prediction is None or prediction.class_name not in dataset.class_names():
        return None
    return {"class": prediction.class_name, "probability": round(prediction.probability, 2)}


def _describe_source(history: PictureHistory) -> dict[str, Any]:
    """Return the hit that the file was downloaded from; the values are `None` for a file that a person added."""
    names = ("query", "provider", "rank", "page", "url", "title", "author", "licence", "licence_url")
    if not history.sources:
        return dict.fromkeys(names)
    source = history.sources[0]
    values = (
        source.query,
        source.provider,
        source.rank,
        _web_address(source.page),
        _web_address(source.url),
        source.title,
        source.author,
        source.licence.id,
        _web_address(source.licence.url),
    )
    return dict(zip(names, values, strict=True))


def _web_address(text: str | None) -> str | None:
    """Return an address that the page may link to, so no `javascript:`."""
    return text if text and text.lower().startswith(_WEB) else None
