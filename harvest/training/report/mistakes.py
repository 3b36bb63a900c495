"""Which pictures to show: suspects in the folders, the network's worst answers, who is taken for whom."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from harvest.training.metrics.evaluate_predictions import ConfusedPair, combine_parts, list_confused_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.output_files import Prediction
    from harvest.training.report.report_data import Candidate, ReportData
    from harvest.training.report.thumbnails import Thumbnail, Thumbnails

SUSPECTS, WORST, OF_OTHERS = 24, 12, 8  # pictures
PAIRS, OF_A_PAIR = 6, 3  # pairs, and pictures of each, each way
_SHARED = ((), (3,), (2, 1), (1, 1, 1))  # three pictures, for one way of being wrong or for several


class Tile(NamedTuple):
    """A picture with what the network makes of it."""

    said: Prediction
    picture: Thumbnail


class ConfusionTiles(NamedTuple):
    """One class taken for another, so many times."""

    label: str
    predicted: str
    times: int
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Mixup:
    """Two classes that are confused: a typical picture of each, and those that went to the other."""

    pair: ConfusedPair
    first: Tile | None
    second: Tile | None
    forth: Sequence[Tile]
    back: Sequence[Tile]


def list_worst(predictions: Iterable[Prediction]) -> list[Prediction]:
    """List the pictures that were called something else, those with the greatest loss first."""
    wrong = [each for each in predictions if each.is_wrong and math.isfinite(each.loss)]
    return sorted(wrong, key=lambda each: (-each.loss, -each.p_predicted, each.path))


def list_suspects(predictions: Sequence[Prediction]) -> list[Prediction]:
    """List the pictures that look as if they lay in the wrong folder, those with the greatest loss first.

    As confident learning has it: the network is as sure of another class as it is, on average, of the
    pictures that lie there. A mistake alone would be none: the network makes some on the cleanest folders.
    """
    usual = _usual(predictions)
    return [each for each in list_worst(predictions) if each.p_predicted >= usual.get(each.predicted, math.inf)]


def _usual(predictions: Iterable[Prediction]) -> dict[str, float]:
    """Return how probable pictures are found to be of the class that they lie in, on average."""
    found: dict[str, list[float]] = {}
    for each in predictions:
        if math.isfinite(each.p_label):
            found.setdefault(each.label, []).append(each.p_label)
    return {label: fmean(shares) for label, shares in found.items()}


def list_confusions(story: ReportData, thumbnails: Thumbnails) -> list[ConfusionTiles]:
    """Show who is most often taken for whom, in as many pictures as there is room for."""
    wrong = list_worst(predictions_for_mistakes(story))
    most = Counter((each.label, each.predicted) for each in wrong).most_common(len(_SHARED) - 1)
    return [
        ConfusionTiles(*names, count, make_tiles(_gone(wrong, *names)[:room], thumbnails))
        for (names, count), room in zip(most, _SHARED[len(most)], strict=True)
    ]


def make_tiles(predictions: Iterable[Prediction], thumbnails: Thumbnails) -> list[Tile]:
    """Give each picture its copy."""
    return [Tile(each, thumbnails.of(each.path)) for each in predictions]


def predictions_for_mistakes(story: ReportData) -> Sequence[Prediction]:
    """Return what shows mistakes best: the saved network's own answers, else those out of fold."""
    return (story.saved.answers if story.saved else ()) or story.predictions


def combine_held_out(candidate: Candidate) -> PartEvaluation | None:
    """Return a network's judgement on all pictures that it did not learn from."""
    return combine_parts([each for each in candidate.judgements if each.count])


def list_pairs(story: ReportData) -> list[ConfusedPair]:
    """List the pairs of classes that are confused, most often first."""
    if known := predictions_for_mistakes(story):
        ways = Counter((each.label, each.predicted) for each in known if each.is_wrong)
        found = {frozenset(way): _pair(*way, ways) for way in sorted(ways)}
        return sorted(found.values(), key=lambda pair: (-pair.count, -pair.forth, pair.first, pair.second))
    judgement = combine_held_out(story.saved) if story.saved else None
    return list_confused_pairs(judgement.confusion, list(story.labels)) if judgement else []


def _pair(one: str, other: str, ways: Counter[tuple[str, str]]) -> ConfusedPair:
    forth, back = ways[one, other], ways[other, one]
    return ConfusedPair(one, other, forth, back) if forth >= back else ConfusedPair(other, one, back, forth)


def list_mixups(story: ReportData, thumbnails: Thumbnails) -> list[Mixup]:
    """Show the most confused pairs."""
    known = predictions_for_mistakes(story)
    wrong = list_worst(known)
    return [
        Mixup(
            pair,
            first=_typical(known, pair.first, thumbnails),
            second=_typical(known, pair.second, thumbnails),
            forth=make_tiles(_gone(wrong, pair.first, pair.second), thumbnails),
            back=make_tiles(_gone(wrong, pair.second, pair.first), thumbnails),
        )
        for pair in list_pairs(story)[:PAIRS]
    ]


def _gone(wrong: Iterable[Prediction], label: str, predicted: str) -> list[Prediction]:
    return [each for each in wrong if (each.label, each.predicted) == (label, predicted)][:OF_A_PAIR]


def _typical(known: Sequence[Prediction], label: str, thumbnails: Thumbnails) -> Tile | None:
    """Return the picture of a class that the network is surest of, and right."""
    right = [each for each in known if each.label == label == each.predicted]
    best = max(right, key=lambda each: (each.p_label, each.path), default=None)
    return Tile(best, thumbnails.of(best.path)) if best else None
