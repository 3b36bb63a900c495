"""Report the progress of a training: its steps, messages and the table of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Progress(Protocol):
    """Receives the progress of a training."""

    def step(self, title: str) -> None:
        """Start a step."""

    def info(self, text: str) -> None:
        """Show information about the step."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def tick(self, done: int, total: int) -> None:
        """Show how much of the step is done."""

    def row(self, values: Mapping[str, float]) -> None:
        """Show a row of the table of epochs."""


class NoProgress:
    """Ignores the progress: for the other processes of a run, and for callers who want no output."""

    def step(self, title: str) -> None:
        """Do nothing."""

    def info(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""

    def tick(self, done: int, total: int) -> None:
        """Do nothing."""

    def row(self, values: Mapping[str, float]) -> None:
        """Do nothing."""


class RecordingProgress:
    """Passes everything on, and records the warnings for the report."""

    def __init__(self, progress: Progress) -> None:
        self.warnings: list[str] = []
        self.step, self.info, self.tick, self.row = progress.step, progress.info, progress.tick, progress.row
        self._warn = progress.warn

    def warn(self, text: str) -> None:
        """Show a warning."""
        self.warnings.append(text)
        self._warn(text)
