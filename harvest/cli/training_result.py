"""The result of a training, printed at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvest.cli import console
from harvest.cli.find_named_pictures import from_here
from harvest.cli.open_dataset import quote_path
from harvest.cli.shortened_lists import print_next
from harvest.counts_as_text import count_images
from harvest.errors import Interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.export_step import TrainingResult

_GAP = "\N{NO-BREAK SPACE}"
_PAIRS = 3  # of the most confused classes


def print_result(result: TrainingResult, *, as_json: bool, code: str = "") -> None:
    """Print the metrics, the output directory and the next steps; raise `Interrupted` for a stopped run.

    `code` holds the options that name code, which have to be repeated to resume a run.
    """
    if as_json:
        console.print_json(_document(result))
    else:
        _print(result)
    if result.fine_tuned.stopped:
        line = f"harvest train {_as_typed(result.tree)} --resume --out {_as_typed(result.path)} {code}".strip()
        raise Interrupted(
            f"stopped; the best epoch so far is saved: {result.fine_tuned.best['epoch']:.0f}.",
            f"To continue: {line}",
        )


def _print(result: TrainingResult) -> None:
    from harvest.training.metrics.evaluate_predictions import list_confused_pairs
    from harvest.training.predict_probabilities import HELD_OUT_PARTS
    from harvest.training.report.mistakes import list_suspects
    from harvest.training.report.result_text import result_text

    judged = result.evaluation
    epoch = int(result.fine_tuned.best["epoch"])
    saved = judged.saved + (f", epoch {epoch}" if epoch else "")
    print()
    print(console.one_line(f" {from_here(result.path)}/  {saved}"))
    confusion = None
    for part in HELD_OUT_PARTS:
        figures = judged.part_evaluation(part)
        if figures:
            print(f"   {part:<5}  {result_text(figures).replace(_GAP, ' ')}")
            confusion = figures.confusion if confusion is None else confusion + figures.confusion
    pairs = [] if confusion is None else list_confused_pairs(confusion, result.labels)
    for pair in pairs[:_PAIRS]:
        print(console.one_line(f"   confused: {pair.first} and {pair.second}, {_times(pair.count)}"))
    _print_suspects(len(list_suspects(judged.predictions)))
    path = _as_typed(result.path)
    print()
    print_next(
        [
            (f"open {path}/report.html", "metrics and mistakes"),
            (f"harvest predict {path} IMAGE", "classify an image"),
            (f"harvest serve {path}", "web page and API"),
        ]
    )


def _print_suspects(count: int) -> None:
    if count:
        print(f"   suspects: {count_images(count)} may be in the wrong folder: see report.html")


def _document(result: TrainingResult) -> dict[str, Any]:
    judged = result.evaluation
    return {
        "run": str(result.path),
        "saved": judged.saved,
        "epoch": int(result.fine_tuned.best["epoch"]),
        "stopped": result.fine_tuned.stopped,
        "candidates": {
            name: {judgement.part: judgement.as_json() for judgement in parts}
            for name, parts in judged.candidates.items()
        },
        "exports": result.differences,
    }


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _as_typed(path: Path) -> str:
    return quote_path(from_here(path))
