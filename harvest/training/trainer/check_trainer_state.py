"""Read trainer_state.json of a checkpoint. It may come from a stranger, so it is checked before the Trainer."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from transformers import TrainerState

from harvest.training.run_directory import read_text

if TYPE_CHECKING:
    from pathlib import Path

STATE = "trainer_state.json"  # the file that the Trainer writes last
_LARGEST = 1e15  # number: the Trainer computes with it
_REQUIRED = frozenset({"epoch", "train_batch_size"})
_KNOWN = frozenset(each.name for each in fields(TrainerState))
_COUNTS = ("global_step", "max_steps", "num_train_epochs", "train_batch_size")
_NUMBERS = (*_COUNTS, "epoch", "logging_steps", "eval_steps", "save_steps", "total_flos")


class SavedState(NamedTuple):
    """The number of epochs done at a checkpoint, and whether the training was stopped there."""

    epochs: int
    stopped: bool


def read_state(checkpoint: Path) -> SavedState:
    """Return the state of a checkpoint; raise OSError, ValueError or RecursionError if it is damaged."""
    document = json.loads(read_text(checkpoint / STATE))
    if not isinstance(document, dict) or not _REQUIRED <= document.keys() <= _KNOWN:
        raise ValueError("it is not the state of a Trainer")
    for name in _NUMBERS:
        _check_number(name, document.get(name, 0), whole=name in _COUNTS)
    if checkpoint.name != f"checkpoint-{document.get('global_step')}":
        raise ValueError("it is the state of another step")
    log, callbacks = document.get("log_history") or [], document.get("stateful_callbacks") or {}
    if not (isinstance(log, list) and isinstance(callbacks, dict) and "TrainerControl" in callbacks):
        raise ValueError("its log or its callbacks are damaged")
    return SavedState(round(document["epoch"]), _was_stopped(callbacks))


def _check_number(name: str, value: object, *, whole: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004 - a value of the file, not of a caller
    if not 0 <= value <= _LARGEST or not math.isfinite(value):
        raise ValueError(f"{name} cannot be {value!r:.60}")


def _was_stopped(callbacks: dict[str, Any]) -> bool:
    try:
        return callbacks["TrainerControl"]["args"]["should_training_stop"] is True
    except (LookupError, TypeError):  # of another version of transformers
        return False
