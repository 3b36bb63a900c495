"""Step 2: fit a head on the features of the frozen pretrained network, which takes seconds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from harvest.errors import TrainingError
from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.splits.persist import load_training_contents
from harvest.training.augment import make_augmentation, view_function
from harvest.training.features.compute_features import compute_features
from harvest.training.head import solve_head
from harvest.training.metrics.metrics_computed_each_epoch import select_metrics
from harvest.training.network.find_model_files import CONFIG
from harvest.training.network.network_with_classes import load_pretrained, open_trained_network
from harvest.training.out_of_memory import explain_out_of_memory
from harvest.training.trainer.fit import load_user_callbacks
from harvest.training.trainer.loss import Loss
from harvest.training.trainer.plan_stages_and_find_checkpoints import can_resume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.split_images import Split
    from harvest.training.features.compute_features import Features
    from harvest.training.head.solve_head import LearningCurvePoint
    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session
    from harvest.training.run_directory import Row

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FrozenHead:
    """The head fitted on frozen features, with the predictions and the learning curve that it gives."""

    about: str  # name and input size of the network
    features: NDArray[np.float32]
    probabilities: Floats  # of every image, by the head fitted on the training set
    out_of_fold: Floats  # of every image, by a head fitted without its fold
    folds: NDArray[np.int64]
    curve: tuple[LearningCurvePoint, ...]
    row: Row  # the first row of history.csv: candidate 0
    learned_before: bool = False  # whether the network was trained on these images in an earlier run


def load_network(session: Session, data: TrainingData) -> Network:
    """Load the pretrained network, with a head for these classes."""
    options = session.options
    # Load the user's code once now: its errors must come before the download, not after it.
    select_metrics(options, data.pictures.labels)
    view_function(options)
    load_user_callbacks(options)
    if options.resume:
        _check_labels(session, data.pictures)
    with session.processes.first_goes_first():
        return load_pretrained(
            options.source,
            data.pictures.labels,
            size=options.size,
            from_scratch=options.from_scratch,
            seed=options.seed,
            say=session.progress.info,
        )


def train_head(session: Session, network: Network, data: TrainingData) -> FrozenHead:
    """Fit the head, its out-of-fold predictions and its learning curve, and save it as candidate 0."""
    pictures, split = data
    options, progress = session.options, session.progress
    about = f"{network.source} at {network.size} px"
    progress.step(f"frozen features → head: {about} on {session.processes.device}")
    started = time.monotonic()
    features = compute_session_features(session, network, pictures, views=options.n_augmentation - 1)
    progress.info(f"features of {len(pictures.examples):,} images: {time.monotonic() - started:.1f} s")
    started = time.monotonic()
    balanced, classes = options.is_balanced, len(pictures.labels)
    head = solve_head.solve_head(features, pictures.targets, split, classes, balanced=balanced)
    head.install_in(network)
    strength = head.strength
    out_of_fold, folds = solve_head.predict_out_of_fold(
        features.values, pictures.targets, split.groups, classes, strength=strength, balanced=balanced
    )
    curve = []
    learned_before = not load_training_contents(Path(options.source)).isdisjoint(
        each.content for each in pictures.examples
    )
    # The curve would mislead for random layers, and for images that the network was trained on before.
    if not options.from_scratch and not learned_before:
        curve = solve_head.compute_learning_curve(
            features.values, pictures.targets, split, strength=strength, balanced=balanced
        )
    probabilities = head.probabilities(features.values)
    frozen_head = FrozenHead(
        about=about,
        features=features.values,
        probabilities=probabilities,
        out_of_fold=out_of_fold,
        folds=folds,
        curve=tuple(curve),
        row=_row(session, pictures, split, probabilities),
        learned_before=learned_before,
    )
    progress.info(f"head, learning curve and out-of-fold predictions: {time.monotonic() - started:.1f} s")
    if session.processes.is_first and not can_resume(session):
        network.save(session.run.path)
        session.run.write_history([frozen_head.row])
    return frozen_head


def update_suspects(session: Session, network: Network, data: TrainingData, frozen_head: FrozenHead) -> FrozenHead:
    """Repeat the out-of-fold predictions with a network trained from scratch: its random layers saw too little.

    It was trained on the training set with its wrong labels, so fewer of these are found than should be.
    """
    pictures, split = data
    values = compute_session_features(session, network, pictures).values
    out_of_fold, folds = solve_head.predict_out_of_fold(
        values, pictures.targets, split.groups, len(pictures.labels), balanced=session.options.is_balanced
    )
    return replace(frozen_head, features=values, out_of_fold=out_of_fold, folds=folds, learned_before=True)


def compute_session_features(
    session: Session, network: Network, pictures: LabelledPictures, *, views: int = 0
) -> Features:
    """Return the features of images with the settings of this training."""
    options, progress = session.options, session.progress
    with session.processes.first_goes_first(), explain_out_of_memory(options.batch, network.size):
        return compute_features(
            network,
            pictures,
            cache=options.store,
            batch=options.batch,
            views=views,
            augmentation=make_augmentation(options),
            seed=options.seed,
            device=session.processes.device,
            tick=progress.tick,
            say=progress.warn,
        )


def _row(session: Session, pictures: LabelledPictures, split: Split, probabilities: Floats) -> Row:
    """Return the row of candidate 0, with the metrics of all later epochs."""
    rows = split.rows(SplitPart.VALID)
    targets, probabilities = pictures.targets[rows], probabilities[rows]
    training = pictures.targets[split.rows(SplitPart.TRAIN)]
    loss = Loss(training, len(pictures.labels), balanced=session.options.is_balanced).compute(
        torch.from_numpy(np.log(np.maximum(probabilities, 1e-12))).float(), torch.from_numpy(targets)
    )
    return {
        "epoch": 0.0,
        "train_loss": math.nan,
        "valid_loss": float(loss),
        **select_metrics(session.options, pictures.labels).measure(targets, probabilities),
        "time": math.nan,
    }


def _check_labels(session: Session, pictures: LabelledPictures) -> None:
    """Raise TrainingError if the classes differ from those that the run was started with."""
    path = session.run.path
    before = open_trained_network(path).labels if (path / CONFIG).exists() else pictures.labels
    if before == pictures.labels:
        return
    missing = [label for label in before if label not in pictures.labels]
    new = [label for label in pictures.labels if label not in before]
    changes = [f"{word}: {', '.join(labels)}" for word, labels in (("missing", missing), ("new", new)) if labels]
    raise TrainingError(
        f"{path} was started with other classes ({'; '.join(changes)}).",
        f"Start a new run from its network: --model {path}",
    )
