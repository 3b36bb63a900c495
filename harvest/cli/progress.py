"""Progress of a harvest: a live table on a terminal, else one line per class and source."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from harvest.cli import console
from harvest.errors import HarvestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from harvest.harvesting.summary import Summary, SummaryLine

# With more rows than this, the sources of a class share one row.
ROWS = 12


class HarvestProgress:
    """Shows the summary of a running harvest on stderr, as long as stderr is open."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title = title
        self._quiet = quiet
        self._live: Live | None = None
        self._ended: set[tuple[str, str]] = set()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self._quiet:
            return self
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            with self._ignore_closed_terminal():
                self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._ignore_closed_terminal():
            if self._live is not None:
                self._live.stop()

    def show(self, summary: Summary) -> None:
        """Show the current state of the run."""
        with self._ignore_closed_terminal():
            if self._live is not None:
                self._live.update(self._table(summary), refresh=True)
            elif not self._quiet:
                self._print_ended(summary)

    def say(self, what: str | HarvestError) -> None:
        """Print a note or an error above the table, such as a source that does not work."""
        with self._ignore_closed_terminal():
            if isinstance(what, HarvestError):
                console.error(what)
            elif not self._quiet:
                console.note(what)

    @contextmanager
    def _ignore_closed_terminal(self) -> Iterator[None]:
        """Stop printing when the terminal or the pipe is closed, which must not end the run."""
        try:
            yield
        except OSError:
            self._quiet, self._live = True, None

    def _print_ended(self, summary: Summary) -> None:
        if self._title:
            print(console.one_line(self._title), file=sys.stderr, flush=True)
            self._title = ""
        for key, line in summary.lines.items():
            if line.end and not line.left and key not in self._ended:
                self._ended.add(key)
                counts = ", ".join(f"{count} {name}" for name, count in line.columns().items() if count)
                name = f"{line.class_name} {line.provider.lower()}"
                text = f"{name}: {line.found} found ({line.end}); {counts or 'nothing new'}"
                print(console.printable(text), file=sys.stderr, flush=True)

    def _table(self, summary: Summary) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=None,
            title=Text(console.one_line(self._title)),
            title_justify="left",
            caption=self._status_line(summary),
        )
        table.caption_justify = "left"
        for name in ("class", "source"):
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        table.add_column("")
        for name in ("done", "kept", "dup", "small", "failed"):
            table.add_column(name, justify="right", no_wrap=True)
        before = ""
        for line in self._rows(summary):
            name = "" if line.class_name == before else line.class_name
            before = line.class_name
            table.add_row(Text(console.printable(name)), line.provider.lower(), *_cells(line))
        return table

    def _rows(self, summary: Summary) -> list[SummaryLine]:
        """Return one row per class and source if they fit, else the latest rows of one per class."""
        lines = [
            summary.lines[name, provider]
            for name in summary.classes
            for provider in summary.providers
            if (name, provider) in summary.lines
        ]
        if len(lines) > ROWS:
            lines = [summary.of_class(name) for name in dict.fromkeys(line.class_name for line in lines)]
        return lines[-ROWS:]

    def _status_line(self, summary: Summary) -> str:
        seconds = max(time.monotonic() - self._started, 0.001)
        total = summary.total()
        rate = f"{total.settled / seconds:.1f} images/s · {console.format_size(summary.bytes_read / seconds)}/s"
        return f"{rate} · {total.settled}/{total.found} · {console.format_duration(seconds)}"


def _cells(line: SummaryLine) -> tuple[ProgressBar | str, ...]:
    from rich.progress_bar import ProgressBar

    columns = line.columns()
    failed = columns["dead"] + columns["bad"] + columns["refused"]
    bar = ProgressBar(total=max(line.found, 1), completed=line.settled, width=16)
    counts = (columns["new"], columns["dup"], columns["small"], failed)
    return (bar, f"{line.settled}/{line.found}", *map(str, counts))
