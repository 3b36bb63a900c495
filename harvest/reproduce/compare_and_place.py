"""Compare downloaded images with those that a recipe describes, and place the ones that are the same.

An address may serve another image today than when the recipe was written. Nobody has seen that image, so it is not
placed unless the user accepts it: whoever buys an expired domain could otherwise put images into datasets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.dataset import HitVerdict, Placement
from harvest.models import Outcome, Picture, Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harvest.dataset import Dataset
    from harvest.harvesting.deduplicate import Deduplicator
    from harvest.ledger.expected_images_tables import ExpectedImage
    from harvest.models import Task

_SAME_SHAPE = 0.02  # difference of the aspect ratio that rounding to whole pixels makes


def is_same_image(picture: Picture, expected: ExpectedImage) -> bool:
    """Return whether a picture is certainly the expected one: by its file, its download or its pixels."""
    if picture.content == expected.content:
        return True
    return picture.body == expected.body or picture.pixels == expected.pixels


class ImageComparer:
    """Decides about outcomes: the same images are placed, others only by `accept_changed`, which may drop copies."""

    def __init__(
        self,
        dataset: Dataset,
        expected: Mapping[int, ExpectedImage],
        *,
        accept_changed: Deduplicator | None = None,
    ) -> None:
        self._dataset = dataset
        self._expected = expected
        self._accept_changed = accept_changed

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> list[Verdict]:
        """Place or refuse a batch, record the results, and return the verdicts."""
        batch = _Decisions()
        verdicts = [self._decide(batch, outcome) for outcome in outcomes]
        self._dataset.rebuild.record_results(batch.results)
        self._dataset.record_verdicts(batch.refused)
        self._dataset.place(batch.placed)
        if self._accept_changed is not None:
            self._accept_changed.record_outcomes(batch.accepted)
            self._dataset.rebuild.settle_changed([outcome.task.id for outcome in batch.accepted])
        self._dataset.rebuild.settle([placement.task.id for placement in batch.placed])
        return verdicts

    def _decide(self, batch: _Decisions, outcome: Outcome) -> Verdict:
        task, picture = outcome.task, outcome.result
        if isinstance(picture, Refusal):
            detail = f"{picture.verdict.wording}: {picture.detail}" if picture.detail else picture.verdict.wording
            return batch.refuse(task, "gone", picture.verdict, detail)
        expected = self._expected[task.id]
        if is_same_image(picture, expected):
            key = (task.class_name, picture.content)
            if key in batch.keys or self._dataset.rebuild.is_present(*key):
                return batch.refuse(task, "changed", Verdict.DUPLICATE, "the same as another image of the recipe")
            batch.keys.add(key)
            batch.placed.append(Placement(task, picture))
            return Verdict.KEPT
        result, detail = _describe_difference(picture, expected)
        if self._accept_changed is None:
            return batch.refuse(task, result, Verdict.CHANGED, detail)
        batch.accepted.append(outcome)
        batch.results.append((task.id, result, f"{detail}; accepted"))
        return Verdict.KEPT


@dataclass
class _Decisions:
    """Collects the decisions of a batch, so that it takes a few commits."""

    placed: list[Placement] = field(default_factory=list)
    accepted: list[Outcome] = field(default_factory=list)
    refused: list[HitVerdict] = field(default_factory=list)
    results: list[tuple[int, str, str]] = field(default_factory=list)
    keys: set[tuple[str, str]] = field(default_factory=set)

    def refuse(self, task: Task, result: str, verdict: Verdict, detail: str) -> Verdict:
        self.refused.append(HitVerdict(task.id, verdict, detail))
        self.results.append((task.id, result, detail))
        return verdict


def _describe_difference(picture: Picture, expected: ExpectedImage) -> tuple[str, str]:
    """Return the result for an image that is not the expected one, and the sizes of both."""
    width, height = expected.original_width or 0, expected.original_height or 0
    sizes = f"{picture.original_width} x {picture.original_height} pixels, before {width} x {height}"
    is_smaller = picture.original_width * picture.original_height < width * height
    if is_smaller and abs(picture.original_width * height / (picture.original_height * width) - 1) <= _SAME_SHAPE:
        return "smaller", sizes
    return "changed", f"another file: {sizes}"
