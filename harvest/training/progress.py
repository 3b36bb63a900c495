"""What a training says while it runs: steps, how far it is, and rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Progress(Protocol):
    """Somebody who listens."""

    def step(self, title: str) -> None:
        """Begin a step of the story."""

    def info(self, text: str) -> None:
        """Tell something that is worth knowing."""

    def warn(self, text: str) -> None:
        """Tell something that may surprise."""

    def tick(self, done: int, total: int) -> None:
        """Tell how far the step is."""

    def row(self, values: Mapping[str, float]) -> None:
        """Tell one row of the table of epochs."""


class NoProgress:
    """Nobody listens: the other processes of a run, and Python callers who want quiet."""

    def step(self, title: str) -> None:
        """Say nothing."""

    def info(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    def tick(self, done: int, total: int) -> None:
        """Say nothing."""

    def row(self, values: Mapping[str, float]) -> None:
        """Say nothing."""


class RecordingProgress:
    """Passes everything on, and remembers the warnings for the report."""

    def __init__(self, teller: Progress) -> None:
        self.warnings: list[str] = []
        self.step, self.info, self.tick, self.row = teller.step, teller.info, teller.tick, teller.row
        self._warn = teller.warn

    def warn(self, text: str) -> None:
        """Tell something that may surprise."""
        self.warnings.append(text)
        self._warn(text)
