"""One provider asked query after query: limits, ends, parking, and never far ahead."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

import pytest

from harvest.errors import Blocked, CannotWrite, ProviderError, RateLimited, Unanswerable
from harvest.harvesting import summary as account
from harvest.harvesting.search import (
    HitFound,
    ProviderSearch,
    SearchChannel,
    Searcher,
    SearchFinished,
)
from harvest.models import Query
from tests.scripted import Odd, Scripted, hits, no_pages


@dataclass
class Clerk:
    """Serves at the desk: knows finished searches and left-overs, and sees all that arrives."""

    finished: set[str] = field(default_factory=set)
    left: dict[str, list] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)
    window: int = 1000
    room: bool = True  # every hit is done with at once
    found: list[HitFound] = field(default_factory=list)
    ends: list[SearchFinished] = field(default_factory=list)
    failure: BaseException | None = None

    def begin(self, query: Query, provider: Scripted, limit: int) -> ProviderSearch:
        """Open a search."""
        return ProviderSearch(len(self.ends), query, provider.name, limit, query.text in self.finished)

    def arrive(self, item: HitFound | SearchFinished) -> None:
        """Take what a search brings."""
        if isinstance(item, SearchFinished):
            self.ends.append(item)
            return
        self.found.append(item)
        if self.room:
            self.desk.release_slot(item.search.provider)

    def out(self, failure: BaseException | None) -> None:
        """Hear that the searcher is done."""
        self.failure = failure
        self.over.set()

    async def run(self, provider: Scripted, queries: list[Query], limit: int = 100, stop_after: float = 0):
        """Search to the end, or until stopped."""
        self.over = asyncio.Event()
        self.desk = SearchChannel(
            [provider.name],
            self.window,
            begin=self.begin,
            left_over=lambda search: self.left.get(search.query.text, []),
            is_full=lambda name: name in self.full,
            arrive=self.arrive,
            out=self.out,
        )
        searcher = Searcher(provider, queries, limit, self.desk, no_pages)
        searcher.start()
        if stop_after:
            await asyncio.sleep(stop_after)
            self.desk.stopping.set()
            await asyncio.to_thread(searcher.join, 60)
            assert not searcher.is_alive()
        else:
            await asyncio.wait_for(self.over.wait(), 60)

    @property
    def endings(self) -> list[str]:
        """How the searches ended."""
        return [ended.end for ended in self.ends]


def search(clerk: Clerk, provider: Scripted, queries: list[Query], **options) -> Clerk:
    """Run a searcher over queries, and give the clerk back."""
    asyncio.run(clerk.run(provider, queries, **options))
    return clerk


CORAL, KING = Query("coral", "coral_snake"), Query("king", "king_snake")


def test_a_search_to_its_end():
    """A provider that has no more ends its search as exhausted, with the number of hits it gave."""
    clerk = search(Clerk(), Scripted({"coral": hits(7)}), [CORAL])

    assert [item.hit for item in clerk.found] == hits(7)
    assert clerk.endings == [account.EXHAUSTED]
    assert clerk.ends[0].asked == 7
    assert clerk.failure is None


def test_a_provider_is_asked_no_more_than_is_wanted():
    """A limit ends a search at its last hit; the provider is told the limit, and not drawn any further."""
    provider = Scripted({"coral": hits(50)})

    clerk = search(Clerk(), provider, [CORAL], limit=8)

    assert clerk.endings == [account.LIMIT_REACHED]
    assert provider.yielded == len(clerk.found) == 8
    assert provider.limits == [8]


def test_rows_of_a_class_share_its_limit():
    """Each row may take an even part of what the rows before it left over."""
    rows = [Query(text, "coral_snake") for text in ("few", "many", "more")]
    provider = Scripted({"few": hits(2), "many": hits(50), "more": hits(50)})

    clerk = search(Clerk(), provider, rows, limit=12)

    assert provider.limits == [4, 5, 5]
    assert len(clerk.found) == 12


def test_a_row_with_a_limit_of_its_own():
    """A row's own `max` is what that row may take."""
    rows = [Query("one", "coral_snake", limit=3), Query("two", "coral_snake")]
    provider = Scripted({"one": hits(50), "two": hits(50)})

    search(Clerk(), provider, rows, limit=10)

    assert provider.limits == [3, 7]


