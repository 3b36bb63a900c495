"""Progress of a training on a terminal: its steps, a bar for slow ones, and the table of epochs."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from harvest.cli import console
from harvest.cli.shortened_lists import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIDTH = 28  # columns of the bar
SOON = 0.5  # seconds before the bar of a step is shown
LEAST = 7  # columns of a figure: -0.1234
OFTEN = 0.1  # seconds between updates of the bar


class TerminalProgress:
    """Shows the progress of a training on stderr; with `quiet`, only warnings."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._moves = sys.stderr.isatty() and not quiet
        self._step = 0
        self._since = self._shown = time.monotonic()
        self._bar = False
        self._columns: dict[str, int] = {}

    def step(self, title: str) -> None:
        """Start a numbered step."""
        self._step += 1
        self._columns = {}
        self._since = time.monotonic()
        self._print(f"\n{self._step}  {console.one_line(title)}")

    def info(self, text: str) -> None:
        """Print information about the step."""
        for line in text.split("\n"):
            self._print(f"   {console.one_line(line)}")

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._clear()
        console.warn(console.one_line(text))

    def tick(self, done: int, total: int) -> None:
        """Show the progress of the step: a bar on a terminal, nothing in a file."""
        now = time.monotonic()
        if done >= total:
            self._clear()
            self._since = now
        elif self._moves and now - self._since > SOON and now - self._shown > OFTEN:
            self._shown = now
            left = (now - self._since) / max(done, 1) * (total - done)
            full = round(WIDTH * done / total)
            bar = "━" * full + "╌" * (WIDTH - full)
            self._write(f"\r   {bar} {done:,} of {total:,} · {console.format_duration(left)} left\x1b[K")
            self._bar = True

    def row(self, values: Mapping[str, float]) -> None:
        """Print a row of the table of epochs; the first row is preceded by the header."""
        if not self._columns:
            self._columns = _columns(values, console.terminal_width(sys.stderr))
            self._print(
                "   "
                + "  ".join(
                    f"{shorten(console.one_line(name), width):>{width}}" for name, width in self._columns.items()
                )
            )
        self._print(
            "   " + "  ".join(f"{_cell(name, values.get(name)):>{width}}" for name, width in self._columns.items())
        )

    def _print(self, text: str) -> None:
        self._clear()
        if not self._quiet:
            self._write(f"{text}\n")

    def _clear(self) -> None:
        if self._bar:
            self._write("\r\x1b[K")
            self._bar = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # a closed terminal must not end the training
            self._quiet, self._moves, self._bar = True, False, False


def _columns(names: Iterable[str], room: int) -> dict[str, int]:
    """Return the width of each column; if they do not fit, the widest are narrowed.

    >>> _columns(["epoch", "accuracy", "average_precision"], 40)
    {'epoch': 7, 'accuracy': 8, 'average_precision': 17}
    >>> _columns(["epoch", "accuracy", "average_precision"], 34)
    {'epoch': 7, 'accuracy': 8, 'average_precision': 12}
    """
    widths = {name: max(len(name), LEAST) for name in names}
    over = sum(widths.values()) + 2 * len(widths) + 1 - room  # two columns between, three before
    for _ in range(over):
        widest = max(widths, key=widths.__getitem__)
        if widths[widest] <= LEAST:
            break
        widths[widest] -= 1
    return widths


def _cell(name: str, value: float | None) -> str:
    """Return a value in the format of its column.

    >>> _cell("epoch", 3.0), _cell("time", 75.0), _cell("accuracy", 0.93456), _cell("train_loss", None)
    ('3', '1 min 15 s', '0.9346', '')
    """
    if value is None or math.isnan(value):
        return ""
    if name == "epoch":
        return f"{value:.0f}"
    return console.format_duration(value) if name == "time" else f"{value:.4f}"
