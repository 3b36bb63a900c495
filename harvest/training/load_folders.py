"""Step 1: class folders become an album and its parts, and what may surprise is said before it costs time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import TrainingError
from harvest.training import run_directory
from harvest.training.metrics import cost_matrix
from harvest.training.pictures.labelled_pictures import SplitPart, load_pictures
from harvest.training.pictures.leak_groups import find_leak_groups
from harvest.training.splits.persist import load_split, load_training_contents, save_split
from harvest.training.splits.split import SplitRule, make_split
from harvest.training.splits.warnings import find_warnings

if TYPE_CHECKING:
    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.session import Session
    from harvest.training.splits.split import Split

_NAMED = 3  # skipped files that are said one by one; the report has them all


class TrainingData(NamedTuple):
    """What there is to learn from, and who learns from what."""

    album: LabelledPictures
    split: Split


def read_folders(session: Session) -> TrainingData:
    """Read the pictures of a tree and deal them into train, valid and test."""
    options, teller = session.options, session.progress
    teller.step(f"folders → splits: {options.tree}")
    with session.processes.first_goes_first():
        album = load_pictures(options.tree, say=teller.info, tick=teller.tick, cache=options.store)
        if session.processes.is_first and not options.resume:
            run_directory.create_directory(session.run.path, options)
        split = _make_split(session, album)
        if session.processes.is_first:
            save_split(album, split, session.run.path, beside=options.runs, say=teller.info)
    _report_split(session, album, split)
    if options.rounds and not len(split.rows(SplitPart.VALID)):
        raise TrainingError(
            "no picture is left to choose an epoch by: each class has one, or twins of one.",
            "Add pictures that differ. --epochs 0 trains the head alone, which needs no choice.",
        )
    return TrainingData(album, split)


def _make_split(session: Session, album: LabelledPictures) -> Split:
    """Deal the pictures; those that an earlier run, from which this one begins, learned from are no exam."""
    options = session.options
    rule = SplitRule(options.valid, options.test, options.seed)
    before = dict.fromkeys(load_training_contents(Path(options.source)), SplitPart.TRAIN)
    return make_split(
        album,
        find_leak_groups(album, say=session.progress.info),
        valid=options.valid,
        test=options.test,
        seed=options.seed,
        remembered=before | dict(load_split(album, options.runs, session.run.path, rule=rule)),
    )


def _report_split(session: Session, album: LabelledPictures, split: Split) -> None:
    counts = ", ".join(f"{len(split.rows(part)):,} {part}" for part in SplitPart)
    session.progress.info(f"{len(album.labels)} classes, {len(album.examples):,} pictures: {counts}")
    for note in split.notes:
        session.progress.info(note)
    for skipped in album.skipped[:_NAMED]:
        session.progress.warn(f"skipped {skipped.path}: {skipped.reason}")
    if len(album.skipped) > _NAMED:
        session.progress.warn(f"skipped {len(album.skipped) - _NAMED:,} more; the report lists them.")
    matrix, source = session.options.cost_matrix, Path(session.options.source)
    told = find_warnings(album, split, source=source)
    for warning in (*told, *(cost_matrix.cost_matrix_warnings(matrix, album.labels) if matrix else ())):
        session.progress.warn(warning)
