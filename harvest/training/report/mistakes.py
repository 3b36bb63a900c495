"""Select the images to show: suspects, the worst predictions and confused classes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from harvest.training.metrics.evaluate_predictions import ConfusedPair, combine_parts, list_confused_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harvest.html_report.thumbnails import Thumbnail
    from harvest.labelled_pictures.prediction_table import Prediction
    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.report.report_data import Candidate, ReportData
    from harvest.training.report.training_report_images import ReportThumbnails

SUSPECTS, WORST, OF_OTHERS = 24, 12, 8  # images
PAIRS, OF_A_PAIR = 6, 3  # pairs of classes, and images per pair and direction
_ROOM = ((), (3,), (2, 1), (1, 1, 1))  # how one to three kinds of mistake share three images


class Tile(NamedTuple):
    """An image with its prediction."""

    prediction: Prediction
    thumbnail: Thumbnail
    heat: str = ""  # the data URI of what speaks for the predicted class


class ConfusionTiles(NamedTuple):
    """Images of one class that are predicted as another, with their number."""

    label: str
    predicted: str
    times: int
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Mixup:
    """Two classes that are confused: a typical image of each, and those predicted as the other."""

    pair: ConfusedPair
    first: Tile | None
    second: Tile | None
    forth: Sequence[Tile]
    back: Sequence[Tile]


def list_worst(predictions: Iterable[Prediction]) -> list[Prediction]:
    """List the images with a wrong prediction, highest loss first."""
    wrong = [each for each in predictions if each.is_wrong and math.isfinite(each.loss)]
    return sorted(wrong, key=lambda each: (-each.loss, -each.p_predicted, each.path))


def list_suspects(predictions: Sequence[Prediction]) -> list[Prediction]:
    """List the images that look as if they are in the wrong folder, highest loss first.

    This is the rule of confident learning: the probability of another class is at least the average for the images
    in that folder. A mistake alone is not enough: a network makes some even with perfectly clean folders.
    """
    averages = _average_probability(predictions)
    return [each for each in list_worst(predictions) if each.p_predicted >= averages.get(each.predicted, math.inf)]


def _average_probability(predictions: Iterable[Prediction]) -> dict[str, float]:
    """Return for each class the average probability that its own images get for it."""
    by_class: dict[str, list[float]] = {}
    for each in predictions:
        if math.isfinite(each.p_label):
            by_class.setdefault(each.label, []).append(each.p_label)
    return {label: fmean(shares) for label, shares in by_class.items()}


def list_confusions(data: ReportData, thumbnails: ReportThumbnails) -> list[ConfusionTiles]:
    """Return the most frequent kinds of mistake, with three images in total."""
    wrong = list_worst(predictions_for_mistakes(data))
    most = Counter((each.label, each.predicted) for each in wrong).most_common(len(_ROOM) - 1)
    return [
        ConfusionTiles(*names, count, make_tiles(_select(wrong, *names)[:room], thumbnails))
        for (names, count), room in zip(most, _ROOM[len(most)], strict=True)
    ]


def make_tiles(
    predictions: Iterable[Prediction], thumbnails: ReportThumbnails, heat: Mapping[tuple[str, str], str] | None = None
) -> list[Tile]:
    """Return each prediction with the thumbnail of its image, and with what speaks for the predicted class."""
    known = heat or {}
    return [Tile(each, thumbnails.get(each.path), known.get((each.path, each.predicted), "")) for each in predictions]


def list_to_explain(data: ReportData) -> list[Prediction]:
    """List the suspects and the worst predictions that the report shows, each image once per predicted class."""
    suspects = list_suspects(data.predictions)[:SUSPECTS]
    worst = list_worst(data.saved.answers if data.saved else ())[:WORST]
    return list({(each.path, each.predicted): each for each in (*suspects, *worst)}.values())


def predictions_for_mistakes(data: ReportData) -> Sequence[Prediction]:
    """Return the predictions of the saved network, or the out-of-fold predictions if it has none."""
    return (data.saved.answers if data.saved else ()) or data.predictions


def combine_held_out(candidate: Candidate) -> PartEvaluation | None:
    """Return the evaluation of a network on all held-out images."""
    return combine_parts([each for each in candidate.judgements if each.count])


def list_pairs(data: ReportData) -> list[ConfusedPair]:
    """List the pairs of classes that are confused, most frequent first."""
    if known := predictions_for_mistakes(data):
        counts = Counter((each.label, each.predicted) for each in known if each.is_wrong)
        found = {frozenset(way): _pair(*way, counts) for way in sorted(counts)}
        return sorted(found.values(), key=lambda pair: (-pair.count, -pair.forth, pair.first, pair.second))
    judgement = combine_held_out(data.saved) if data.saved else None
    return list_confused_pairs(judgement.confusion, list(data.labels)) if judgement else []


def _pair(one: str, other: str, counts: Counter[tuple[str, str]]) -> ConfusedPair:
    forth, back = counts[one, other], counts[other, one]
    return ConfusedPair(one, other, forth, back) if forth >= back else ConfusedPair(other, one, back, forth)


def list_mixups(data: ReportData, thumbnails: ReportThumbnails) -> list[Mixup]:
    """Return the most confused pairs of classes with example images."""
    known = predictions_for_mistakes(data)
    wrong = list_worst(known)
    return [
        Mixup(
            pair,
            first=_typical(known, pair.first, thumbnails),
            second=_typical(known, pair.second, thumbnails),
            forth=make_tiles(_select(wrong, pair.first, pair.second), thumbnails),
            back=make_tiles(_select(wrong, pair.second, pair.first), thumbnails),
        )
        for pair in list_pairs(data)[:PAIRS]
    ]


def _select(wrong: Iterable[Prediction], label: str, predicted: str) -> list[Prediction]:
    return [each for each in wrong if (each.label, each.predicted) == (label, predicted)][:OF_A_PAIR]


def _typical(known: Sequence[Prediction], label: str, thumbnails: ReportThumbnails) -> Tile | None:
    """Return the correctly predicted image of a class with the highest probability."""
    right = [each for each in known if each.label == label == each.predicted]
    best = max(right, key=lambda each: (each.p_label, each.path), default=None)
    return Tile(best, thumbnails.get(best.path)) if best else None
