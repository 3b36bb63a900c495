"""The table of epochs, with the best one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harvest.training.run_directory import round_trip

if TYPE_CHECKING:
    from harvest.training.metrics.metric_functions import Metric
    from harvest.training.run_directory import Row


class EpochTable:
    """The epochs of a run; the best one is chosen by the monitored metric."""

    def __init__(self, rows: list[Row], monitor: Metric) -> None:
        self.rows = rows
        self.monitor = monitor

    @property
    def best(self) -> Row:
        """The best epoch; of equal ones that with the lowest loss, then the earliest."""
        return self.best_until(math.inf)

    def best_until(self, epoch: float) -> Row:
        """Return the best epoch up to the given one."""
        return max((row for row in self.rows if row["epoch"] <= epoch), key=self._rank)

    def _rank(self, row: Row) -> tuple[float, float]:
        value = round_trip(row.get(self.monitor.name, math.nan))
        value = value if self.monitor.greater_is_better else -value
        loss = round_trip(row.get("valid_loss", math.nan))
        return (-math.inf if math.isnan(value) else value, -math.inf if math.isnan(loss) else -loss)

    def epochs_without_progress(self, first_epoch: int, *, by: float) -> int:
        """Return the number of epochs since the stage last improved on all epochs before by more than `by`."""
        count = 0
        for index, row in enumerate(self.rows):
            if row["epoch"] > first_epoch:
                best = max(self._rank(before)[0] for before in self.rows[:index])
                count = 0 if self._rank(row)[0] > best + by else count + 1
        return count
