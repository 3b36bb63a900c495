"""Which stages a training has, and whether a resumed one has a checkpoint to continue from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.training.trainer.checkpoints import Stage, latest_checkpoint

if TYPE_CHECKING:
    from harvest.training.session import Session

# Learning rates of the first and the last layer.
HEAD_ALONE = (1e-3, 1e-3)
PRETRAINED = (1e-5, 1e-4)  # as good as rates three times as high, and steadier from epoch to epoch
FROM_SCRATCH = (3e-3, 3e-3)


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
