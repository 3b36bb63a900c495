"""Step 1: class folders become an album and its parts, and what may surprise is said before it costs time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvest.errors import TrainingError
from harvest.training import run_directory
from harvest.training.metrics import cost_matrix
from harvest.training.pictures.labelled_pictures import Part, gather
from harvest.training.pictures.leak_groups import groups
from harvest.training.splits.split import (
    Rule,
    deal,
    learned_by,
    remember,
    remembered,
    warnings,
)

if TYPE_CHECKING:
    from harvest.training.pictures.labelled_pictures import Album
    from harvest.training.session import Session
    from harvest.training.splits.split import Split

_NAMED = 3  # skipped files that are said one by one; the report has them all


class Pictures(NamedTuple):
    """What there is to learn from, and who learns from what."""

    album: Album
    split: Split


def read_folders(session: Session) -> Pictures:
    """Read the pictures of a tree and deal them into train, valid and test."""
    options, teller = session.options, session.teller
    teller.step(f"folders → splits: {options.tree}")
    with session.processes.first_goes_first():
        album = gather(options.tree, say=teller.say, tick=teller.tick, cache=options.store)
        if session.processes.is_first and not options.resume:
            run_directory.make(session.run.path, options)
        split = _dealt(session, album)
        if session.processes.is_first:
            remember(album, split, session.run.path, beside=options.runs, say=teller.say)
    _tell(session, album, split)
    if options.rounds and not len(split.where(Part.VALID)):
        raise TrainingError(
            "no picture is left to choose an epoch by: each class has one, or twins of one.",
            "Add pictures that differ. --epochs 0 trains the head alone, which needs no choice.",
        )
    return Pictures(album, split)


def _dealt(session: Session, album: Album) -> Split:
    """Deal the pictures; those that an earlier run, from which this one begins, learned from are no exam."""
    options = session.options
    rule = Rule(options.valid, options.test, options.seed)
    before = dict.fromkeys(learned_by(Path(options.source)), Part.TRAIN)
    return deal(
        album,
        groups(album, say=session.teller.say),
        valid=options.valid,
        test=options.test,
        seed=options.seed,
        remembered=before | dict(remembered(album, options.runs, session.run.path, rule=rule)),
    )


def _tell(session: Session, album: Album, split: Split) -> None:
    counts = ", ".join(f"{len(split.where(part)):,} {part}" for part in Part)
    session.teller.say(f"{len(album.labels)} classes, {len(album.examples):,} pictures: {counts}")
    for note in split.notes:
        session.teller.say(note)
    for skipped in album.skipped[:_NAMED]:
        session.teller.warn(f"skipped {skipped.path}: {skipped.reason}")
    if len(album.skipped) > _NAMED:
        session.teller.warn(f"skipped {len(album.skipped) - _NAMED:,} more; the report lists them.")
    matrix, source = session.options.cost_matrix, Path(session.options.source)
    told = warnings(album, split, source=source)
    for warning in (*told, *(cost_matrix.cautions(matrix, album.labels) if matrix else ())):
        session.teller.warn(warning)
