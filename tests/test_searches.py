"""Searches and hits: what is searched once, what is downloaded, and what is already known."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import EXHAUSTED, LIMIT_REACHED, Dataset, HitVerdict, Placement
from harvest.models import Filters, Query, Refusal, Task
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, a_query, fill, find, name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        yield dataset


def again(dataset: Dataset) -> Dataset:
    """Close the dataset, and open it for the next run."""
    dataset.close()
    return Dataset.open(dataset.root, create=True, exclusive=True)


def verdicts(ways: list[Task | Refusal]) -> list[Verdict | None]:
    return [way.verdict if isinstance(way, Refusal) else None for way in ways]


@pytest.mark.parametrize(
    ("end", "asked", "limit", "finished"),
    [
        ("", 0, 100, False),
        (LIMIT_REACHED, 100, 100, True),
        (LIMIT_REACHED, 100, 50, True),
        (LIMIT_REACHED, 100, 101, False),
        (EXHAUSTED, 37, 1000, True),
        ("Blocked", 100, 100, False),
    ],
)
def test_finished_search(dataset: Dataset, end: str, asked: int, limit: int, *, finished: bool) -> None:
    """A search is finished when its source had no more results, or as many as are wanted now."""
    search = dataset.begin_search(a_query(), "BING", 100)
    if end:
        dataset.finish_search(search.id, end, asked)
    known = dataset.begin_search(a_query(), "BING", limit)
    assert (known.id, known.finished, known.asked, known.end) == (search.id, finished, asked, end)


def test_R06_search_is_query_provider_class_and_filters(dataset: Dataset) -> None:
    """Another provider, text, class or filter is another search."""
    queries = [
        (a_query(), "BING"),
        (a_query(), "FLICKR"),
        (a_query(text="lampropeltis"), "BING"),
        (a_query("coral"), "BING"),
        (replace(a_query(), filters=Filters(min_size=100)), "BING"),
    ]
    assert len({dataset.begin_search(query, provider, 10).id for query, provider in queries}) == 5


def test_new_hits_are_tasks_in_order(dataset: Dataset) -> None:
    """New hits become tasks, each as it was found."""
    hits = [a_hit(n, title=f"{n}", author="Ann", others=(f"https://example.com/small/{n}",)) for n in range(3)]
    tasks = find(dataset, hits)
    assert [task.hit for task in tasks] == hits
    assert {task.class_name for task in tasks} == {"king"}


def test_interrupted_hits_wait_with_all_they_had(dataset: Dataset) -> None:
    """The unfinished hits of a killed run are resumed with all their fields."""
    hit = a_hit(1, title="King", page="https://example.com", width=640, height=480, author="Ann", author_url="x")
    find(dataset, [hit])
    dataset = again(dataset)
    search = dataset.begin_search(a_query(), "BING", 1)
    assert search.waiting == 1
    assert [task.hit for task in dataset.unsettled_tasks(search.id)] == [hit]
    dataset.close()


def test_hit_in_hand_is_not_waiting(dataset: Dataset) -> None:
    """A hit that this run found is not an unfinished one."""
    find(dataset, [a_hit(1)])
    assert dataset.unsettled_tasks(dataset.begin_search(a_query(), "BING", 1).id) == []


def test_passing_failures_get_three_runs(dataset: Dataset) -> None:
    """A hit that failed temporarily is tried in three runs, and never twice in one."""
    (task,) = find(dataset, [a_hit(1)])
    tries = []
    for _ in range(4):
        dataset.record_verdicts([HitVerdict(task.id, Verdict.TIMEOUT)])
        search = dataset.begin_search(a_query(), "BING", 1)
        assert dataset.unsettled_tasks(search.id) == []
        dataset = again(dataset)
        waiting = dataset.unsettled_tasks(search.id)
        tries.append(len(waiting))
        if waiting:
            assert dataset.record_hits(search.id, "king", [waiting[0].hit]) == [task]
    assert tries == [1, 1, 0, 0]
    dataset.close()


def test_hits_of_parked_hosts_are_never_given_up(dataset: Dataset) -> None:
    """Hits that earlier versions gave up because their host was parked are tried again, however often."""
    search = dataset.begin_search(a_query(), "BING", 10).id
    (task,) = dataset.record_hits(search, "king", [a_hit(1)])
    for _ in range(5):
        assert isinstance(task, Task)
        dataset.record_verdicts([HitVerdict(task.id, Verdict.HOST_PARKED, "asks to wait")])
        dataset = again(dataset)
        assert dataset.unsettled_tasks(search) == [task]
        assert dataset.recheck_hits([task]) == [task]
    dataset.close()


def test_recorded_hits_are_looked_up_again(dataset: Dataset) -> None:
    """A hit that waited is a task still, or has the verdict that its photograph got."""
    left = find(dataset, [a_hit(1), a_hit(2), a_hit(3)])
    dataset = again(dataset)
    other = dataset.begin_search(a_query(text="kingsnake"), "FLICKR", 1)
    (task,) = dataset.record_hits(other.id, "king", [a_hit(2, "FLICKR")])
    dataset.record_verdicts([HitVerdict(task.id, Verdict.TOO_SMALL)])

    decisions = dataset.recheck_hits(left)

    assert decisions == [left[0], Refusal(Verdict.HAD, "too_small in another search"), left[2]]
    search = dataset.begin_search(a_query(), "BING", 3)
    assert dataset.unsettled_tasks(search.id) == []  # this run has them in hand
    dataset.close()


def test_final_verdict_is_had(dataset: Dataset) -> None:
    """A hit with a final verdict is not downloaded again when its search finds it again."""
    (task,) = find(dataset, [a_hit(1)])
    dataset.record_verdicts([HitVerdict(task.id, Verdict.TOO_SMALL, "9 x 9")])
    dataset = again(dataset)
    search = dataset.begin_search(a_query(), "BING", 1)
    assert verdicts(dataset.record_hits(search.id, "king", [a_hit(1)])) == [Verdict.HAD]
    dataset.close()


def test_same_address_in_another_search(dataset: Dataset) -> None:
    """A URL with a final verdict for a class is not tried again for it, whichever source finds it."""
    (task,) = find(dataset, [a_hit(1)])
    dataset.record_verdicts([HitVerdict(task.id, Verdict.NOT_AN_IMAGE)])
    other = dataset.begin_search(a_query(text="kingsnake"), "FLICKR", 1)
    assert verdicts(dataset.record_hits(other.id, "king", [a_hit(1, "FLICKR")])) == [Verdict.HAD]
    third = dataset.begin_search(a_query("coral"), "BING", 1)
    assert verdicts(dataset.record_hits(third.id, "coral", [a_hit(1)])) == [None]


def test_too_small_for_another_filter(dataset: Dataset) -> None:
    """An image that was too small is tried again when smaller images are wanted."""
    (task,) = find(dataset, [a_hit(1)])
    dataset.record_verdicts([HitVerdict(task.id, Verdict.TOO_SMALL)])
    smaller = Query("king snake", "king", filters=Filters(min_size=50))
    search = dataset.begin_search(smaller, "BING", 1)
    assert verdicts(dataset.record_hits(search.id, "king", [a_hit(1)])) == [None]


@pytest.mark.parametrize("verdict", [Verdict.BLOCKED_ADDRESS, Verdict.OPTED_OUT])
def test_what_a_switch_decides_is_final_for_one_run(dataset: Dataset, verdict: Verdict) -> None:
    """A refusal that an option lifts is tried again when the hit is found again."""
    (task,) = find(dataset, [a_hit(1)])
    dataset.record_verdicts([HitVerdict(task.id, verdict)])
    search = dataset.begin_search(a_query(), "BING", 1)
    assert verdicts(dataset.record_hits(search.id, "king", [a_hit(1)])) == [Verdict.HAD]
    dataset = again(dataset)
    assert dataset.record_hits(search.id, "king", [a_hit(1)]) == [task]
    dataset.close()


def test_known_photograph_is_a_duplicate_before_download(dataset: Dataset) -> None:
    """Another URL of a photograph on disk is not downloaded, and its source is recorded."""
    (known,) = fill(dataset, "king", [1])
    copy = replace(a_hit(1, "FLICKR"), url="https://elsewhere.example.com/big.jpg")
    search = dataset.begin_search(a_query(), "FLICKR", 1)
    assert verdicts(dataset.record_hits(search.id, "king", [copy])) == [Verdict.DUPLICATE]
    report = dataset.history_of_text(name(1))
    assert report.id == known.id
    assert [source.url for source in report.sources] == [a_hit(1).url, copy.url]


def test_known_photograph_for_another_class_is_a_conflict(dataset: Dataset) -> None:
    """A photograph found for two classes stays in the first, and the conflict is open."""
    (known,) = fill(dataset, "king", [1])
    search = dataset.begin_search(a_query("coral"), "BING", 1)
    assert verdicts(dataset.record_hits(search.id, "coral", [a_hit(1)])) == [Verdict.CONFLICT]
    assert [(c.id, c.class_name, c.other) for c in dataset.conflicts()] == [(known.id, "king", "coral")]


def test_address_is_recognised_in_any_spelling(dataset: Dataset) -> None:
    """The same URL with another scheme, case or tracking parameter is the same photograph."""
    fill(dataset, "king", [1])
    odd = a_hit(1, source="bing:1")
    odd = replace(odd, url="http://PICTURES.example.com/1.jpg?utm_source=x#top")
    search = dataset.begin_search(a_query(text="other"), "BING", 1)
    assert verdicts(dataset.record_hits(search.id, "king", [odd])) == [Verdict.DUPLICATE]


def test_photograph_fetched_meanwhile(dataset: Dataset) -> None:
    """A hit that waited for another URL of its photograph gets its verdict once that one is placed."""
    (first,) = find(dataset, [a_hit(1)])
    second = replace(a_hit(1, "FLICKR"), url="https://elsewhere.example.com/1.jpg")
    (task,) = find(dataset, [second])
    dataset.place([Placement(first, a_picture(1))])
    search = dataset.begin_search(a_query(), "FLICKR", 1)
    assert verdicts(dataset.record_hits(search.id, "king", [second])) == [Verdict.DUPLICATE]
    assert [source.verdict for source in dataset.history_of_text(name(1)).sources] == [
        Verdict.KEPT,
        Verdict.DUPLICATE,
    ]
    assert task.id != first.id


def test_settled_conflict_is_recorded(dataset: Dataset) -> None:
    """A conflict found by fingerprint is recorded with the picture of the other class."""
    (known,) = fill(dataset, "king", [1])
    (task,) = find(dataset, [a_hit(2)], "coral")
    dataset.record_verdicts([HitVerdict(task.id, Verdict.CONFLICT, "already in king", known.id)])
    assert [(c.class_name, c.other) for c in dataset.conflicts()] == [("king", "coral")]


def test_photograph_found_at_a_new_address(dataset: Dataset) -> None:
    """An unfinished hit is downloaded from the current URL of its photograph."""
    find(dataset, [a_hit(1)])
    dataset = again(dataset)
    moved = replace(a_hit(1), url="https://new.example.com/1.jpg")
    search = dataset.begin_search(a_query(), "BING", 1)
    (task,) = dataset.record_hits(search.id, "king", [moved])
    assert task.hit == moved
    dataset = again(dataset)
    assert [task.hit.url for task in dataset.unsettled_tasks(search.id)] == [moved.url]
    dataset.close()


def test_many_hits_are_recorded_fast(dataset: Dataset) -> None:
    """Recording hits uses the indexes: no query scans a whole table."""
    fill(dataset, "king", range(3))
    plans = []
    ledger = dataset._ledger
    rows = [
        (statement, values)
        for statement, values in _asked(ledger, lambda: find(dataset, [a_hit(9)], "coral"))
        if statement.startswith("SELECT") and "FROM class" not in statement
    ]
    for statement, values in rows:
        plans += [row[3] for row in ledger.rows(f"EXPLAIN QUERY PLAN {statement}", *values)]
    assert rows
    assert [plan for plan in plans if plan.startswith("SCAN") and not re.search("CONSTANT|json_each", plan)] == []
    assert not any("state=?" in plan and "class=?" not in plan for plan in plans)


def _asked(ledger, act) -> list[tuple[str, tuple]]:
    asked = []
    real = ledger._execute
    ledger._execute = lambda statement, values: (asked.append((statement, values)), real(statement, values))[1]
    try:
        act()
    finally:
        del ledger._execute
    return asked


def test_a_verdict_may_have_any_text(dataset: Dataset) -> None:
    """Half a surrogate pair in the detail of a verdict, from a web page, does not undo or repeat the other verdicts."""
    first, second = find(dataset, [a_hit(1), a_hit(2)], "king")
    dataset.record_verdicts(
        [HitVerdict(first.id, Verdict.GONE, "404"), HitVerdict(second.id, Verdict.GONE, "\ud800 is not here")]
    )
    rows = dataset._ledger.rows("SELECT detail, attempts FROM hit ORDER BY id")
    assert rows == [("404", 1), ("? is not here", 1)]
