"""`status` of a million pictures: what is counted, it counts without reading every picture."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import pages_naming_another_class as pages
from harvest.dataset.dataset import Dataset
from harvest.ledger import statistics
from tests.datasets import copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = ("king", "snake", "kings", "kingsnake", "scarlet", "coral", "Schlange", "é", "42", "sna", "ke", "", "%20")


@pytest.mark.parametrize("count", sorted(statistics._COUNTS))
def test_no_count_reads_every_picture(tmp_path: Path, count: str) -> None:
    """Each count of a class uses an index."""
    root = copied(tmp_path / "dataset", king=range(3))
    with Dataset.open(root) as dataset:
        steps = [
            row[3] for row in dataset._ledger.rows(f"EXPLAIN QUERY PLAN {statistics._COUNTS[count]} GROUP BY class")
        ]
    assert "SCAN picture" not in steps
    in_index = {"kept", "new", "rejected", "restorable", "ai"}
    assert (count not in in_index) or any("COVERING INDEX picture_" in step for step in steps), steps


def test_outdated_fingerprints_are_found_by_an_index(tmp_path: Path) -> None:
    """Every command looks for fingerprints of earlier versions, and reads none to find them."""
    with Dataset.open(copied(tmp_path / "dataset", king=range(3))) as dataset:
        steps = list_steps(dataset, dataset._pictures.list_outdated)
    assert steps[0].endswith("fingerprint USING INDEX fingerprint_outdated")
    assert steps[1:] == ["SEARCH picture USING INTEGER PRIMARY KEY (rowid=?)"]


def test_conflicts_are_found_from_the_few(tmp_path: Path) -> None:
    """Conflicts are looked up among the pictures, and not each picture among the conflicts."""
    with Dataset.open(copied(tmp_path / "dataset", king=range(3))) as dataset:
        steps = list_steps(dataset, dataset.conflicts)
    assert steps[0].startswith("SCAN conflict")
    assert "SEARCH picture USING INTEGER PRIMARY KEY (rowid=?)" in steps


def list_steps(dataset: Dataset, act: Callable[[], object]) -> list[str]:
    """Return the steps in which SQLite answers the one query of a function that finds nothing."""
    statements: list[str] = []
    dataset._ledger._connection.set_trace_callback(statements.append)
    assert act() == []
    dataset._ledger._connection.set_trace_callback(None)
    (statement,) = statements
    return [row[3] for row in dataset._ledger.rows(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize("classes", [3, 100])
def test_every_suspect_is_a_candidate(classes: int) -> None:
    """The quick look for the letters of a name misses no text that names another class, with few classes or many."""
    draw = random.Random(classes)
    words = {f"class {number}": {" ".join(draw.choices(WORDS[:8], k=draw.randint(1, 2)))} for number in range(classes)}
    texts = [
        statistics.SourceText(
            number, draw.choice([*words, "unknown"]), draw.choice(" -/_").join(draw.choices(WORDS, k=6)).title()
        )
        for number in range(2000)
    ]
    candidates = set(pages.may_name_another_class(texts, words))
    named = pages.find_page_mismatches((pages.PageText(n, name, "", text) for n, name, text in texts), words)
    suspects = {each.id for each in named}
    assert suspects
    assert suspects <= candidates
    assert len(candidates) < len(texts)
