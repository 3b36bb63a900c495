"""What the page shows around the images: counts, filters, undo, pace, and what to do when everything is reviewed."""

from __future__ import annotations

import shlex
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harvest.counts_as_text import count, count_images
from harvest.review.image_counts import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harvest.dataset import UndoStep
    from harvest.review.image_counts import ImageCounts
    from harvest.review.model_results import ModelResults

FEW = 30  # images of a class
_IMBALANCE = 3  # times the images of the smallest class
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def describe_images(counts: ImageCounts, class_names: Iterable[str]) -> dict[str, Any]:
    """Return the counts of each class and queue, and the values of each filter; `class_names` may have no images."""
    kept, unreviewed, rejected = counts.kept, counts.unreviewed, counts.rejected
    names = sorted({*names_of(kept), *names_of(rejected), *class_names})
    return {
        "classes": [
            {"name": name, "kept": kept[name], "unreviewed": unreviewed[name], "rejected": rejected[name]}
            for name in names
        ],
        "queues": {
            "suspects": counts.suspects,
            "unreviewed": unreviewed.total(),
            "all": kept.total(),
            "rejected": rejected.total(),
        },
        "sources": names_of(counts.sources),
        "licences": names_of(counts.licences),
        "queries": names_of(counts.queries),
        "reasons": names_of(counts.reasons),
    }


def warn_about(counts: ImageCounts, missing_files: str) -> list[str]:
    """Return what a person should know before a training."""
    kept = Counter({name: counts.kept[name] for name in names_of(counts.kept)})
    warnings = [f"{missing_files}. Nothing was recorded."] if missing_files else []
    if len(kept) > 1:
        (most, largest), (least, smallest) = kept.most_common()[0], kept.most_common()[-1]
        if largest > _IMBALANCE * smallest:
            warnings.append(f"{most} has {largest:,} images and {least} has {smallest:,}.")
    if few := sorted(name for name, count in kept.items() if count < FEW):
        warnings.append(f"Fewer than {FEW} images: {', '.join(few[:5])}{', …' if len(few) > 5 else ''}.")  # noqa: PLR2004
    if counts.unlicensed:
        total = kept.total()
        warnings.append(f"{counts.unlicensed:,} of {total:,} images have no known licence: do not publish them.")
    return warnings


def next_command(root: Path) -> str:
    """Return the command for the next step."""
    return f"python train.py {shlex.quote(str(root))}"


def describe_model(model: ModelResults, root: Path, missing: int) -> dict[str, Any]:
    """Return the newest training run, how many images have no features, and the computation of them."""
    return {
        "run": model.run,
        "has_predictions": bool(model.predictions),
        "has_features": bool(model.with_features),
        "missing": missing,
        "computation": model.computation._asdict(),
        "train": f"harvest train {shlex.quote(str(root))}",
    }


def describe_step(step: UndoStep | None) -> str | None:
    """Return what an undo would undo, as the page writes it: "reject 2 images, 3 min ago"."""
    if step is None:
        return None
    name = f"{step.name} {count_images(step.images)}"
    try:
        age = (datetime.now(UTC) - datetime.fromisoformat(step.at)).total_seconds()
    except (ValueError, TypeError):  # a time in a ledger may be any text
        return name
    return f"{name}, {_describe_age(max(0, int(age)))}"


def _describe_age(seconds: int) -> str:
    """Return an age in its largest unit. Seconds are left out: they would change with every request.

    >>> [_describe_age(seconds) for seconds in (12, 200, 7300, 200_000)]
    ['just now', '3 min ago', '2 h ago', '2 days ago']
    """
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min ago"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h ago"
    days = seconds // _DAY
    return f"{count(days, 'day')} ago"
