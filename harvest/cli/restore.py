"""`harvest restore`: restore rejected images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console, open_dataset
from harvest.cli.completion import complete_first
from harvest.cli.find_named_pictures import split_dataset_argument
from harvest.cli.shortened_lists import (
    MOST,
    PLACES,
    print_list,
    print_next,
)
from harvest.cli.summary_table import print_table
from harvest.counts_as_text import count_images
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harvest.dataset import Dataset, Rejection, RejectionBatch

# The results of restoring: the file returns, it is downloaded again, or nothing is left of it.
RESULTS = {"back": "with a file", "to_fetch": "to fetch again", "lost": "lost"}


def restore(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATASET] [FILE|URL]...", autocompletion=complete_first, hidden=True),
    ] = None,
    class_names: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="Restore all rejected images of a class; repeatable."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Restore all rejected images.")] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Restore the last rejections, made on the page or in the folders.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Show what would be restored, and change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Restore rejected images: put the file back, or let the next get download it again.

    FILE is a path, class/name or a name; URL is the URL of an image or of its page. A path determines the
    dataset; without a path and without DATASET it is `dataset`. Without a selection, the images that can be
    restored are listed.
    """
    root, texts = split_dataset_argument(words or [])
    with open_dataset.open_dataset(root) as dataset:
        if dataset.changes.missing_files:
            raise open_dataset.missing_files_error(root, dataset.changes)
        open_dataset.print_changes_note(dataset, root)
        rejections = dataset.rejections()
        if not (texts or class_names or everything or last):
            _print_choice(dataset.last_batch(), root, rejections, as_json=as_json)
            return
        wanted = _find_named(dataset, root, texts) | _of_classes(rejections, class_names or [])
        if last:
            wanted.update(dataset.last_batch().pictures)
        chosen = [each for each in rejections if everything or each.id in wanted]
        if not dry_run:
            dataset.restore([each.id for each in chosen], by="cli")
        outcome, command = _outcome(dataset, chosen), open_dataset.name_get_command(dataset, root)
    if as_json:
        console.print_json({"dataset": str(root), "dry_run": dry_run, **outcome})
    else:
        _print_outcome(root, outcome, command, dry_run=dry_run)


# The selection.


def _find_named(dataset: Dataset, root: Path, texts: Sequence[str]) -> set[int]:
    """Return the ids of the named pictures; raise for an unknown name before anything is changed."""
    found = {text: dataset.find(text) for text in texts}
    for text, ids in found.items():
        if not ids:
            raise _unknown(dataset, root, text)
    for text, ids in found.items():
        states = {dataset.picture_history(number).state for number in ids}
        if "rejected" not in states:
            there = "is not rejected" if "present" in states else "is already restored; the next get downloads it"
            console.note(console.one_line(f"{text} {there}"))
    return {number for ids in found.values() for number in ids}


def _unknown(dataset: Dataset, root: Path, text: str) -> UsageError:
    name = text.rstrip("/").rpartition("/")[2]
    if any(each.class_name == name for each in dataset.rejections()):
        command = f"harvest restore {open_dataset.quote_path(root)} --class {open_dataset.quote_path(name)}"
        hint = f"To restore the whole class: {command}"
        return UsageError(console.one_line(f"{name} is a class, not an image."), hint)
    return open_dataset.unknown_picture_error(dataset, root, text)


def _of_classes(rejections: Sequence[Rejection], class_names: Sequence[str]) -> set[int]:
    there = {each.class_name for each in rejections}
    for name in class_names:
        if name not in there:
            guess = f"Classes with rejected images: {', '.join(sorted(there))}." if there else ""
            raise UsageError(console.one_line(f"no image of a class {name} was rejected."), console.one_line(guess))
    return {each.id for each in rejections if each.class_name in class_names}


# The result.


def _outcome(dataset: Dataset, chosen: Sequence[Rejection]) -> dict[str, list[str]]:
    """Group the names of pictures by the result of restoring them."""
    outcome: dict[str, list[str]] = {fate: [] for fate in RESULTS}
    for each in chosen:
        outcome[_predict_result(each)].append(_place(dataset, each))
    return outcome


def _predict_result(each: Rejection) -> str:
    if each.shelved:
        return "back"
    return "to_fetch" if each.hits else "lost"


def _place(dataset: Dataset, each: Rejection) -> str:
    """Return the current name of a picture: another picture may have taken the old one."""
    now = dataset.picture_history(each.id)
    return f"{now.class_name}/{now.name}"


def _print_outcome(root: Path, outcome: dict[str, list[str]], command: str, *, dry_run: bool) -> None:
    if not any(outcome.values()):
        print(" nothing to restore")
        return
    back, to_fetch, lost = (outcome[name] for name in ("back", "to_fetch", "lost"))
    _print_group(back, f"{'would be' if dry_run else 'back'} in {console.one_line(root)}/")
    _print_group(to_fetch, "to be downloaded again by the next get: the file is gone")
    _print_group(lost, "allowed again, but not downloadable: put the files back yourself")
    if dry_run:
        print(" nothing was changed")
    elif to_fetch:
        print()
        print_next([(command, "the command you harvested with")])


def _print_group(places: Sequence[str], what: str) -> None:
    if places:
        print(f" {count_images(len(places))} {what}")
        print_list([console.one_line(place) for place in places], MOST, more="--json shows them")


# The list of rejected images.


def _print_choice(last: RejectionBatch, root: Path, rejections: Sequence[Rejection], *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "dataset": str(root),
                "rejected": [
                    {"class": x.class_name, "name": x.name, "file": x.shelved, "own": x.own, "hits": x.hits}
                    for x in rejections
                ],
                "last": {"at": last.at, "by": last.by, "count": len(last.pictures)},
            }
        )
        return
    if not rejections:
        print(console.one_line(f" no image was rejected from {root}/"))
        return
    print(console.one_line(f" {count_images(len(rejections))} rejected from {root}/"))
    _print_counts(rejections)
    _print_last(rejections, last)
    line = f"harvest restore {open_dataset.quote_path(root)}"
    print()
    print_next(
        [
            (f"{line} --last", "the last rejections"),
            (f"{line} FILE", "by name, path or URL"),
            (f"{line} --class NAME", "all images of a class"),
            (f"{line} --all", "all rejected images"),
        ]
    )


def _print_last(rejections: Sequence[Rejection], last: RejectionBatch) -> None:
    batch = set(last.pictures)
    print(f"\n last rejections, {PLACES.get(last.by, last.by)}, {last.at[:10]} {last.at[11:16]} UTC")
    lines = [console.one_line(f"{each.class_name}/{each.name}") for each in rejections if each.id in batch]
    print_list(lines, MOST, more="--json shows them")


def _print_counts(rejections: Sequence[Rejection]) -> None:
    counts = Counter((each.class_name, _predict_result(each)) for each in rejections)
    used = [fate for fate in RESULTS if any(counted == fate for _, counted in counts)]
    table = [["class", *(RESULTS[fate] for fate in used)]]
    for name in sorted({name for name, _ in counts}):
        numbers = (counts[name, fate] for fate in used)
        table.append([name, *(f"{number:,}" if number else "–" for number in numbers)])
    print_table(table)
