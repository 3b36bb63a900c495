"""Count how often a model predicts each class for the images of each class."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harvest.dataset import ReviewRow
    from harvest.review.model_results import ModelPrediction

MOST_CLASSES = 40  # more do not fit on a screen


def count_confusions(rows: Iterable[ReviewRow], predictions: Mapping[str, ModelPrediction]) -> dict[str, Any]:
    """Return the confusion matrix of the images in the class folders, without its zeros.

    Of more classes than fit on a screen, those with the most wrong predictions are shown.
    """
    counts: Counter[tuple[str, str]] = Counter()
    classes: set[str] = set()
    for row in rows:
        if not row.rejected:
            classes.add(row.class_name)
            if (prediction := predictions.get(row.content)) is not None:
                counts[row.class_name, prediction.class_name] += 1
    wrong: Counter[str] = Counter()
    for (actual, predicted), count in counts.items():
        if actual != predicted:
            wrong[actual] += count
            wrong[predicted] += count
    shown = sorted(sorted(classes, key=lambda name: (-wrong[name], name))[:MOST_CLASSES])
    number = {name: index for index, name in enumerate(shown)}
    cells = [
        [number[actual], number[predicted], count]
        for (actual, predicted), count in sorted(counts.items())
        if actual in number and predicted in number
    ]
    return {"classes": shown, "cells": cells, "hidden": len(classes) - len(shown)}
