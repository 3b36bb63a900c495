"""The whole job: open a dataset, choose and split its images, and write them in a format."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.counts_as_text import count, count_images
from harvest.dataset import Dataset
from harvest.dataset.compare_shards import how_to_repair
from harvest.dataset.ledger_and_lock import check_is_outside_datasets
from harvest.default_callbacks import ignore_message
from harvest.errors import DamagedShards, MissingFiles, ReadOnly, UsageError, name_missing_packages
from harvest.export.card_facts_from_ledger import read_card_facts
from harvest.export.collect_images import clean_text, collect_images
from harvest.export.common_files import write_common_files
from harvest.export.export_filters import choose_images
from harvest.export.export_options import ExportOptions
from harvest.export.leave_out_damaged import leave_out_damaged
from harvest.export.part_folder import check_is_free, write_folder
from harvest.export.read_or_make_split import read_split
from harvest.export.records import ExportDataset
from harvest.labelled_pictures.prediction_table import read_newest_predictions
from harvest.licences import NO_ASSERTION
from harvest.option_fields import expand_options, from_keywords, keyword_parameters

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from harvest.export.exporter import Exporter

_RESERVED = "LicenseRef-All-Rights-Reserved"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was exported, and to which folder."""

    out: Path
    options: ExportOptions
    dataset: ExportDataset


def export_dataset(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    say: Callable[[str], None] = ignore_message,
    tick: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> ExportResult:
    """Export a dataset to a new folder in a format that other programs read.

    The split is that of train.py with the same percentages and seed, and is remembered in the ledger. `say` is
    called with messages; `tick` with a step, the number of images that are done, and of all.
    """
    unknown = options.keys() - {parameter.name for parameter in _PARAMETERS}
    if unknown:
        raise TypeError(f"export_dataset() got an unexpected keyword argument {min(unknown)!r}")
    chosen = from_keywords(ExportOptions, options)
    source, target = (Path(os.path.abspath(path)) for path in (root, out))  # noqa: PTH100 - links stay
    check_is_free(target)
    check_is_outside_datasets(target)
    _check_packages(chosen.to, chosen.exporter)
    dataset = prepare_export(source, chosen, say=say, tick=tick)
    _write(dataset, chosen.exporter, target, tick)
    return ExportResult(target, chosen, dataset)


def prepare_export(
    root: Path,
    options: ExportOptions,
    *,
    say: Callable[[str], None] = ignore_message,
    tick: Callable[[str, int, int], None] | None = None,
) -> ExportDataset:
    """Return the records of an export, and say what it leaves out, before anything is written."""
    with _open(root, say) as dataset:
        if dataset.changes.missing_files:
            raise MissingFiles(
                f"{root}: {dataset.changes.missing_files}. Nothing was exported.",
                f"Is the drive attached? If you deleted them: harvest status {root} --accept-missing",
            )
        _mention_other_splits(dataset.split_rules(), str(options.split_rule), say)
        reading = (lambda done, total: tick("reading", done, total)) if tick else None
        pictures, split = read_split(root, options.split_rule, say=say, tick=reading)
        images = collect_images(pictures, split, dataset.list_provenance())
        images, left_out = choose_images(images, options)
        checking = (lambda done, total: tick("checking shards", done, total)) if tick else None
        images, damaged = leave_out_damaged(images, checking)
        if damaged:
            left_out["damaged in a shard"] = len(damaged)
        facts = read_card_facts(dataset, options.split_rule, left_out)
    classes = tuple(sorted({image.class_name for image in images}))
    predictions = read_newest_predictions(root.with_name(f"{root.name}.runs"))
    exported = ExportDataset(clean_text(root.name) or "dataset", classes, tuple(images), facts, predictions, damaged)
    _describe(exported, pictures.labels, left_out, say)
    for sentence in damaged.describe():
        say(sentence)
    if not images:
        if damaged:
            raise DamagedShards("no image is left to export: all are damaged in their shards.", how_to_repair(root))
        raise UsageError("no image is left to export.", "Use fewer of the options that leave out images.")
    problems = list(options.exporter.find_problems(exported))
    if problems:
        raise UsageError(f"the format {options.to} cannot hold this dataset:\n" + "\n".join(problems))
    return exported


def _mention_other_splits(remembered: list[str], rule: str, say: Callable[[str], None]) -> None:
    if remembered and rule not in remembered:
        say(
            f"trainings split this dataset by other rules ({', '.join(remembered)}), the export uses {rule}:"
            " --valid, --test and --seed choose another"
        )


def _open(root: Path, say: Callable[[str], None]) -> Dataset:
    try:
        return Dataset.open(root, say=say)
    except ReadOnly:
        say(f"{root} is read-only: the split is not remembered")
        return Dataset.open(root, read_only=True, say=say)


def _check_packages(name: str, exporter: Exporter) -> None:
    if missing := [package for package in exporter.packages if find_spec(package) is None]:
        raise UsageError(
            f"the format {name} needs {name_missing_packages(missing)}.",
            f"Install it: pip install {' '.join(missing)}",
        )


def _describe(
    exported: ExportDataset, labels: tuple[str, ...], left_out: Counter[str], say: Callable[[str], None]
) -> None:
    """Say what is exported, and what a reader must know of it."""
    for reason, number in left_out.items():
        say(f"{count_images(number)} left out: {reason}")
    if gone := sorted(set(labels) - set(exported.classes)):
        say(f"no image is left of {', '.join(gone)}: not exported as a class")
    if not exported.images:
        return
    counts = ", ".join(f"{len(exported.of_split(split)):,} {split}" for split in exported.splits)
    say(f"{count_images(len(exported.images))} of {count(len(exported.classes), 'class', 'classes')}: {counts}")
    licences = exported.count_licences()
    if unknown := licences[NO_ASSERTION]:
        say(f"{count_images(unknown)} without a known licence, marked {NO_ASSERTION}: --license open leaves them out")
    if reserved := licences[_RESERVED]:
        say(f"{count_images(reserved)} with all rights reserved, as stated: --license open leaves them out")
    say(f"{count(exported.count_groups_across_splits(), 'group spans', 'groups span')} splits")


def _write(dataset: ExportDataset, exporter: Exporter, out: Path, tick: Callable[[str, int, int], None] | None) -> None:
    total = len(dataset.images)

    def progress(done: int) -> None:
        if tick:
            tick("writing", done, total)

    with write_folder(out) as part:
        exporter.write(dataset, part, progress)
        write_common_files(dataset, exporter, part)


_PARAMETERS = keyword_parameters(ExportOptions)
export_dataset.__signature__ = expand_options(  # type: ignore[attr-defined]
    inspect.signature(export_dataset), _PARAMETERS
)
