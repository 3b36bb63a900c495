"""The rule of a split: its percentages and its seed."""

from __future__ import annotations

from typing import NamedTuple


class SplitRule(NamedTuple):
    """The settings of a split; each setting has a split of its own, saved separately."""

    valid: int  # percent of each class
    test: int
    seed: int

    def __str__(self) -> str:
        """Return its name in the ledger and in splits.csv."""
        return f"valid {self.valid} test {self.test} seed {self.seed}"


USUAL = SplitRule(valid=20, test=10, seed=42)
