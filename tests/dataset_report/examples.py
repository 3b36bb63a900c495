"""Datasets for the tests of the report: a rich one, a hostile one, and those with something missing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from harvest.dataset import Dataset, Placement
from harvest.licences import Evidence, Licence
from tests import datasets

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>\u202e'\"{{ 7*7 }}"
LONG = "x" * 10_000


def place(dataset: Dataset, class_name: str, numbers: range, provider: str, **fields: object) -> list[int]:
    """Find and place images whose hits have these fields; return their ids."""
    hits = [datasets.a_hit(number, provider, **{"rank": place, **fields}) for place, number in enumerate(numbers, 1)]
    tasks = datasets.find(dataset, hits, class_name, f"{class_name} flower")
    placements = [Placement(task, datasets.a_picture(n)) for task, n in zip(tasks, numbers, strict=True)]
    return [known.id for known in dataset.place(placements)]


def garden(root: Path) -> Path:
    """Make a dataset with something of everything: two classes, three sources, rejections, groups, a conflict."""
    free = Licence("CC-BY-2.0", "https://creativecommons.org/licenses/by/2.0/", Evidence.STATED)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        daisies = place(dataset, "daisy", range(30), "BING")
        place(
            dataset, "daisy", range(30, 54), "FLICKR", licence=free, author="Ana Lopes", title="In the garden",
            author_url="https://flickr.example/ana", page="https://flickr.example/photos/1",
        )  # fmt: skip
        roses = place(dataset, "roses", range(60, 84), "INATURALIST", licence=Licence("CC-BY-NC-4.0"))
        dataset.reject(daisies[:20], by="page")
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        pair = "INSERT INTO near_duplicate (picture, other, certain, at) VALUES (?, ?, 0, '2026-01-01')"
        ledger.executemany(pair, [(daisies[21], daisies[22]), (daisies[22], daisies[23])])
        ledger.execute("INSERT INTO conflict (picture, class, at) VALUES (?, 'roses', '2026-01-01')", [daisies[25]])
        ledger.execute("UPDATE picture SET source_type = 'trainedAlgorithmicMedia' WHERE id = ?", [roses[0]])
    return root


def hostile(root: Path) -> Path:
    """Make a dataset in whose ledger every text is hostile, and many columns are of a wrong type."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        place(
            dataset, "a&b 🐍 ثعبان", range(3), "BING", title=HOSTILE, author=HOSTILE + LONG, page="javascript:alert(1)",
            author_url="javascript:alert(2)", licence=Licence("CC-BY-2.0", "data:text/html,<script>alert(3)</script>"),
        )  # fmt: skip
        place(dataset, "w" * 200, range(10, 13), "URLS", title=LONG, page=f"https://example.com/{LONG}")
        place(dataset, "king", range(20, 24), "FLICKR", author="ok", page="https://u:p@example.com/", author_url="//")
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute(
            "UPDATE hit SET title = x'ff', author = 7, licence_url = 1.5, rank = 'x' WHERE provider = 'URLS'"
        )
        ledger.execute("UPDATE hit SET provider = ? WHERE provider = 'FLICKR'", [HOSTILE])
        ledger.execute("UPDATE search SET text = ?, provider = '; rm -rf $(HOME)' WHERE provider = 'BING'", [HOSTILE])
        ledger.execute("UPDATE hit SET verdict = x'00' WHERE rank = 2")
        ledger.execute("UPDATE picture SET licence = 'LicenseRef-<b>' WHERE id = 8")
        ledger.execute("UPDATE run SET began = 5")
    return root


def many_classes(root: Path) -> Path:
    """Make a dataset of forty classes, among them names in other scripts, without a licence."""
    names = [f"Lampropeltis triangulum no. {number}" for number in range(38)]
    datasets.new(
        root, **{name: range(9 * i, 9 * i + 3 + i % 6) for i, name in enumerate([*names, "ثعبان_الملك", "🐍🐍"])}
    )
    return root


def all_rejected(root: Path) -> Path:
    """Make a dataset all of whose images are rejected."""
    datasets.new(root, king=range(4))
    with Dataset.open(root) as dataset:
        dataset.reject([row.id for row in dataset.review_rows()], by="page")
    return root


def one_class(root: Path) -> Path:
    """Make a dataset of one class."""
    datasets.new(root, king=range(5))
    return root


def empty(root: Path) -> Path:
    """Make a dataset without an image."""
    datasets.new(root)
    return root
