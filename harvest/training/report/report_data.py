"""What a run knows of itself when it is over: what report.html is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.metrics.metric_functions import Metric
    from harvest.training.output_files import Prediction


class LearningPoint(Protocol):
    """How good the network is with so many pictures of each class to learn from, and how sure that is."""

    @property
    def per_class(self) -> float:
        """The pictures of a class, on average."""

    @property
    def accuracy(self) -> float:
        """The share that is right."""

    @property
    def low(self) -> float:
        """The least that it may be."""

    @property
    def high(self) -> float:
        """The most that it may be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One network that the run might have saved, and what it is worth on each part that it was judged on."""

    name: str  # "frozen head", "fine-tuned"
    judgements: Sequence[PartEvaluation] = ()
    saved: bool = False
    answers: Sequence[Prediction] = ()  # to the pictures it was judged on: its mistakes are shown


@dataclass(frozen=True, slots=True)
class RateSearch:
    """What the learning-rate finder tried: rates, the losses they led to, and the one it chose."""

    points: Sequence[tuple[float, float]]
    chosen: float | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the report can tell; all but the title and the classes may be missing."""

    title: str
    labels: Sequence[str]
    tree: Path | None = None  # where the pictures are
    network: str = ""
    line: str = ""  # the command line that does the same again
    began: str = ""
    seconds: float | None = None
    split: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # class → part → pictures
    notes: Sequence[str] = ()  # what was done to the split, and why
    warnings: Sequence[str] = ()
    skipped: Sequence[tuple[str, str]] = ()  # path and reason
    history: Sequence[Mapping[str, float]] = ()  # the rows of history.csv
    kept: float | None = None  # the epoch whose network was saved
    candidates: Sequence[Candidate] = ()
    metrics: Sequence[Metric] = ()  # those that were measured
    predictions: Sequence[Prediction] = ()  # of every picture, out of fold
    knew: bool = False  # whether the network below the heads had learned from these pictures
    learning_curve: Sequence[LearningPoint] = ()
    search: RateSearch | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def saved(self) -> Candidate | None:
        """The candidate that was saved; where none is marked, the last."""
        marked = [each for each in self.candidates if each.saved]
        return (marked or self.candidates)[-1] if self.candidates else None
