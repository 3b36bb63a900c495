"""The metrics that a run computes in every epoch, and the one that selects the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.training.metrics.metric_functions import get_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from harvest.training.metrics.metric_functions import Metric
    from harvest.training.training_options import TrainingOptions

ALWAYS = ("accuracy", "f1")


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """Metrics by name, including `monitor`."""

    by_name: dict[str, Metric]
    monitor: Metric

    def measure(self, targets: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
        """Compute all metrics of these predictions."""
        return {name: metric.measure(targets, probabilities) for name, metric in self.by_name.items()}


def select_metrics(options: TrainingOptions, labels: Sequence[str]) -> EpochMetrics:
    """Return the metrics that the options ask for, and accuracy and F1, which are always shown."""
    names = [*ALWAYS, options.monitor]
    if options.cost_matrix:
        names.append("cost_matrix_gain")
    if options.metric:
        names.append("custom")
    found = [
        get_metric(
            name,
            labels=labels,
            cost_matrix=options.cost_matrix,
            custom=options.metric,
            data=options.tree,
        )
        for name in names
    ]
    return EpochMetrics({metric.name: metric for metric in found}, found[len(ALWAYS)])
