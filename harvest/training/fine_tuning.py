"""Step 3: fine-tune the whole network, starting from the frozen head; the better of the two is saved."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from harvest.counts_as_text import count_images
from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.training.augment import view_function
from harvest.training.metrics.metrics_computed_each_epoch import select_metrics
from harvest.training.out_of_memory import explain_out_of_memory
from harvest.training.predict_probabilities import held_out_probabilities
from harvest.training.run_directory import read_text
from harvest.training.trainer import learning_rate_finder, optimizers
from harvest.training.trainer.find_best_epoch import EpochTable
from harvest.training.trainer.fit import fit_stage
from harvest.training.trainer.learning_rate_finder import FoundRate
from harvest.training.trainer.objects_shared_by_stages import TrainingContext
from harvest.training.trainer.plan_stages_and_find_checkpoints import (
    Stage,
    count_epochs_done,
    has_ended,
    latest_checkpoint,
    plan_stages,
)

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.head_training import FrozenHead
    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session
    from harvest.training.predict_probabilities import Answers
    from harvest.training.run_directory import Row

FINDER = "finder.json"
FROZEN, HEAD, TUNED = "frozen head", "head alone", "fine-tuned"  # the candidates

_HIGHEST, _LARGEST = 1e3, 1e30  # rate and loss in finder.json


@dataclass(frozen=True, slots=True)
class FineTuned:
    """The result of the fine-tuning."""

    rows: tuple[Row, ...]  # the first is the frozen head
    best: Row
    stages: tuple[Stage, ...]
    found: FoundRate | None  # with the learning-rate finder
    stopped: bool  # by the user, with Ctrl-C
    gone: tuple[str, ...]  # images that disappeared or broke during the training
    answers: dict[str, Answers]  # probabilities of the network after the first of two stages

    @property
    def saved(self) -> str:
        """The candidate of the best epoch."""
        if not self.best["epoch"]:
            return FROZEN
        return TUNED if self.best["epoch"] > self.stages[-1].first_epoch else HEAD


def fine_tune(session: Session, network: Network, data: TrainingData, frozen_head: FrozenHead) -> FineTuned:
    """Fine-tune the network, and leave it with the weights of its best epoch; the frozen head is epoch 0."""
    options = session.options
    context = _training_context(session, network, data, frozen_head)
    found = None
    finished = True
    answers: dict[str, Answers] = {}
    stages = plan_stages(session)
    for stage in stages:
        if options.from_scratch and not context.table.best["epoch"]:
            _reset_head(network, options.seed)
        if stage.whole and options.lr == "find":
            found = _find_rate(context, session)
        rates = found.spread if found else stage.rates
        if not _has_ended(session, network, stage):
            session.progress.step(_title(stage._replace(rates=rates), session))
            session.progress.row(context.table.rows[-1])
            finished = fit_stage(context, stage._replace(rates=rates))
        if not finished:
            break
        best_epoch = context.table.best_until(stage.first_epoch + stage.epochs)["epoch"]
        if stage is not stages[-1] and session.processes.is_first and best_epoch:
            answers[HEAD] = held_out_probabilities(session, network, data)
    gone = tuple(sorted(context.gone))
    if gone:
        session.progress.warn(
            f"{count_images(len(gone))} disappeared or broke during the training, for example {gone[0]}."
        )
    return FineTuned(tuple(context.table.rows), context.table.best, stages, found, not finished, gone, answers)


def _training_context(
    session: Session, network: Network, data: TrainingData, frozen_head: FrozenHead
) -> TrainingContext:
    options = session.options
    measures = select_metrics(options, data.pictures.labels)
    return TrainingContext(
        network=network,
        pictures=data.pictures,
        split=data.split,
        options=options,
        run=session.run,
        progress=session.progress,
        processes=session.processes,
        measures=measures,
        table=EpochTable(_epochs_before(session, frozen_head.row), measures.monitor),
        view=view_function(options),
    )


def _reset_head(network: Network, seed: int) -> None:
    """Reset the head to random weights: one fitted on random features is a bad start for a training."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network.head.reset_parameters()


def _title(stage: Stage, session: Session) -> str:
    """Return the title of a stage, with its rates and its effective batch size."""
    options = session.options
    batch, views, processes = options.batch, options.n_augmentation, session.processes.count
    effective = f"batch {batch}"
    if views > 1:
        effective += f" × {views} views"
    if processes > 1:
        effective += f" × {processes} processes"
    if views * processes > 1:
        effective += f" = {batch * views * processes:,}"
    low, high = stage.rates
    rates = f"{low:.1e}" if low == high else f"{low:.1e} … {high:.1e}"
    what = "fine-tuning" if stage.whole else HEAD
    plural = "epoch" if stage.epochs == 1 else "epochs"
    return f"{what}: {stage.epochs} {plural}, rate {rates}, {effective}"


def _epochs_before(session: Session, frozen_head: Row) -> list[Row]:
    """Return the epochs that a resumed run does not repeat: those up to the last checkpoint."""
    if not session.options.resume:
        return [frozen_head]
    done = 0
    for stage in plan_stages(session):
        checkpoint = latest_checkpoint(session.run.checkpoints / stage.name)
        if checkpoint is not None:
            done = stage.first_epoch + min(count_epochs_done(checkpoint), stage.epochs)
    return [row for row in session.run.history() if row["epoch"] <= done] or [frozen_head]


def _has_ended(session: Session, network: Network, stage: Stage) -> bool:
    """Restore the best network of a resumed stage's last checkpoint; return whether the stage has ended."""
    checkpoint = latest_checkpoint(session.run.checkpoints / stage.name) if session.options.resume else None
    if checkpoint is None:
        return False
    with session.processes.first_goes_first():
        if session.processes.is_first:
            session.run.take_best(checkpoint)
    if not has_ended(checkpoint, stage):
        return False
    network.restore(session.run.path)
    return True


def _read_found_rate(path: Path) -> FoundRate | None:
    """Return the rate that an interrupted run found; None if finder.json is missing or damaged."""
    try:
        found = FoundRate(**json.loads(read_text(path)))
        return found if _is_sound(found) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _is_sound(found: FoundRate) -> bool:
    """Return whether all values are possible: losses can be infinite or NaN."""
    return (
        0 < found.chosen < _HIGHEST
        and len(found.rates) == len(found.losses)
        and all(0 < rate < _HIGHEST for rate in found.rates)
        and all(abs(loss) < _LARGEST or not math.isfinite(loss) for loss in found.losses)
    )


def _find_rate(context: TrainingContext, session: Session) -> FoundRate:
    """Search for the learning rate, on the same images in every process; a resumed run reuses the result."""
    path = session.run.path / FINDER
    if session.options.resume and (before := _read_found_rate(path)):
        return before
    session.progress.step("searching for the learning rate")
    network, options = context.network, context.options
    optimizers.unfreeze(network.model)
    if not options.from_scratch:
        optimizers.freeze_batch_norm(network.model)
    model: Any = network.model
    model.to(session.processes.device)
    with (
        explain_out_of_memory(options.batch * options.n_augmentation, network.size),
        context.cpu_workers() as workers,
    ):
        found = learning_rate_finder.find_learning_rate(
            network.model,
            context.dataset(SplitPart.TRAIN),
            context.loss.compute,
            workers,
            batch=options.batch,
            seed=options.seed,
            progress=session.progress,
        )
    session.progress.info(f"found {found.chosen:.1e}")
    if session.processes.is_first:
        session.run.write_json(FINDER, asdict(found))
    return found
