"""What a network makes of pictures, as it comes: for a person, as JSON, or as a table."""

from __future__ import annotations

import csv
import sys
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Self

from harvest.cli import console
from harvest.errors import UsageError
from harvest.files.names import escape_formula
from harvest.models import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from harvest.training.predictor import LabelProbability

    Ranked = Sequence[LabelProbability] | Refusal

_BAR = 24  # columns


class PredictionOutput:
    """Tells one picture after another, and keeps none; those that cannot be read are named on stderr."""

    def __init__(self, *, several: bool, top: int, as_json: bool, csv: str | None) -> None:
        self.read = self.unread = 0
        self._several = several
        self._top = top
        self._json = as_json
        self._csv = csv
        self._open = ExitStack()
        self._table: Any = None

    def __enter__(self) -> Self:
        """Open the table, and begin the document."""
        if self._csv is not None:
            self._table = csv.writer(self._file(self._csv), lineterminator="\n")
            more = [f"{name}_{number}" for number in range(2, self._top + 1) for name in ("label", "probability")]
            self._table.writerow(["picture", "label", "probability", *more, "error"])
        if self._json:
            print("[", end="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both, so that what was told can be read, however it ended."""
        self._open.close()
        if self._json and kind is not BrokenPipeError:
            print("\n]", flush=True)

    @property
    def is_interactive(self) -> bool:
        """Tell whether a person sees the answers come."""
        return (self._csv in {None, "-"} or self._json) and sys.stdout.isatty()

    def write(self, picture: Path, ranked: Ranked) -> None:
        """Tell what is on a picture, or why nobody knows."""
        if self._json:
            self._as_json(picture, ranked)
        if self._table is not None:
            self._as_row(picture, ranked)
        if isinstance(ranked, Refusal):
            self.unread += 1
            console.warn(console.one_line(f"{picture}: {ranked.detail or ranked.verdict}"))
            return
        self.read += 1
        if not self._json and self._table is None:
            (self._as_line if self._several else self._as_bars)(picture, ranked)

    def _as_json(self, picture: Path, ranked: Ranked) -> None:
        told: dict[str, Any] = {"picture": str(picture)}
        if isinstance(ranked, Refusal):
            told["error"] = ranked.detail or ranked.verdict
        else:
            told["ranked"] = [guess._asdict() for guess in ranked]
        print("," if self.read + self.unread else "", console.as_json(told), sep="\n  ", end="")

    def _as_row(self, picture: Path, ranked: Ranked) -> None:
        guesses = () if isinstance(ranked, Refusal) else ranked
        cells = [text for guess in guesses for text in (_safe(guess.label), f"{guess.probability:.6f}")]
        cells += [""] * (2 * self._top - len(cells))
        self._table.writerow([_safe(picture), *cells, _safe(ranked.detail) if isinstance(ranked, Refusal) else ""])

    def _as_line(self, picture: Path, ranked: Sequence[LabelProbability]) -> None:
        """Tell the labels that fit: on a terminal the last ones would begin a line of their own."""
        told, *others = (console.one_line(f"{guess.label} {_percent(guess.probability)}") for guess in ranked)
        told = f"{console.one_line(picture)}  {told}"
        for other in others:
            if console.display_width(f"{told}, {other}") > console.terminal_width():
                break
            told += f", {other}"
        print(told, flush=True)

    def _as_bars(self, picture: Path, ranked: Sequence[LabelProbability]) -> None:
        print(console.one_line(picture))
        labels = [console.one_line(guess.label) for guess in ranked]
        width = max(console.display_width(label) for label in labels)
        for label, guess in zip(labels, ranked, strict=True):
            bar = "█" * round(guess.probability * _BAR)
            print(f"  {console.pad(label, width)}  {_percent(guess.probability):>7}  {bar}".rstrip())

    def _file(self, name: str) -> IO[str]:
        if name == "-":
            return sys.stdout
        try:
            file = open(name, "w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: PTH123, SIM115
        except OSError as error:
            raise UsageError(
                console.one_line(f"cannot write {name}: {error.strerror}"),
                "Name a file in a folder that is there.",
            ) from None
        return self._open.enter_context(file)


def _percent(share: float) -> str:
    """Write a probability as the training and the report write shares.

    >>> _percent(0.4884)
    '48.8 %'
    """
    return f"{100 * share:.1f} %"


def _safe(text: object) -> str:
    return escape_formula(console.one_line(text))
