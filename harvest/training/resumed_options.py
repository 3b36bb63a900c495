"""Which options a resumed run takes from its directory, and which only from the command line.

A run directory may come from a stranger: options that name code, a place to write or a service that results are sent to
are never read from it.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.training.training_options import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harvest.training.training_options import TrainingOptions


def code_options(options: TrainingOptions) -> list[tuple[str, str]]:
    """Return the options that name code, with their values."""
    named = [("--callback", each) for each in options.callbacks]
    named += [("--metric", options.metric)] if options.metric else []
    named += [("--transform", options.transform)] if options.transform else []
    named += [("--monitor", options.monitor)] if ":" in options.monitor else []
    return named


def code_words(options: TrainingOptions) -> str:
    """Return the options that name code or a service, as they are typed: a resumed run needs them again."""
    log = [("--log", ",".join(options.log))] if set(options.log) & set(SERVICES) else []
    return _as_option([*code_options(options), *log])


def missing_services(options: TrainingOptions, original: TrainingOptions) -> list[str]:
    """Return the services that a run was logged to, and that this command does not name."""
    return [kind for kind in original.log if kind in SERVICES and kind not in options.log]


def merge_options(options: TrainingOptions, original: TrainingOptions, run: Path) -> TrainingOptions:
    """Return the options of a resumed run: the original ones, except those of the command line alone."""
    _check_code(code_options(options), code_options(original), run)
    if (matrix := original.cost_matrix) and not os.path.isfile(matrix):  # noqa: PTH113 - pathlib raises on long names
        raise UsageError(f"{run} was started with --cost-matrix {matrix}, which is not a file.", "Put the file back.")
    log = tuple(kind for kind in original.log if kind not in missing_services(options, original))
    return replace(original, resume=True, out=run, tree=options.tree, cpu=options.cpu, cache=options.cache, log=log)


def _check_code(options: list[tuple[str, str]], original: list[tuple[str, str]], run: Path) -> None:
    """Raise UsageError unless the command line names all code that the run was started with."""
    missing = [each for each in original if each not in options]
    if not missing:
        return
    other = [each for each in options if each[0] in dict(missing) and each not in original]
    instead = f", not with {_as_option(other)}" if other else ""
    raise UsageError(
        f"{run} was started with {_as_option(original)}{instead}. Code is only run if this command names it.",
        f"If you trust this code, add {_as_option(missing)}" + (f" instead of {_as_option(other)}." if other else "."),
    )


def _as_option(options: Iterable[tuple[str, str]]) -> str:
    return shlex.join(word for option in options for word in option)