def test_classes_do_not_share():
    """The limit is a class's: each has all of it."""
    provider = Scripted({"coral": hits(50), "king": hits(50)})

    search(Clerk(), provider, [CORAL, KING], limit=6)

    assert provider.limits == [6, 6]


def test_a_limit_used_up_by_the_rows_before():
    """A row for which nothing is left is not asked for."""
    rows = [Query("one", "coral_snake", limit=5), Query("two", "coral_snake")]
    provider = Scripted({"one": hits(50), "two": hits(50)})

    clerk = search(Clerk(), provider, rows, limit=5)

    assert provider.asked == ["one"]
    assert clerk.endings == [account.LIMIT_REACHED, account.LIMIT_REACHED]


def test_a_finished_search_is_not_asked():
    """What is finished is not asked again; what it left over is taken up."""
    provider = Scripted({"coral": hits(5)})

    clerk = search(Clerk(finished={"coral"}, left={"coral": hits(2)}), provider, [CORAL])

    assert provider.asked == []
    assert [item.hit for item in clerk.found] == hits(2)
    assert clerk.endings == [account.FINISHED_EARLIER]


def test_a_full_class_is_not_asked():
    """A class that has its target is not asked for; the next one is."""
    provider = Scripted({"coral": hits(5), "king": hits(5)})

    clerk = search(Clerk(full={"coral_snake"}), provider, [CORAL, KING])

    assert provider.asked == ["king"]
    assert clerk.endings == [account.FULL, account.EXHAUSTED]


def test_a_class_that_becomes_full():
    """A search ends as soon as its class has what it needs."""
    clerk = Clerk()
    steps = [*hits(3), lambda: clerk.full.add("coral_snake"), *hits(50, start=4)]

    search(clerk, Scripted({"coral": steps}), [CORAL])

    assert clerk.endings == [account.TARGET_REACHED]
    assert len(clerk.found) == 3


def test_a_failure_parks_the_provider():
    """After a failure the provider is not asked again; each class it owes tells why."""
    provider = Scripted({"coral": [*hits(3), Blocked("a challenge")], "king": hits(5)})

    clerk = search(Clerk(), provider, [CORAL, KING])

    assert provider.asked == ["coral"]
    assert len(clerk.found) == 3  # what came before the failure counts
    assert clerk.endings == ["Blocked", account.NOT_ASKED]
    assert [str(ended.error) for ended in clerk.ends] == ["a challenge"] * 2


def test_left_overs_of_a_parked_provider_are_taken_up():
    """A provider that fails does not keep what earlier runs found from being fetched."""
    provider = Scripted({"coral": [RateLimited("later")]})

    clerk = search(Clerk(left={"coral": hits(4)}), provider, [CORAL])

    assert len(clerk.found) == 4
    assert clerk.endings == ["RateLimited"]


def test_a_query_that_is_beyond_a_provider():
    """A query the provider cannot answer is told, and the next one is asked."""
    provider = Scripted({"coral": [Unanswerable("not that")], "king": hits(2)})

    clerk = search(Clerk(), provider, [CORAL, KING])

    assert clerk.endings == ["Unanswerable", account.EXHAUSTED]
    assert [str(ended.error or "") for ended in clerk.ends] == ["not that", ""]


def test_another_error_of_ours_is_the_providers():
    """Whatever error of ours a provider raises, it ends its own searches and not the run."""
    clerk = search(Clerk(), Scripted({"coral": [CannotWrite("its cache", "Make room.")]}), [CORAL])

    (ended,) = clerk.ends
    assert isinstance(ended.error, ProviderError)
    assert (ended.error.message, ended.error.hint) == ("its cache", "Make room.")
    assert clerk.failure is None


