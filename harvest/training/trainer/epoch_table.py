"""The table of epochs, and which of them is the best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harvest.training.run_directory import round_trip

if TYPE_CHECKING:
    from harvest.training.metrics.metric_functions import Metric
    from harvest.training.run_directory import Row


class EpochTable:
    """The epochs of a run, and which of them is the best by the metric that is monitored."""

    def __init__(self, rows: list[Row], monitor: Metric) -> None:
        self.rows = rows
        self.monitor = monitor

    @property
    def best(self) -> Row:
        """The best epoch; of equals the one with the least loss, then the earliest."""
        return self.best_until(math.inf)

    def best_until(self, epoch: float) -> Row:
        """Return what had been the best after so many epochs."""
        return max((row for row in self.rows if row["epoch"] <= epoch), key=self._rank)

    def _rank(self, row: Row) -> tuple[float, float]:
        value = round_trip(row.get(self.monitor.name, math.nan))
        value = value if self.monitor.greater_is_better else -value
        loss = round_trip(row.get("valid_loss", math.nan))
        return (-math.inf if math.isnan(value) else value, -math.inf if math.isnan(loss) else -loss)

    def epochs_without_progress(self, first_epoch: int, *, by: float) -> int:
        """Count the latest epochs of a stage of which none was better by so much than all before it."""
        count = 0
        for place, row in enumerate(self.rows):
            if row["epoch"] > first_epoch:
                best = max(self._rank(before)[0] for before in self.rows[:place])
                count = 0 if self._rank(row)[0] > best + by else count + 1
        return count
