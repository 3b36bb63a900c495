"""The stages of a fine-tuning, and the checkpoints of a stage."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from harvest.training.trainer.check_trainer_state import read_state

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.objects_shared_by_steps import Session

# Learning rates of the first and the last layer.
HEAD_ALONE = (1e-3, 1e-3)
PRETRAINED = (1e-5, 1e-4)  # as good as rates three times as high, and steadier from epoch to epoch
FROM_SCRATCH = (3e-3, 3e-3)

_NUMBERED = re.compile(r"checkpoint-[0-9]{1,18}")


class Stage(NamedTuple):
    """One training of the whole network or of its head only."""

    name: str
    epochs: int
    first_epoch: int  # number of epochs before the stage
    rates: tuple[float, float]  # of the first layer and the last
    whole: bool = True


def plan_stages(session: Session) -> tuple[Stage, ...]:
    """Return the stages of the training; none if only the head is trained (`--epochs 0`)."""
    options = session.options
    default = FROM_SCRATCH if options.from_scratch else PRETRAINED
    rates = options.lr if isinstance(options.lr, tuple) else default
    epochs = options.rounds
    if not epochs:
        return ()
    if options.two_stage:
        return (
            Stage("frozen", epochs, 0, HEAD_ALONE, whole=False),
            Stage("unfrozen", epochs, epochs, rates),
        )
    return (Stage("unfrozen", epochs, 0, rates),)


def can_resume(session: Session) -> bool:
    """Return whether there is a checkpoint to resume from: a run killed before its first one starts anew."""
    return session.options.resume and any(
        latest_checkpoint(session.run.checkpoints / stage.name) for stage in plan_stages(session)
    )


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint; incomplete ones after it are deleted."""
    named = [path for path in folder.glob("checkpoint-*") if _NUMBERED.fullmatch(path.name)]
    for path in sorted(named, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        if _is_whole(path):
            return path
        shutil.rmtree(path, ignore_errors=True)
    return None


def count_epochs_done(checkpoint: Path) -> int:
    """Return the number of epochs done at a checkpoint."""
    return read_state(checkpoint).epochs


def has_ended(checkpoint: Path, stage: Stage) -> bool:
    """Return whether a stage was finished at a checkpoint: all epochs were done, or it was stopped early."""
    state = read_state(checkpoint)
    return state.stopped or state.epochs >= stage.epochs


def _is_whole(checkpoint: Path) -> bool:
    try:
        read_state(checkpoint)
    except (OSError, ValueError, RecursionError):
        return False
    return True
