"""Step 3: the whole network learns, from the frozen head on, and whichever was better is what stays."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from harvest.training.augment import view_function
from harvest.training.metrics.epoch_metrics import select_metrics
from harvest.training.out_of_memory import explain_out_of_memory
from harvest.training.pictures.labelled_pictures import SplitPart
from harvest.training.probabilities import held_out_probabilities
from harvest.training.read_files import read_text
from harvest.training.stages import plan_stages
from harvest.training.trainer import learning_rate_finder, schedule
from harvest.training.trainer.checkpoints import Stage, count_epochs_done, has_ended, latest_checkpoint
from harvest.training.trainer.epoch_table import EpochTable
from harvest.training.trainer.fit import fit_stage
from harvest.training.trainer.learning_rate_finder import FoundRate
from harvest.training.trainer.training_context import TrainingContext

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.head_training import FrozenHead
    from harvest.training.load_folders import TrainingData
    from harvest.training.network.network import Network
    from harvest.training.probabilities import Answers
    from harvest.training.run_directory import Row
    from harvest.training.session import Session

FINDER = "finder.json"
FROZEN, HEAD, TUNED = "frozen head", "head alone", "fine-tuned"  # what can be saved

_HIGHEST, _LARGEST = 1e3, 1e30  # of a rate and of a loss in finder.json


@dataclass(frozen=True, slots=True)
class FineTuned:
    """How the fine-tuning went."""

    rows: tuple[Row, ...]  # the first is the frozen head
    best: Row
    stages: tuple[Stage, ...]
    found: FoundRate | None  # by the learning-rate finder
    stopped: bool  # by the person
    gone: tuple[str, ...]  # pictures that went away meanwhile
    between: dict[str, Answers]  # what the network of an earlier stage said, where there are two

    @property
    def saved(self) -> str:
        """Which candidate the best epoch belongs to."""
        if not self.best["epoch"]:
            return FROZEN
        return TUNED if self.best["epoch"] > self.stages[-1].first_epoch else HEAD


def fine_tune(session: Session, network: Network, pictures: TrainingData, frozen: FrozenHead) -> FineTuned:
    """Fine-tune; the network is left as it was in its best epoch, of which the frozen head is the first."""
    options = session.options
    bench = _training_context(session, network, pictures, frozen)
    found = None
    whole = True
    between: dict[str, Answers] = {}
    stages = plan_stages(session)
    for stage in stages:
        if options.from_scratch and not bench.table.best["epoch"]:
            _reset_head(network, options.seed)
        if stage.whole and options.lr == "find":
            found = _find_rate(bench, session)
        rates = found.spread if found else stage.rates
        if not _has_ended(session, network, stage):
            session.progress.step(_title(stage._replace(rates=rates), session))
            session.progress.row(bench.table.rows[-1])
            whole = fit_stage(bench, stage._replace(rates=rates))
        if not whole:
            break
        learned = bench.table.best_until(stage.first_epoch + stage.epochs)["epoch"]
        if stage is not stages[-1] and session.processes.is_first and learned:
            between[HEAD] = held_out_probabilities(session, network, pictures)
    gone = tuple(sorted(bench.gone))
    if gone:
        session.progress.warn(f"{len(gone):,} pictures went away or broke meanwhile, {gone[0]} among them.")
    return FineTuned(tuple(bench.table.rows), bench.table.best, stages, found, not whole, gone, between)


def _training_context(
    session: Session, network: Network, pictures: TrainingData, frozen: FrozenHead
) -> TrainingContext:
    options = session.options
    measures = select_metrics(options, pictures.album.labels)
    return TrainingContext(
        network=network,
        album=pictures.album,
        split=pictures.split,
        options=options,
        run=session.run,
        progress=session.progress,
        processes=session.processes,
        measures=measures,
        table=EpochTable(_epochs_before(session, frozen.row), measures.monitor),
        view=view_function(options),
    )


def _reset_head(network: Network, seed: int) -> None:
    """Draw a new head: one solved on what random layers see is far from any that learns."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network.head.reset_parameters()


def _title(stage: Stage, session: Session) -> str:
    """Say what is done, and how many views of pictures go into one step."""
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


def _epochs_before(session: Session, frozen: Row) -> list[Row]:
    """Return the epochs that need not be done again: those up to the last checkpoint."""
    if not session.options.resume:
        return [frozen]
    done = 0
    for stage in plan_stages(session):
        begun = latest_checkpoint(session.run.checkpoints / stage.name)
        if begun is not None:
            done = stage.first_epoch + min(count_epochs_done(begun), stage.epochs)
    return [row for row in session.run.history() if row["epoch"] <= done] or [frozen]


def _has_ended(session: Session, network: Network, stage: Stage) -> bool:
    """Take back what was best at the last checkpoint of a resumed stage, and tell if that was its end."""
    begun = latest_checkpoint(session.run.checkpoints / stage.name) if session.options.resume else None
    if begun is None:
        return False
    with session.processes.first_goes_first():
        if session.processes.is_first:
            session.run.take_best(begun)
    if not has_ended(begun, stage):
        return False
    network.restore(session.run.path)
    return True


def _read_found_rate(path: Path) -> FoundRate | None:
    """Read the rate that was found; nothing where the file does not tell one."""
    try:
        found = FoundRate(**json.loads(read_text(path)))
        return found if _is_sound(found) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _is_sound(found: FoundRate) -> bool:
    """Return whether a curve is one of rates and losses, of which the last may not be finite."""
    return (
        0 < found.chosen < _HIGHEST
        and len(found.rates) == len(found.losses)
        and all(0 < rate < _HIGHEST for rate in found.rates)
        and all(abs(loss) < _LARGEST or not math.isfinite(loss) for loss in found.losses)
    )


def _find_rate(bench: TrainingContext, session: Session) -> FoundRate:
    """Look for the rate; every process looks at the same pictures, and a resumed run takes what was found."""
    path = session.run.path / FINDER
    if session.options.resume and (before := _read_found_rate(path)):
        return before
    session.progress.step("looking for the learning rate")
    network, options = bench.network, bench.options
    schedule.unfreeze(network.model)
    if not options.from_scratch:
        schedule.freeze_batch_norm(network.model)
    model: Any = network.model
    model.to(session.processes.device)
    with (
        explain_out_of_memory(options.batch * options.n_augmentation, network.size),
        bench.cpu_workers() as hands,
    ):
        found = learning_rate_finder.find_learning_rate(
            network.model,
            bench.dataset(SplitPart.TRAIN),
            bench.loss.compute,
            hands,
            batch=options.batch,
            seed=options.seed,
            teller=session.progress,
        )
    session.progress.info(f"found {found.chosen:.1e}")
    if session.processes.is_first:
        session.run.write_json(FINDER, asdict(found))
    return found
