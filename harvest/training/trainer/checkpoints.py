"""The stages of a fine-tuning, and how far the checkpoints of a stage have come."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from harvest.training.trainer.trainer_state import read_state

if TYPE_CHECKING:
    from pathlib import Path

_NUMBERED = re.compile(r"checkpoint-[0-9]{1,18}")


class Stage(NamedTuple):
    """One fine-tuning: all of the network, or its head alone."""

    name: str
    epochs: int
    first_epoch: int  # epochs before it
    rates: tuple[float, float]  # of the first layer and the last
    whole: bool = True


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end; what was cut off goes."""
    named = [path for path in folder.glob("checkpoint-*") if _NUMBERED.fullmatch(path.name)]
    for path in sorted(named, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        if _is_whole(path):
            return path
        shutil.rmtree(path, ignore_errors=True)
    return None


def count_epochs_done(checkpoint: Path) -> int:
    """Return how many epochs a checkpoint has behind it."""
    return read_state(checkpoint).epochs


def has_ended(checkpoint: Path, stage: Stage) -> bool:
    """Tell whether a stage had nothing left to do at a checkpoint: all its epochs were done, or enough."""
    state = read_state(checkpoint)
    return state.stopped or state.epochs >= stage.epochs


def _is_whole(checkpoint: Path) -> bool:
    try:
        read_state(checkpoint)
    except (OSError, ValueError, RecursionError):
        return False
    return True
