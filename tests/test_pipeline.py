"""The promises of the pipeline, with a scripted provider and scripted workers, on a real dataset."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from harvest.dataset import Dataset
from harvest.errors import CannotWrite
from harvest.harvesting.deduplicate import Deduplicator
from harvest.harvesting.pipeline import Pipeline
from harvest.harvesting.summary import (
    EXHAUSTED,
    FAILED,
    NOT_ASKED,
    Summary,
)
from harvest.harvesting.target import WINDOW
from harvest.licences import Licence, LicenceFilter
from harvest.models import Filters, Hit, Query
from harvest.verdicts import Verdict
from tests.scripted import Fetcher, Scripted, hits, no_pages
from tests.web import Photo

CORAL, KING = Query("coral", "coral_snake"), Query("king", "king_snake")


class Harvest:
    """Runs pipelines over one dataset, each run with what a test passes."""

    def __init__(self, root) -> None:
        self.root = root

    def __call__(
        self,
        *providers: Scripted,
        queries=(CORAL,),
        workers: Fetcher | None = None,
        limit: int = 10_000,
        target: int | None = None,
        refresh: bool = False,
        stop_when=None,
        before=None,
    ) -> Summary:
        """Run to the end, or stop as soon as `stop_when` returns true."""
        self.summary = summary = Summary(
            classes=tuple(dict.fromkeys(query.class_name for query in queries)),
            providers=tuple(provider.name for provider in providers),
            target=target,
            dry_run=workers is None,
        )
        create = workers is not None
        with Dataset.open(self.root, create=create, exclusive=create, read_only=not create) as dataset:
            summary.kept = {name: dataset.count_present(name) for name in summary.classes}
            pipeline = Pipeline(
                dataset,
                Deduplicator(dataset),
                summary,
                workers,
                refresh=refresh,
                progress=lambda _: stop_when and stop_when() and pipeline.stop(),
            )
            if before:
                before(dataset, pipeline)
            jobs = [(provider, queries) for provider in providers]
            asyncio.run(asyncio.wait_for(pipeline.run(jobs, limit, no_pages), 300))
            summary.kept = {name: dataset.count_present(name) for name in summary.classes}
            self.conflicts = dataset.conflicts()
        return summary

    def is_kept(self, count: int) -> bool:
        """Return whether the summary counts as many images of the corals as kept."""
        return self.summary.kept["coral_snake"] == count

    @property
    def files(self) -> int:
        """The number of files in the class folders."""
        return len(list(self.root.glob("*/*")))


@pytest.fixture
def harvest(tmp_path):
    return Harvest(tmp_path / "dataset")


def counts(summary: Summary) -> dict[str, int]:
    """Return the columns that are not zero, after checking that they add up."""
    for line in (*summary.lines.values(), summary.total()):
        assert sum(line.columns().values()) + line.left == line.found
    total = summary.total()
    return {name: n for name, n in {**total.columns(), "left": total.left}.items() if n}


def test_hits_of_a_parked_host_are_left(harvest):
    """A hit that was not requested because its host is parked is left for the next run, however often."""
    parked = Fetcher(gives=lambda hit: Verdict.HOST_PARKED if hit.rank > 2 else None)
    assert counts(harvest(Scripted({"coral": hits(9)}), workers=parked)) == {"new": 2, "left": 7}
    for _ in range(4):
        assert counts(harvest(Scripted({}), workers=parked)) == {"left": 7}
    assert harvest.summary.unrequested == 7

    assert counts(harvest(Scripted({}), workers=Fetcher())) == {"new": 7}


def test_from_hits_to_files(harvest):
    """Hits of all providers become files, and the summary adds up."""
    summary = harvest(
        Scripted({"coral": hits(5)}),
        Scripted({"coral": hits(4, "FLICKR", start=100)}, "FLICKR"),
        workers=Fetcher(),
    )

    assert counts(summary) == {"new": 9}
    assert summary.lines["coral_snake", "BING"].found == 5
    assert summary.lines["coral_snake", "FLICKR"].end == EXHAUSTED
    assert summary.bytes_read == 9000
    assert harvest.files == 9


def test_providers_work_at_once(harvest):
    """Each provider has its own thread: one that waits for a page does not delay the others."""
    gate = threading.Event()
    slow = Scripted({"coral": [lambda: gate.wait(60), *hits(1)]})
    quick = Scripted({"coral": [*hits(3, "FLICKR", start=9), gate.set]}, "FLICKR")

    summary = harvest(slow, quick, workers=Fetcher())

    assert gate.is_set()
    assert counts(summary) == {"new": 4}
    assert len({slow.thread, quick.thread, threading.main_thread()}) == 3


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_order_of_arrival(harvest, seed):
    """The same photographs are kept, whichever host is fast."""
    draw = random.Random(seed)
    workers = Fetcher(
        gives=lambda hit: Photo(int(hit.url.rpartition("/")[2][:-4]) % 6),
        seconds=lambda _: draw.random() / 50,
    )

    summary = harvest(Scripted({"coral": hits(24)}), workers=workers)

    assert counts(summary) == {"new": 6, "dup": 18}
    assert harvest.files == 6


def same_photograph(count: int, provider: str = "BING") -> list[Hit]:
    """Return hits at several URLs of one photograph."""
    return [Hit(f"https://a.example/{n}.jpg", provider, "flickr:7", n) for n in range(1, count + 1)]


def test_V06_one_photograph_is_fetched_once(harvest):
    """Other URLs of a photograph wait for the first, and are not downloaded if it succeeded."""
    workers = Fetcher(seconds=lambda _: 0.05)

    summary = harvest(
        Scripted({"coral": same_photograph(1)}),
        Scripted({"coral": [hit for hit in same_photograph(2, "FLICKR") if hit.rank == 2]}, "FLICKR"),
        workers=workers,
    )

    assert len(workers.log) == 1
    assert counts(summary) == {"new": 1, "dup": 1}


def test_a_photograph_that_failed_is_tried_at_its_next_address(harvest):
    """When the first URL of a photograph fails, the ones that waited are tried, one at a time."""
    providers = [
        Scripted({"coral": [hit for hit in same_photograph(4, name) if hit.rank == rank]}, name)
        for rank, name in enumerate(("BING", "FLICKR", "GOOGLE", "OTHER"), start=1)
    ]
    workers = Fetcher(gives=lambda _: Verdict.GONE if len(workers.log) < 3 else None, seconds=lambda _: 0.02)

    summary = harvest(*providers, workers=workers)

    assert len(workers.log) == 3
    assert workers.at_once == {"flickr:7": 1}
    assert counts(summary) == {"new": 1, "dead": 2, "dup": 1}


def test_a_hit_that_a_search_gives_twice_is_one_hit(harvest):
    """A search that repeats itself while the first hits are under way does not count double."""

    class Patient(Fetcher):
        async def work(self, task):
            await asyncio.to_thread(repeated.wait, 60)
            return await super().work(task)

    repeated, workers = threading.Event(), Patient()

    summary = harvest(Scripted({"coral": [*hits(3), *hits(3), *hits(3), repeated.set]}), workers=workers)

    assert summary.total().found == 3
    assert counts(summary) == {"new": 3}
    assert len(workers.log) == 3


def test_a_hit_that_a_search_gives_again_later_is_had(harvest):
    """A search that repeats what has been placed by then finds what the dataset has, and fetches nothing."""
    placed, workers = threading.Event(), Fetcher()
    provider = Scripted({"coral": [*hits(3), lambda: placed.wait(60), *hits(3), *hits(3)]})

    summary = harvest(provider, workers=workers, stop_when=lambda: harvest.is_kept(3) and placed.set())

    assert summary.total().found == 9
    assert counts(summary) == {"new": 3, "had": 6}
    assert len(workers.log) == 3


def test_two_queries_of_a_class_share_what_they_find(harvest):
    """A URL that two queries of a class find is downloaded once."""
    workers = Fetcher()
    rows = (Query("one", "coral_snake"), Query("two", "coral_snake"))

    summary = harvest(Scripted({"one": hits(4), "two": hits(6)}), queries=rows, workers=workers)

    assert len(workers.log) == 6
    assert harvest.files == 6
    assert counts(summary)["new"] == 6
    assert summary.total().found == 10


def test_what_two_classes_find_is_a_conflict(harvest):
    """A photograph that two classes find is placed once, and recorded as a conflict of both."""
    summary = harvest(Scripted({"coral": hits(3), "king": hits(2, start=3)}), queries=(CORAL, KING), workers=Fetcher())

    assert harvest.files == 4
    assert summary.total().verdicts[Verdict.CONFLICT] == 1
    assert len(harvest.conflicts) == 1


@pytest.mark.parametrize("target", [1, 5, 12])
def test_a_target_is_exact(harvest, target):
    """A class ends with exactly as many images as wanted, however many arrive at once; the rest is left."""
    draw = random.Random(target)
    workers = Fetcher(
        gives=lambda _: Verdict.GONE if draw.random() < 0.3 else None, seconds=lambda _: draw.random() / 100
    )

    summary = harvest(Scripted({"coral": hits(300)}), workers=workers, target=target)

    assert summary.kept["coral_snake"] == harvest.files == target
    assert len(workers.log) < 32 + 4 * target
    assert not summary.short_of_target
    counts(summary)


def test_a_target_is_of_each_class(harvest):
    """Classes are filled independently of each other."""
    summary = harvest(
        Scripted({"coral": hits(60), "king": hits(3, start=100)}),
        queries=(CORAL, KING),
        workers=Fetcher(),
        target=5,
    )

    assert summary.kept == {"coral_snake": 5, "king_snake": 3}
    assert summary.short_of_target == ["king_snake"]


def test_what_was_left_is_taken_up_by_the_next_run(harvest):
    """Hits beyond a target, and those of a stopped run, are downloaded by a run that wants them."""
    harvest(Scripted({"coral": hits(20)}), workers=Fetcher(), target=4)
    workers = Fetcher()

    summary = harvest(Scripted({"coral": hits(20)}), workers=workers, target=10)

    assert len(set(workers.log)) == len(workers.log)
    assert summary.kept["coral_snake"] == harvest.files == 10


def test_memory_stays_flat(harvest):
    """A search is never more than a window of hits ahead of the downloads, however many it has."""
    workers = Fetcher(gives=lambda _: Verdict.GONE)
    ahead = []
    steps = []
    for number, hit in enumerate(hits(4 * WINDOW), start=1):
        steps += [lambda number=number: ahead.append(number - workers.done), hit]

    summary = harvest(Scripted({"coral": steps}), workers=workers)

    assert max(ahead) <= WINDOW + 1
    assert counts(summary) == {"dead": 4 * WINDOW}


def test_a_providers_bug_ends_only_its_own_search(harvest):
    """A bug of one provider ends its searches only: the images of the others are kept, and the summary names it."""
    summary = harvest(
        Scripted({"coral": [*hits(2), RuntimeError("oops")], "king": hits(2, start=50)}),
        Scripted({"coral": hits(3, "FLICKR", start=10), "king": hits(2, "FLICKR", start=20)}, "FLICKR"),
        queries=(CORAL, KING),
        workers=Fetcher(),
    )

    assert counts(summary) == {"new": 7}
    assert summary.lines["coral_snake", "BING"].end == FAILED
    assert summary.lines["king_snake", "BING"].end == NOT_ASKED
    assert {problem.provider for problem in summary.problems} == {"BING"}
    assert summary.exit_code == 3


def test_a_disk_that_fails_ends_the_run(harvest):
    """When the dataset can no longer be written, the run ends at once with that error."""

    def break_disk(dataset, _):
        def place(_):
            raise CannotWrite("no room")

        dataset.place = place

    workers = Fetcher(seconds=lambda hit: 0 if hit.rank < 9 else 3600)
    with pytest.raises(CannotWrite, match="no room"):
        harvest(Scripted({"coral": hits(2000)}), workers=workers, before=break_disk)

    assert len(workers.log) < 2000
    assert harvest.files == 0


def test_a_ledger_that_fails_ends_the_run(harvest):
    """When a search cannot be opened, the run ends with that error, and nothing hangs."""

    def break_ledger(dataset, _):
        def begin_search(*_):
            raise CannotWrite("no room")

        dataset.begin_search = begin_search

    with pytest.raises(CannotWrite, match="no room"):
        harvest(Scripted({"coral": hits(3)}), workers=Fetcher(), before=break_ledger)


def test_a_dry_run_fetches_nothing(harvest):
    """Without workers hits are searched and judged, and nothing is written."""
    summary = harvest(Scripted({"coral": hits(5)}))

    assert counts(summary) == {"left": 5}
    assert not harvest.root.exists()


def test_what_a_source_says_is_judged_before_the_download(harvest):
    """A hit that is too small or under another licence, as its source says, is not downloaded."""
    query = Query("coral", "coral_snake", filters=Filters(licence=LicenceFilter.OPEN, min_size=300))
    good, bad = Licence("CC-BY-4.0"), Licence("CC-BY-NC-4.0")
    found = [
        Hit("https://a.example/1.jpg", "BING", "url:1", 1, licence=good, width=400, height=300),
        Hit("https://a.example/2.jpg", "BING", "url:2", 2, licence=bad, width=400, height=300),
        Hit("https://a.example/3.jpg", "BING", "url:3", 3, licence=good, width=400, height=299),
        Hit("https://a.example/4.jpg", "BING", "url:4", 4, licence=good),
        Hit("https://a.example/5.jpg", "BING", "url:5", 5),
    ]
    workers = Fetcher()

    summary = harvest(Scripted({"coral": found}), queries=(query,), workers=workers)

    assert sorted(workers.log) == [found[0].url, found[3].url]
    assert summary.total().verdicts == {Verdict.KEPT: 2, Verdict.LICENCE: 2, Verdict.TOO_SMALL: 1}


def test_P06_a_stop(harvest):
    """A stop cancels what is not downloaded, keeps what is, and the summary still adds up."""
    workers = Fetcher(seconds=lambda hit: 0 if hit.rank <= 6 else 60)

    summary = harvest(Scripted({"coral": hits(40)}), workers=workers, stop_when=lambda: harvest.files == 6)

    assert summary.interrupted
    assert workers.stopped
    assert counts(summary) == {"new": 6, "left": 34}
    assert harvest.files == 6


def test_P06_a_stop_while_a_provider_thinks(harvest):
    """A stop does not wait for a provider that does not answer."""
    gate = threading.Event()
    answers = []
    provider = Scripted({"coral": [*hits(2), lambda: gate.wait(60) or answers.append("late")]})

    summary = harvest(provider, workers=Fetcher(), stop_when=lambda: harvest.files == 2)

    assert not answers
    assert counts(summary) == {"new": 2}
    gate.set()


def test_P06_a_stop_before_the_start(harvest):
    """A stop before the event loop starts is not lost."""
    workers = Fetcher(seconds=lambda _: 3600)

    summary = harvest(Scripted({"coral": hits(5)}), workers=workers, before=lambda _, pipeline: pipeline.stop())

    assert summary.interrupted
    assert harvest.files == 0


def test_P06_after_a_stop_the_next_run_finishes(harvest):
    """The next run downloads what was left, and nothing twice."""
    stuck = Fetcher(seconds=lambda hit: 0 if hit.rank <= 6 else 60)
    harvest(Scripted({"coral": hits(40)}), workers=stuck, stop_when=lambda: harvest.files == 6)
    workers = Fetcher()

    summary = harvest(Scripted({"coral": hits(40)}), workers=workers)

    assert len(workers.log) == len(set(workers.log)) == 34
    assert harvest.files == summary.kept["coral_snake"] == 40


def test_nothing_to_do(harvest):
    """A provider without hits ends its search, and the run."""
    summary = harvest(Scripted({}), workers=Fetcher())

    assert counts(summary) == {}
    assert summary.lines["coral_snake", "BING"].end == EXHAUSTED
