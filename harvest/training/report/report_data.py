"""The results of a run that report.html shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harvest.labelled_pictures.image_reader import ImageReader
    from harvest.labelled_pictures.prediction_table import Prediction
    from harvest.training.calibrate_saved_network import Calibration
    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.metrics.metric_functions import Metric


class LearningPoint(Protocol):
    """One point of the learning curve: the accuracy for a number of training images per class."""

    @property
    def per_class(self) -> float:
        """The average number of training images per class."""

    @property
    def accuracy(self) -> float:
        """The accuracy."""

    @property
    def low(self) -> float:
        """The lower end of its confidence interval."""

    @property
    def high(self) -> float:
        """The upper end of its confidence interval."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that the run could save, with its evaluation on each held-out part."""

    name: str  # "frozen head", "fine-tuned"
    judgements: Sequence[PartEvaluation] = ()
    saved: bool = False
    answers: Sequence[Prediction] = ()  # its predictions for the evaluated images


@dataclass(frozen=True, slots=True)
class RateSearch:
    """The learning rates that the finder tried with their losses, and the one it chose."""

    points: Sequence[tuple[float, float]]
    chosen: float | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the report can show; all but the title and the classes is optional."""

    title: str
    labels: Sequence[str]
    images: ImageReader | None = None
    network: str = ""
    line: str = ""  # the command line that repeats the run
    began: str = ""
    seconds: float | None = None
    split: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # class → part → images
    notes: Sequence[str] = ()  # changes made to the split, with the reason
    warnings: Sequence[str] = ()
    skipped: Sequence[tuple[str, str]] = ()  # path and reason
    history: Sequence[Mapping[str, float]] = ()  # the rows of history.csv
    kept: float | None = None  # the epoch whose network was saved
    candidates: Sequence[Candidate] = ()
    metrics: Sequence[Metric] = ()  # those that were computed
    predictions: Sequence[Prediction] = ()  # out-of-fold predictions of every image
    heat: Mapping[tuple[str, str], str] = field(default_factory=dict)  # path and class → data URI of an overlay
    knew: bool = False  # whether the network below the heads was trained on these images
    learning_curve: Sequence[LearningPoint] = ()
    search: RateSearch | None = None
    calibration: Calibration | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    licences: Mapping[str, int] = field(default_factory=dict)  # SPDX id → training images

    @property
    def saved(self) -> Candidate | None:
        """The candidate that was saved; the last one if none is marked."""
        marked = [each for each in self.candidates if each.saved]
        return (marked or self.candidates)[-1] if self.candidates else None
