"""Read the options of a run from its options.json, which may come from anyone: every value is checked."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.errors import TrainingError, UsageError
from harvest.training.run_directory import read_text
from harvest.training.training_options import TrainingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TEXT = 4096  # characters: the longest path of Linux


def read_options(run: Path) -> TrainingOptions:
    """Return the options that a run was started with."""
    path = run / "options.json"
    try:
        return options_from_json(json.loads(read_text(path)))
    except (OSError, ValueError, TypeError, RecursionError, UsageError) as error:
        raise TrainingError(
            f"{path} does not contain the options of a run: {error}", "Start a new run, without --resume."
        ) from None


def options_from_json(document: Mapping[str, Any]) -> TrainingOptions:
    """Return the options in a document; raise TypeError or ValueError for another document."""
    if not isinstance(document, dict) or not isinstance(document.get("tree"), str):
        raise TypeError("it has no options")
    known = {each.name for each in fields(TrainingOptions)}
    values = {name: value for name, value in document.items() if name in known}
    _check_kinds(values)
    for name in ("tree", "out", "cost_matrix", "cache", "web_runtime"):
        values[name] = Path(values[name]) if values.get(name) is not None else None
    for name in ("callbacks", "export", "log", "lr"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    return TrainingOptions(**values)


def _check_kinds(values: Mapping[str, Any]) -> None:
    """Raise TypeError for a value that no command line can give: a text for a number, a number for a name."""
    for name, value in values.items():
        is_kind, may_be_none = _KINDS[name]
        if not (is_kind(value) or (may_be_none and value is None)):
            raise TypeError(f"{name} cannot be {value!r:.60}")


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_text(value: object) -> bool:
    """Return whether a value can be a name or a path: the system must be able to encode it."""
    if not isinstance(value, str) or "\0" in value or len(value) > MAX_TEXT:
        return False
    try:
        os.fsencode(value)
    except ValueError:
        return False
    return True


def _is_code(value: object) -> bool:
    """Return whether a value can name code: it is printed, so nothing in it may look like another line."""
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_code, value))


def _is_rate(value: object) -> bool:
    return value == "find" or (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))  # noqa: PLR2004


# What each option may be in options.json, and whether it may be null.
_KINDS: dict[str, tuple[Callable[[object], bool], bool]] = {
    **dict.fromkeys(("batch", "valid", "test", "seed", "keep", "n_augmentation", "save_every"), (_is_integer, False)),
    **dict.fromkeys(("size", "epochs", "patience"), (_is_integer, True)),
    **dict.fromkeys(("random_crop", "random_scale", "random_brightness"), (_is_integer, True)),
    **dict.fromkeys(("augment", "flip_left_right", "two_stage", "resume", "cpu", "from_scratch"), (_is_flag, False)),
    **dict.fromkeys(("tree", "model"), (_is_text, False)),
    **dict.fromkeys(("out", "cost_matrix", "cache", "web_runtime"), (_is_text, True)),
    **dict.fromkeys(("transform", "metric"), (_is_code, True)),
    **dict.fromkeys(("monitor", "class_weights"), (_is_code, False)),
    **dict.fromkeys(("callbacks", "export", "log"), (_are_names, False)),
    **dict.fromkeys(("min_delta", "mixup"), (_is_number, False)),
    "lr": (_is_rate, True),
}
