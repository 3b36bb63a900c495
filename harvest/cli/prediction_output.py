"""The output of `harvest predict`, image by image: for a terminal, as JSON or as CSV."""

from __future__ import annotations

import csv
import sys
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Self

from harvest.cli import console
from harvest.errors import UsageError
from harvest.files.check_names_and_cells import escape_formula
from harvest.models import Refusal

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from harvest.training.predictor import Classification

NONE_OF_THESE = "none of these"
_BAR = 24  # columns


class PredictionOutput:
    """Writes predictions one by one and keeps none in memory; unreadable images are reported on stderr."""

    def __init__(self, *, several: bool, top: int, as_json: bool, csv: str | None) -> None:
        self.read = self.unread = 0
        self._several = several
        self._top = top
        self._json = as_json
        self._csv = csv
        self._open = ExitStack()
        self._table: Any = None

    def __enter__(self) -> Self:
        """Open the table, and start the JSON document."""
        if self._csv is not None:
            self._table = csv.writer(self._file(self._csv), lineterminator="\n")
            more = [f"{name}_{number}" for number in range(2, self._top + 1) for name in ("label", "probability")]
            self._table.writerow(["image", "label", "probability", *more, "known", "similarity", "nearest", "error"])
        if self._json:
            print("[", end="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both, so that the output is valid even after an error."""
        self._open.close()
        if self._json and kind is not BrokenPipeError:
            print("\n]", flush=True)

    @property
    def is_interactive(self) -> bool:
        """Return whether the predictions are shown on a terminal."""
        return (self._csv in {None, "-"} or self._json) and sys.stdout.isatty()

    def write(self, image: Path, ranked: Classification | Refusal) -> None:
        """Write the labels of an image, or the reason why there are none."""
        if self._json:
            self._as_json(image, ranked)
        if self._table is not None:
            self._as_row(image, ranked)
        if isinstance(ranked, Refusal):
            self.unread += 1
            console.warn(console.one_line(f"{image}: {ranked.detail or ranked.verdict}"))
            return
        self.read += 1
        if not self._json and self._table is None:
            (self._as_line if self._several else self._as_bars)(image, ranked)

    def _as_json(self, image: Path, ranked: Classification | Refusal) -> None:
        entry: dict[str, Any] = {"image": str(image)}
        if isinstance(ranked, Refusal):
            entry["error"] = ranked.detail or ranked.verdict
        else:
            entry |= ranked.as_json()
        print("," if self.read + self.unread else "", console.as_json(entry), sep="\n  ", end="")

    def _as_row(self, image: Path, ranked: Classification | Refusal) -> None:
        if isinstance(ranked, Refusal):
            empty = [""] * (2 * self._top + 3)
            self._table.writerow([_safe(image), *empty, _safe(ranked.detail or ranked.verdict)])
            return
        cells = [text for guess in ranked for text in (_safe(guess.label), f"{guess.probability:.6f}")]
        cells += [""] * (2 * self._top - len(cells))
        if ranked.similarity is None:
            cells += ["", "", ""]
        else:
            cells += ["yes" if ranked.is_known else "no", f"{ranked.similarity:.4f}", _safe(ranked.nearest)]
        self._table.writerow([_safe(image), *cells, ""])

    def _as_line(self, image: Path, ranked: Classification) -> None:
        """Print the labels on one line; on a terminal, omit those that do not fit."""
        first, *others = (console.one_line(f"{guess.label} {_percent(guess.probability)}") for guess in ranked)
        unknown = "" if ranked.is_known else f"{NONE_OF_THESE}; the most probable is "
        text = f"{console.one_line(image)}  {unknown}{first}"
        for other in others:
            if console.display_width(f"{text}, {other}") > console.terminal_width():
                break
            text += f", {other}"
        print(text, flush=True)

    def _as_bars(self, image: Path, ranked: Classification) -> None:
        print(console.one_line(image))
        if not ranked.is_known:
            print(f"  {NONE_OF_THESE}: it is most like {console.one_line(ranked.nearest)} of the training images,")
            print(f"  with a similarity of only {ranked.similarity:.2f}. If it is one of the classes after all:")
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
                "Name a file in an existing folder.",
            ) from None
        return self._open.enter_context(file)


def _percent(share: float) -> str:
    """Return a probability as a percentage, as in the training report.

    >>> _percent(0.4884)
    '48.8 %'
    """
    return f"{100 * share:.1f} %"


def _safe(text: object) -> str:
    return escape_formula(console.one_line(text))
