"""`--target`: how many images each class may have. Every decision about it is made here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.models import Outcome, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.harvesting.summary import Summary

WINDOW = 600  # hits of one provider in flight: a slow host may hold up a few hundred before its provider must wait
SMALLEST_WINDOW = 32


class Target:
    """The target of a run, or none, compared with the images that the summary counts as kept."""

    def __init__(self, summary: Summary, window: int = WINDOW) -> None:
        self._summary = summary
        self._window = window

    @property
    def window(self) -> int:
        """The hits of one provider that may be in flight: with a target, not far more than are still wanted."""
        target = self._summary.target
        return self._window if target is None else min(self._window, max(SMALLEST_WINDOW, 2 * target))

    def is_reached(self, class_name: str) -> bool:
        """Return whether a class has all the images that the run wants."""
        target = self._summary.target
        return target is not None and self._summary.kept.get(class_name, 0) >= target

    def split(self, outcomes: Iterable[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
        """Return the outcomes to record, and those beyond the target, which are left for another run."""
        target = self._summary.target
        if target is None:
            return list(outcomes), []
        within: list[Outcome] = []
        beyond: list[Outcome] = []
        expected = dict(self._summary.kept)
        for outcome in outcomes:
            name = outcome.task.class_name
            if isinstance(outcome.result, Picture):
                expected[name] = expected.get(name, 0) + 1
            (beyond if expected.get(name, 0) > target else within).append(outcome)
        return within, beyond
