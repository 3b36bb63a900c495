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
from harvest.training.augment import augmentation, views
from harvest.training.features.compute_features import compute
from harvest.training.fine_tuning import goes_on
from harvest.training.head import solve_head
from harvest.training.metrics.epoch_metrics import chosen
from harvest.training.network.model_files import CONFIG
from harvest.training.network.network import load, open_run
from harvest.training.out_of_memory import within_memory
from harvest.training.pictures.labelled_pictures import Part
from harvest.training.splits.split import learned_by
from harvest.training.trainer.fit import own_callbacks
from harvest.training.trainer.loss import Loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.training.features.compute_features import Features
    from harvest.training.head.solve_head import Point
    from harvest.training.load_folders import Pictures
    from harvest.training.network.network import Network
    from harvest.training.pictures.labelled_pictures import Album
    from harvest.training.run_directory import Row
    from harvest.training.session import Session
    from harvest.training.splits.split import Split

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frozen:
    """What the features of all pictures tell."""

    about: str  # the network
    features: NDArray[np.float32]
    probabilities: Floats  # of every picture, by the head that was solved on the training part
    out_of_fold: Floats  # of every picture, by a head that was solved without it
    folds: NDArray[np.int64]
    curve: tuple[Point, ...]
    row: Row  # the first of the table of epochs: candidate 0
    knew: bool = False  # whether the network had learned from these pictures before


def load_network(session: Session, pictures: Pictures) -> Network:
    """Fetch the pretrained network, with a head for these classes."""
    options = session.options
    chosen(options, pictures.album.labels)  # what a person's own parts are wrong in is said before the wait
    views(options)
    own_callbacks(options)
    if options.resume:
        _check_labels(session, pictures.album)
    with session.processes.first_goes_first():
        return load(
            options.source,
            pictures.album.labels,
            size=options.size,
            from_scratch=options.from_scratch,
            seed=options.seed,
            say=session.teller.say,
        )


def learn_head(session: Session, network: Network, pictures: Pictures) -> Frozen:
    """Solve the head, and ask the same features what else they know; then candidate 0 is on disk."""
    album, split = pictures
    options, teller = session.options, session.teller
    about = f"{network.source} at {network.size} px"
    teller.step(f"frozen features → head: {about} on {session.processes.device}")
    began = time.monotonic()
    features = _features(session, network, album, views=options.n_augmentation - 1)
    teller.say(f"features of {len(album.examples):,} pictures: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    solved = solve_head.solve(features, album.targets, split, len(album.labels))
    solved.put(network)
    strength = solved.strength
    out_of_fold, folds = solve_head.out_of_fold(
        features.values, album.targets, split.groups, len(album.labels), strength=strength
    )
    curve = []
    knew = not learned_by(Path(options.source)).isdisjoint(each.content for each in album.examples)
    if not options.from_scratch and not knew:  # random layers see too little to tell, others know too much
        curve = solve_head.learning_curve(features.values, album.targets, split, strength=strength)
    probabilities = solved.probabilities(features.values)
    frozen = Frozen(
        about=about,
        features=features.values,
        probabilities=probabilities,
        out_of_fold=out_of_fold,
        folds=folds,
        curve=tuple(curve),
        row=_row(session, album, split, probabilities),
        knew=knew,
    )
    teller.say(f"head, learning curve and suspects: {time.monotonic() - began:.1f} s")
    if session.processes.is_first and not goes_on(session):
        network.save(session.run.path)
        session.run.write_history([frozen.row])
    return frozen


def look_again(session: Session, network: Network, pictures: Pictures, frozen: Frozen) -> Frozen:
    """Look for suspects once more, with a network that began as random: before, it saw next to nothing.

    It has learned from the training part, wrong labels and all: fewer of those are suspected than should be.
    """
    album, split = pictures
    values = _features(session, network, album).values
    out_of_fold, folds = solve_head.out_of_fold(values, album.targets, split.groups, len(album.labels))
    return replace(frozen, features=values, out_of_fold=out_of_fold, folds=folds, knew=True)


def _features(session: Session, network: Network, album: Album, *, views: int = 0) -> Features:
    options, teller = session.options, session.teller
    with session.processes.first_goes_first(), within_memory(options.batch, network.size):
        return compute(
            network,
            album,
            cache=options.store,
            batch=options.batch,
            views=views,
            augmentation=augmentation(options),
            seed=options.seed,
            device=session.processes.device,
            tick=teller.tick,
            say=teller.warn,
        )


def _row(session: Session, album: Album, split: Split, probabilities: Floats) -> Row:
    """Return candidate 0 as an epoch, measured as all later ones are."""
    rows = split.where(Part.VALID)
    targets, answers = album.targets[rows], probabilities[rows]
    loss = Loss(album.targets[split.where(Part.TRAIN)], len(album.labels)).of(
        torch.from_numpy(np.log(np.maximum(answers, 1e-12))).float(), torch.from_numpy(targets)
    )
    return {
        "epoch": 0.0,
        "train_loss": math.nan,
        "valid_loss": float(loss),
        **chosen(session.options, album.labels).of(targets, answers),
        "time": math.nan,
    }


def _check_labels(session: Session, album: Album) -> None:
    """Refuse to go on with other classes than the run was begun with."""
    path = session.run.path
    before = open_run(path).labels if (path / CONFIG).exists() else album.labels
    if before == album.labels:
        return
    gone = [label for label in before if label not in album.labels]
    new = [label for label in album.labels if label not in before]
    told = [f"{word}: {', '.join(labels)}" for word, labels in (("gone", gone), ("new", new)) if labels]
    raise TrainingError(
        f"{path} was begun with other classes ({'; '.join(told)}).",
        f"Begin a new run from what it learned: --model {path}",
    )
