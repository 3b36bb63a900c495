"""Step 2: a pretrained network as it is, and a head solved on its features: seconds, and most of the way."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from harvest.errors import TrainingError
from harvest.training.augment import make_augmentation, view_function
from harvest.training.features.compute_features import compute_features
from harvest.training.head import solve_head
from harvest.training.metrics.epoch_metrics import select_metrics
from harvest.training.network.model_files import CONFIG
from harvest.training.network.network import load_pretrained, open_trained_network
from harvest.training.out_of_memory import explain_out_of_memory
from harvest.training.pictures.labelled_pictures import SplitPart
from harvest.training.splits.persist import load_training_contents
from harvest.training.stages import can_resume
from harvest.training.trainer.fit import load_user_callbacks
from harvest.training.trainer.loss import Loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.training.features.compute_features import Features
    from harvest.training.head.solve_head import LearningCurvePoint
    from harvest.training.load_folders import TrainingData
    from harvest.training.network.network import Network
    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.run_directory import Row
    from harvest.training.session import Session
    from harvest.training.splits.split import Split

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FrozenHead:
    """What the features of all pictures tell."""

    about: str  # the network
    features: NDArray[np.float32]
    probabilities: Floats  # of every picture, by the head that was solved on the training part
    out_of_fold: Floats  # of every picture, by a head that was solved without it
    folds: NDArray[np.int64]
    curve: tuple[LearningCurvePoint, ...]
    row: Row  # the first of the table of epochs: candidate 0
    learned_before: bool = False  # whether the network had learned from these pictures before


def load_network(session: Session, pictures: TrainingData) -> Network:
    """Fetch the pretrained network, with a head for these classes."""
    options = session.options
    select_metrics(options, pictures.album.labels)  # what a person's own parts are wrong in is said before the wait
    view_function(options)
    load_user_callbacks(options)
    if options.resume:
        _check_labels(session, pictures.album)
    with session.processes.first_goes_first():
        return load_pretrained(
            options.source,
            pictures.album.labels,
            size=options.size,
            from_scratch=options.from_scratch,
            seed=options.seed,
            say=session.progress.info,
        )


def train_head(session: Session, network: Network, pictures: TrainingData) -> FrozenHead:
    """Solve the head, and ask the same features what else they know; then candidate 0 is on disk."""
    album, split = pictures
    options, teller = session.options, session.progress
    about = f"{network.source} at {network.size} px"
    teller.step(f"frozen features → head: {about} on {session.processes.device}")
    began = time.monotonic()
    features = _features(session, network, album, views=options.n_augmentation - 1)
    teller.info(f"features of {len(album.examples):,} pictures: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    solved = solve_head.solve_head(features, album.targets, split, len(album.labels))
    solved.install_in(network)
    strength = solved.strength
    out_of_fold, folds = solve_head.predict_out_of_fold(
        features.values, album.targets, split.groups, len(album.labels), strength=strength
    )
    curve = []
    knew = not load_training_contents(Path(options.source)).isdisjoint(each.content for each in album.examples)
    if not options.from_scratch and not knew:  # random layers see too little to tell, others know too much
        curve = solve_head.compute_learning_curve(features.values, album.targets, split, strength=strength)
    probabilities = solved.probabilities(features.values)
    frozen = FrozenHead(
        about=about,
        features=features.values,
        probabilities=probabilities,
        out_of_fold=out_of_fold,
        folds=folds,
        curve=tuple(curve),
        row=_row(session, album, split, probabilities),
        learned_before=knew,
    )
    teller.info(f"head, learning curve and suspects: {time.monotonic() - began:.1f} s")
    if session.processes.is_first and not can_resume(session):
        network.save(session.run.path)
        session.run.write_history([frozen.row])
    return frozen


def update_suspects(session: Session, network: Network, pictures: TrainingData, frozen: FrozenHead) -> FrozenHead:
    """Look for suspects once more, with a network that began as random: before, it saw next to nothing.

    It has learned from the training part, wrong labels and all: fewer of those are suspected than should be.
    """
    album, split = pictures
    values = _features(session, network, album).values
    out_of_fold, folds = solve_head.predict_out_of_fold(values, album.targets, split.groups, len(album.labels))
    return replace(frozen, features=values, out_of_fold=out_of_fold, folds=folds, learned_before=True)


def _features(session: Session, network: Network, album: LabelledPictures, *, views: int = 0) -> Features:
    options, teller = session.options, session.progress
    with session.processes.first_goes_first(), explain_out_of_memory(options.batch, network.size):
        return compute_features(
            network,
            album,
            cache=options.store,
            batch=options.batch,
            views=views,
            augmentation=make_augmentation(options),
            seed=options.seed,
            device=session.processes.device,
            tick=teller.tick,
            say=teller.warn,
        )


def _row(session: Session, album: LabelledPictures, split: Split, probabilities: Floats) -> Row:
    """Return candidate 0 as an epoch, measured as all later ones are."""
    rows = split.rows(SplitPart.VALID)
    targets, answers = album.targets[rows], probabilities[rows]
    loss = Loss(album.targets[split.rows(SplitPart.TRAIN)], len(album.labels)).compute(
        torch.from_numpy(np.log(np.maximum(answers, 1e-12))).float(), torch.from_numpy(targets)
    )
    return {
        "epoch": 0.0,
        "train_loss": math.nan,
        "valid_loss": float(loss),
        **select_metrics(session.options, album.labels).measure(targets, answers),
        "time": math.nan,
    }


def _check_labels(session: Session, album: LabelledPictures) -> None:
    """Refuse to go on with other classes than the run was begun with."""
    path = session.run.path
    before = open_trained_network(path).labels if (path / CONFIG).exists() else album.labels
    if before == album.labels:
        return
    gone = [label for label in before if label not in album.labels]
    new = [label for label in album.labels if label not in before]
    told = [f"{word}: {', '.join(labels)}" for word, labels in (("gone", gone), ("new", new)) if labels]
    raise TrainingError(
        f"{path} was begun with other classes ({'; '.join(told)}).",
        f"Begin a new run from what it learned: --model {path}",
    )
