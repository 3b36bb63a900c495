"""Step 1: read the class folders, split the images, and warn of problems before the training takes time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import TrainingError
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.load_pictures import SplitPart, load_pictures
from harvest.splits.persist import load_split, load_training_contents, save_split
from harvest.splits.split_images import make_split
from harvest.splits.split_rule import SplitRule
from harvest.training import run_directory
from harvest.training.metrics import read_cost_matrix
from harvest.training.split_warnings import find_warnings

if TYPE_CHECKING:
    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.split_images import Split
    from harvest.training.objects_shared_by_steps import Session

_NAMED = 3  # skipped files in messages of their own; the report lists all


class TrainingData(NamedTuple):
    """The labelled images, and their split into train, valid and test."""

    pictures: LabelledPictures
    split: Split


def read_folders(session: Session) -> TrainingData:
    """Read the images of a tree, and split them into train, valid and test."""
    options, progress = session.options, session.progress
    progress.step(f"folders → splits: {options.tree}")
    with session.processes.first_goes_first():
        pictures = load_pictures(options.tree, say=progress.info, tick=progress.tick, cache=options.store)
        if session.processes.is_first and not options.resume:
            run_directory.create_directory(session.run.path, options)
        split = _make_split(session, pictures)
        if session.processes.is_first:
            save_split(pictures, split, session.run.path, copy_in=options.runs, say=progress.info)
    _report_split(session, pictures, split)
    if options.rounds and not len(split.rows(SplitPart.VALID)):
        raise TrainingError(
            "the validation set is empty: every class has only one image, or near-duplicates of one.",
            "Add different images. --epochs 0 trains the head only, which needs no validation set.",
        )
    return TrainingData(pictures, split)


def _make_split(session: Session, pictures: LabelledPictures) -> Split:
    """Split the images; what `--model RUN` was trained on is excluded from valid and test."""
    options = session.options
    rule = SplitRule(options.valid, options.test, options.seed)
    before = dict.fromkeys(load_training_contents(Path(options.source)), SplitPart.TRAIN)
    return make_split(
        pictures,
        find_leak_groups(pictures, say=session.progress.info),
        valid=options.valid,
        test=options.test,
        seed=options.seed,
        remembered=before | dict(load_split(pictures, options.runs, session.run.path, rule=rule)),
    )


def _report_split(session: Session, pictures: LabelledPictures, split: Split) -> None:
    counts = ", ".join(f"{len(split.rows(part)):,} {part}" for part in SplitPart)
    session.progress.info(f"{len(pictures.labels)} classes, {len(pictures.examples):,} images: {counts}")
    for note in split.notes:
        session.progress.info(note)
    for skipped in pictures.skipped[:_NAMED]:
        session.progress.warn(f"skipped {skipped.path}: {skipped.reason}")
    if len(pictures.skipped) > _NAMED:
        session.progress.warn(f"skipped {len(pictures.skipped) - _NAMED:,} more; the report lists them.")
    matrix, source = session.options.cost_matrix, Path(session.options.source)
    warnings = find_warnings(pictures, split, source=source, balanced=session.options.is_balanced)
    for warning in (*warnings, *(read_cost_matrix.cost_matrix_warnings(matrix, pictures.labels) if matrix else ())):
        session.progress.warn(warning)
