"""The report of a run: everything that the steps found out, told to report.html."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from harvest import __version__
from harvest.training import report as pages
from harvest.training.metrics.epoch_metrics import select_metrics
from harvest.training.output_files import predictions
from harvest.training.probabilities import HELD_OUT_PARTS
from harvest.training.report import Candidate, RateSearch, ReportData
from harvest.training.training_options import TrainingOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.training.evaluation import Evaluation
    from harvest.training.fine_tuning import FineTuned
    from harvest.training.head_training import FrozenHead
    from harvest.training.load_folders import TrainingData
    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.session import Session
    from harvest.training.splits.split import Split

LIBRARIES = ("torch", "transformers", "accelerate", "scikit-learn", "pillow")


def write_run_report(
    session: Session, pictures: TrainingData, frozen: FrozenHead, tuned: FineTuned, judged: Evaluation
) -> None:
    """Write report.html."""
    album, split = pictures
    options = session.options
    measures = select_metrics(options, album.labels)
    found = tuned.found
    pages.write(
        session.run.path,
        ReportData(
            title=f"{album.root.resolve().name}: {session.run.path.name}",
            labels=album.labels,
            tree=album.root,
            network=frozen.about,
            line=command_line(options),
            began=f"{session.began:%Y-%m-%d %H:%M}",
            seconds=(datetime.now().astimezone() - session.began).total_seconds(),
            split=split.table(album),
            notes=split.notes,
            warnings=session.progress.warnings,
            skipped=album.skipped,
            history=tuned.rows,
            kept=tuned.best["epoch"],
            candidates=list(_candidates(album, split, judged)),
            metrics=list(measures.by_name.values()),
            predictions=judged.predictions,
            knew=judged.learned_before,
            learning_curve=frozen.curve,
            search=RateSearch(list(zip(found.rates, found.losses, strict=True)), found.chosen) if found else None,
            options={name: value for name, value in options.as_json().items() if value not in {None, "", ()}},
            versions={
                "harvest": __version__,
                "Python": sys.version.partition(" ")[0],
                **{name: version(name) for name in LIBRARIES},
            },
        ),
    )


def _candidates(album: LabelledPictures, split: Split, judged: Evaluation) -> Iterator[Candidate]:
    for name, judgements in judged.candidates.items():
        answers = []
        for part in HELD_OUT_PARTS:
            rows = split.rows(part).tolist()
            answers += predictions(album.subset(rows), judged.answers[name][part], [0] * len(rows))
        yield Candidate(name, judgements, saved=name == judged.saved, answers=answers)


def command_line(options: TrainingOptions) -> str:
    """Return the line that does the same again, into a new directory.

    >>> from pathlib import Path
    >>> command_line(TrainingOptions(Path("my snakes"), epochs=8, lr=(1e-5, 1e-4)))
    "harvest train 'my snakes' --epochs 8 --lr 1e-05 0.0001"
    """
    usual = TrainingOptions(options.tree)
    words = ["harvest", "train", str(options.tree)]
    for name in TrainingOptions.__slots__:
        value = getattr(options, name)
        if name in {"tree", "out", "resume"} or value == getattr(usual, name):
            continue
        option = "--" + name.removesuffix("s" if name == "callbacks" else "\0").replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif name == "lr" and isinstance(value, tuple):
            words += [option, *map(str, value)]
        elif name == "callbacks":
            words += [word for each in value for word in (option, each)]
        else:
            words += [option, ",".join(value) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)
