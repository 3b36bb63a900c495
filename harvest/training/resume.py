"""Which options a resumed run takes from its directory, and which from the command line alone.

A run directory may come from anybody. What names code, or a place to write, is never read back from it.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harvest.training.training_options import TrainingOptions


def code_options(options: TrainingOptions) -> list[tuple[str, str]]:
    """List the options that name code, with their values."""
    named = [("--callback", each) for each in options.callbacks]
    named += [("--metric", options.metric)] if options.metric else []
    named += [("--transform", options.transform)] if options.transform else []
    named += [("--monitor", options.monitor)] if ":" in options.monitor else []
    return named


def code_words(options: TrainingOptions) -> str:
    """Return the options that name code as they are typed; each run that goes on needs them again."""
    return _as_option(code_options(options))


def merge_options(asked: TrainingOptions, begun: TrainingOptions, run: Path) -> TrainingOptions:
    """Return the options of a run that goes on: as it was begun, but for what the command line must say."""
    _check_code(code_options(asked), code_options(begun), run)
    if (matrix := begun.cost_matrix) and not os.path.isfile(matrix):  # noqa: PTH113 - pathlib raises on long names
        raise UsageError(f"{run} was begun with --cost-matrix {matrix}, which is not a file.", "Put it back.")
    return replace(begun, resume=True, out=run, tree=asked.tree, cpu=asked.cpu, cache=asked.cache)


def _check_code(asked: list[tuple[str, str]], begun: list[tuple[str, str]], run: Path) -> None:
    """Refuse to go on unless the command line names the same code as the one that began the run."""
    missing = [each for each in begun if each not in asked]
    if not missing:
        return
    other = [each for each in asked if each[0] in dict(missing) and each not in begun]
    instead = f", not with {_as_option(other)}" if other else ""
    raise UsageError(
        f"{run} was begun with {_as_option(begun)}{instead}. Code is run only if this command names it.",
        f"If it is yours, or you trust it, add {_as_option(missing)}"
        + (f" in place of {_as_option(other)}." if other else "."),
    )


def _as_option(options: Iterable[tuple[str, str]]) -> str:
    return shlex.join(word for option in options for word in option)
