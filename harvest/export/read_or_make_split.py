"""The split of a dataset: the one that train.py made, or the one that it would make, which is then remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.counts_as_text import count
from harvest.dataset import save_split_in_ledger
from harvest.errors import StorageError
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.load_pictures import LabelledPictures, load_pictures
from harvest.splits.persist import load_split
from harvest.splits.split_images import Split, make_split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harvest.splits.split_rule import SplitRule


_NAMED = 3  # skipped files with a message of their own


def read_split(
    root: Path,
    rule: SplitRule,
    *,
    say: Callable[[str], None],
    tick: Callable[[int, int], None] | None = None,
) -> tuple[LabelledPictures, Split]:
    """Read and split all images of a dataset, as train.py does, and save the split in the ledger."""
    runs = root.with_name(f"{root.name}.runs")
    cache = runs / "cache"
    is_new = not cache.exists()
    pictures = load_pictures(root, say=say, tick=tick or _ignore_ticks, cache=cache, least_classes=1)
    if is_new and cache.exists():
        say(f"what was computed of the images is kept in {cache}, for the next export or training")
    for skipped in pictures.skipped[:_NAMED]:
        say(f"{skipped.path} is not exported: {skipped.reason}")
    if len(pictures.skipped) > _NAMED:
        more = count(len(pictures.skipped) - _NAMED, "more file is", "more files are")
        say(f"{more} not exported, as in a training")
    split = make_split(
        pictures,
        find_leak_groups(pictures, say=say),
        valid=rule.valid,
        test=rule.test,
        seed=rule.seed,
        remembered=load_split(pictures, runs, rule=rule),
    )
    for note in split.notes:
        say(note)
    contents = [example.content for example in pictures.examples]
    try:
        save_split_in_ledger(root, str(rule), dict(zip(contents, map(str, split.parts), strict=True)))
    except StorageError as error:
        say(f"the split is not remembered: {error.message}")
    return pictures, split


def _ignore_ticks(_done: int, _total: int) -> None:
    """Do nothing."""
