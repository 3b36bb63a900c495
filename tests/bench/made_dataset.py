"""A made dataset of any number of images: rows by the ledger's own code, files without content.

    python tests/bench/made_dataset.py FOLDER COUNT [--shards]

A million take 10 minutes and 3 GB. `scale.py status` measures one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from harvest.dataset import LIMIT_REACHED
from harvest.dataset.ledger_and_lock import LEDGER
from harvest.duplicates.fingerprint import PACKED
from harvest.files.ledger_names_to_paths import FileKey
from harvest.files.place_and_list_files import FileStat
from harvest.files.shard_files import ShardPlace, name_shard
from harvest.ledger import picture_updates, shard_table
from harvest.ledger.database import Ledger
from harvest.ledger.near_duplicate_table import add_near_duplicates
from harvest.ledger.search_and_hit_tables import SearchTable
from harvest.models import Fingerprint, Hit, Picture, Query, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = 20
_BATCH = 1000  # pictures in a transaction
_PAIRS = 100  # of so many pictures, one has a near-duplicate
_SAMPLE = 61_440  # bytes of an image in a shard
_IN_SHARD = 8000  # images


def build(root: Path, count: int, *, in_shards: bool = False) -> None:
    """Build a dataset of `count` images of `CLASSES` classes."""
    root.mkdir(parents=True)
    Ledger.create(root / LEDGER)
    ledger = Ledger.open(root / LEDGER)
    try:
        for number in range(CLASSES):
            numbers = range(number * count // CLASSES, (number + 1) * count // CLASSES)
            _fill_class(ledger, None if in_shards else root, f"class_{number}", numbers)
        if in_shards:
            _make_shards(ledger, root, count)
    finally:
        ledger.close()


def _fill_class(ledger: Ledger, folders: Path | None, class_name: str, numbers: Sequence[int]) -> None:
    if folders is not None:
        (folders / class_name).mkdir()
    searches = SearchTable(ledger)
    search = searches.begin_search(Query(class_name, class_name), "BING", len(numbers))
    for start in range(numbers[0], numbers[-1] + 1, _BATCH):
        batch = range(start, min(start + _BATCH, numbers[-1] + 1))
        with ledger.transaction():
            tasks = searches.record_hits(search.id, class_name, [_hit(number) for number in batch])
            placed = [_place(ledger, folders, task, number) for task, number in zip(tasks, batch, strict=True)]
            add_near_duplicates(ledger, [(one, one - 1, False) for one in placed[1:] if one % _PAIRS == 0])
    searches.finish_search(search.id, LIMIT_REACHED, len(numbers))


def _make_shards(ledger: Ledger, root: Path, count: int) -> None:
    """Make files of the right length that take no space."""
    for number, first in enumerate(range(0, count, _IN_SHARD)):
        length = _SAMPLE * min(_IN_SHARD, count - first)
        with (root / name_shard(number)).open("wb") as file:
            file.truncate(length)
        with ledger.transaction():
            shard_table.begin_shard(ledger, number)
            shard_table.record_length(ledger, number, length)


def _hit(number: int) -> Hit:
    url = f"https://images{number % 2000}.example.com/photos/{number}.jpg"
    page = f"https://images{number % 2000}.example.com/pages/{number}.html"
    return Hit(url, "BING", f"url:{url}", number, page=page, title=f"Photograph number {number}", author="A. Person")


def _place(ledger: Ledger, folders: Path | None, task: object, number: int) -> int:
    assert isinstance(task, Task)
    picture = make_picture(number, b"")
    spot = FileKey(task.class_name, f"bing-{picture.content[:12]}.jpg")
    placed = picture_updates.announce_placement(ledger, task, picture, spot, raw=None, replaces=None, run=None)
    picture_updates.confirm_placement(ledger, placed, None, replaced=False)
    if folders is None:
        shard, place = divmod(number, _IN_SHARD)
        shard_table.record_place(ledger, placed, ShardPlace(shard, place * _SAMPLE, _SAMPLE))
    else:
        path = folders / spot.class_name / spot.name
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        about = path.stat()
        picture_updates.record_stat(ledger, placed, FileStat(about.st_size, about.st_mtime_ns))
    return placed


def make_picture(number: int, data: bytes) -> Picture:
    """Return a picture with hashes and a fingerprint that are derived from its number."""
    content, body, pixels = (hashlib.sha256(b"%s %d" % (what, number)).hexdigest() for what in (b"c", b"b", b"p"))
    return Picture(data, content, body, pixels, make_fingerprint(number), 299, 200, 2000, 1600, "JPEG")


def make_fingerprint(number: int) -> Fingerprint:
    """Return a fingerprint whose hashes are far from all others."""
    packed = np.frombuffer(hashlib.shake_128(b"%d" % number).digest(PACKED.itemsize), PACKED).copy()
    packed["frame"] = packed["bars"] = 0
    packed["detail"], packed["aspect"] = 40, 1.5
    return Fingerprint(packed.tobytes())


def main() -> None:
    """Build a dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--shards", action="store_true")
    options = parser.parse_args()
    build(options.folder, options.count, in_shards=options.shards)


if __name__ == "__main__":
    main()