def test_a_bug_of_a_provider(caplog):
    """A provider's bug ends its own searches, is named as a bug, and has its trace in the log."""
    provider = Scripted({"coral": [*hits(2), ZeroDivisionError("oops")], "king": hits(5)})

    with caplog.at_level(logging.ERROR, "harvest"):
        clerk = search(Clerk(), provider, [CORAL, KING])

    assert clerk.endings == [account.FAILED, account.NOT_ASKED]
    assert "BING failed on 'coral': ZeroDivisionError: oops" in str(clerk.ends[0].error)
    assert "This is a bug of the provider" in clerk.ends[0].error.hint
    assert "Traceback" in caplog.text
    assert clerk.failure is None


GOOD = hits(1)[0]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "https://pictures.example/1.jpg",
        replace(GOOD, url=None),
        replace(GOOD, title=7),
        replace(GOOD, title="half \ud83d a face"),
        replace(GOOD, others=(b"bytes",)),
        replace(GOOD, width="640"),
        replace(GOOD, provider="../OTHER"),
    ],
    ids=repr,
)
def test_a_hit_that_is_none(wrong):
    """What is no sound hit ends its provider's search as a bug, and nothing of it arrives."""
    clerk = search(Clerk(), Scripted({"coral": [GOOD, Odd(wrong)]}), [CORAL])

    assert clerk.endings == [account.FAILED]
    assert [item.hit for item in clerk.found] == [GOOD]
    assert clerk.failure is None


def test_a_provider_that_wants_to_leave():
    """A provider that calls `sys.exit` leaves alone."""
    clerk = search(Clerk(), Scripted({"coral": [SystemExit(0)]}), [CORAL])

    assert clerk.endings == [account.FAILED]
    assert clerk.failure is None


def test_a_failure_after_a_stop_reaches_nobody():
    """What fails after a stop is nobody's business any more, and no thread complains."""

    class Late(Clerk):
        def begin(self, *_: object) -> ProviderSearch:
            self.desk.stopping.set()
            raise CannotWrite("no room")

    assert search(Late(), Scripted({}), [CORAL], stop_after=0.1).failure is None


def test_a_failure_of_the_desk_is_the_runs():
    """When the desk itself cannot go on, the run hears of it."""

    class Broken(Clerk):
        def begin(self, *_: object) -> ProviderSearch:
            raise CannotWrite("no room")

    clerk = search(Broken(), Scripted({}), [CORAL])

    assert isinstance(clerk.failure, CannotWrite)


def test_a_search_never_runs_far_ahead():
    """With a window of 5, a provider of a thousand hits is drawn no further until there is room."""
    provider = Scripted({"coral": hits(1000)})
    clerk = Clerk(window=5, room=False)

    search(clerk, provider, [CORAL], limit=1000, stop_after=0.5)

    assert len(clerk.found) == 5
    assert provider.yielded == 6  # the sixth waits at the desk


def test_a_stop_ends_every_wait():
    """A stop ends a search that waits for room, and what it does afterwards reaches nobody."""
    clerk = Clerk(window=2, room=False)

    search(clerk, Scripted({"coral": hits(9)}), [CORAL], stop_after=0.1)  # joins the searcher

    assert not clerk.ends


def test_results_that_have_little_to_do_with_the_query():
    """An engine whose results do not share a word with the query is doubted aloud; an archive is not."""
    provider = Scripted({"coral": hits(20)})
    provider.by_words = True  # type: ignore[misc]

    assert "only 0 of 20 for 'coral' share a word with it" in search(Clerk(), provider, [CORAL]).ends[0].doubt
    assert search(Clerk(), Scripted({"coral": hits(20)}), [CORAL]).ends[0].doubt == ""


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_do(count):
    """No queries, or one that has nothing, is an end like any other."""
    clerk = search(Clerk(), Scripted({}), [CORAL][:count])

    assert clerk.endings == [account.EXHAUSTED] * count
    assert not clerk.found
