"""Write the report of a run: collect the results of all steps for report.html."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from harvest import __version__
from harvest.labelled_pictures.find_files import SplitPart
from harvest.licences import Licence
from harvest.training import report as pages
from harvest.training.explain_predictions import explain_predictions
from harvest.training.metrics.metrics_computed_each_epoch import select_metrics
from harvest.training.predict_probabilities import HELD_OUT_PARTS
from harvest.training.report import Candidate, RateSearch, ReportData
from harvest.training.report.mistakes import list_to_explain
from harvest.training.result_files import predictions
from harvest.training.training_options import TrainingOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.split_images import Split
    from harvest.training.evaluation import Evaluation
    from harvest.training.fine_tuning import FineTuned
    from harvest.training.head_training import FrozenHead
    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session

LIBRARIES = ("torch", "transformers", "accelerate", "scikit-learn", "pillow")


def write_run_report(
    session: Session,
    data: TrainingData,
    frozen_head: FrozenHead,
    fine_tuned: FineTuned,
    evaluation: Evaluation,
    *,
    network: Network,
) -> None:
    """Write report.html, with what decides the predictions that it shows, and the model card."""
    report = _collect(session, data, frozen_head, fine_tuned, evaluation)
    explained = explain_predictions(network, data.pictures.reader, list_to_explain(report))
    pages.write(session.run.path, replace(report, heat=explained))


def _collect(
    session: Session, data: TrainingData, frozen_head: FrozenHead, fine_tuned: FineTuned, evaluation: Evaluation
) -> ReportData:
    """Collect the results of all steps."""
    pictures, split = data
    options = session.options
    measures = select_metrics(options, pictures.labels)
    found = fine_tuned.found
    return ReportData(
        title=f"{pictures.root.resolve().name}: {session.run.path.name}",
        labels=pictures.labels,
        images=pictures.reader,
        network=frozen_head.about,
        line=command_line(options),
        began=f"{session.began:%Y-%m-%d %H:%M}",
        seconds=(datetime.now().astimezone() - session.began).total_seconds(),
        split=split.table(pictures),
        notes=split.notes,
        warnings=session.progress.warnings,
        skipped=pictures.skipped,
        history=fine_tuned.rows,
        kept=fine_tuned.best["epoch"],
        candidates=list(_candidates(pictures, split, evaluation)),
        metrics=list(measures.by_name.values()),
        predictions=evaluation.predictions,
        knew=evaluation.learned_before,
        learning_curve=frozen_head.curve,
        search=RateSearch(list(zip(found.rates, found.losses, strict=True)), found.chosen) if found else None,
        calibration=evaluation.calibration,
        options={name: value for name, value in options.as_json().items() if value not in {None, "", ()}},
        licences=_count_licences(pictures, split),
        versions={
            "harvest": __version__,
            "Python": sys.version.partition(" ")[0],
            **{name: version(name) for name in LIBRARIES},
        },
    )


def _count_licences(pictures: LabelledPictures, split: Split) -> Counter[str]:
    """Count the training images by their licence according to the ledger; unknown ones are `NOASSERTION`."""
    licences = pictures.ledger_facts.licences
    rows = split.rows(SplitPart.TRAIN).tolist()
    return Counter(Licence(licences.get(pictures.examples[row].content)).spdx for row in rows)


def _candidates(pictures: LabelledPictures, split: Split, evaluation: Evaluation) -> Iterator[Candidate]:
    for name, evaluations in evaluation.candidates.items():
        answers = []
        for part in HELD_OUT_PARTS:
            rows = split.rows(part).tolist()
            answers += predictions(pictures.subset(rows), evaluation.answers[name][part], [0] * len(rows))
        yield Candidate(name, evaluations, saved=name == evaluation.saved, answers=answers)


def command_line(options: TrainingOptions) -> str:
    """Return the command that repeats the run in a new directory.

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
