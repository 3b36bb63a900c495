"""One provider searched for query after query: limits, ends, failures, and never far ahead."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace

import pytest

from harvest.errors import Blocked, CannotWrite, Interrupted, ProviderError, RateLimited, Unanswerable
from harvest.harvesting import summary as account
from harvest.harvesting.search import HitFound, ProviderSearch, Searcher, SearchFinished, TaskResumed
from harvest.models import Hit, Query, Task
from tests.scripted import Odd, Scripted, hits, no_pages


@dataclass
class Channel:
    """Stands for the run: knows finished searches and unfinished tasks, and keeps all that arrives."""

    finished: set[str] = field(default_factory=set)
    unfinished: dict[str, list] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)
    slots: int = 1000  # hits that it takes before it makes the search wait
    hits: list[Hit] = field(default_factory=list)
    resumed: list[Hit] = field(default_factory=list)
    ends: list[SearchFinished] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def begin_search(self, query: Query, provider: Scripted, limit: int) -> ProviderSearch:
        """Open a search."""
        return ProviderSearch(len(self.ends), query, provider.name, limit, query.text in self.finished)

    def unfinished_tasks(self, search: ProviderSearch) -> list[Task]:
        """Return what earlier runs did not finish."""
        left = self.unfinished.get(search.query.text, [])
        return [Task(number, search.query.class_name, hit) for number, hit in enumerate(left)]

    def has_enough(self, class_name: str) -> bool:
        """Return whether a class is full."""
        return class_name in self.full

    def put(self, item: HitFound | TaskResumed | SearchFinished) -> None:
        """Keep what a search found; without a slot, wait for a stop."""
        if isinstance(item, SearchFinished):
            self.ends.append(item)
        elif len(self.hits) == self.slots:
            self.stopping.wait(60)
            raise Interrupted("stopped")
        elif isinstance(item, HitFound):
            self.hits.append(item.hit)
        else:
            self.resumed.append(item.task.hit)

    @property
    def endings(self) -> list[str]:
        """How the searches ended."""
        return [ended.end for ended in self.ends]


def search(channel: Channel, provider: Scripted, queries: list[Query], limit: int = 100, *, stop: bool = False):
    """Run a searcher to its end, or stop it once it waits for a slot; return the channel."""
    searcher = Searcher(provider, queries, limit, channel, no_pages)
    searcher.start()
    if stop:
        while len(channel.hits) < channel.slots:
            time.sleep(0.01)
        channel.stopping.set()
    searcher.finished.result(30)
    return channel


CORAL, KING = Query("coral", "coral_snake"), Query("king", "king_snake")


def test_a_search_to_its_end():
    """A provider that has no more results ends its search as exhausted, with the number of its hits."""
    channel = search(Channel(), Scripted({"coral": hits(7)}), [CORAL])

    assert channel.hits == hits(7)
    assert channel.endings == [account.EXHAUSTED]
    assert channel.ends[0].asked == 7


def test_a_provider_is_asked_no_more_than_is_wanted():
    """A limit ends a search at its last hit; the provider gets the limit, and is asked for no more."""
    provider = Scripted({"coral": hits(50)})

    channel = search(Channel(), provider, [CORAL], limit=8)

    assert channel.endings == [account.LIMIT_REACHED]
    assert provider.yielded == len(channel.hits) == 8
    assert provider.limits == [8]


def test_rows_of_a_class_share_its_limit():
    """Each query may use an even part of what the queries before it did not use."""
    rows = [Query(text, "coral_snake") for text in ("few", "many", "more")]
    provider = Scripted({"few": hits(2), "many": hits(50), "more": hits(50)})

    channel = search(Channel(), provider, rows, limit=12)

    assert provider.limits == [4, 5, 5]
    assert len(channel.hits) == 12


def test_a_row_with_a_limit_of_its_own():
    """A query with a limit of its own uses that limit."""
    rows = [Query("one", "coral_snake", limit=3), Query("two", "coral_snake")]
    provider = Scripted({"one": hits(50), "two": hits(50)})

    search(Channel(), provider, rows, limit=10)

    assert provider.limits == [3, 7]


def test_classes_do_not_share():
    """The limit is per class: each class has all of it."""
    provider = Scripted({"coral": hits(50), "king": hits(50)})

    search(Channel(), provider, [CORAL, KING], limit=6)

    assert provider.limits == [6, 6]


def test_a_limit_used_up_by_the_rows_before():
    """A query for which nothing of the limit is left is not searched."""
    rows = [Query("one", "coral_snake", limit=5), Query("two", "coral_snake")]
    provider = Scripted({"one": hits(50), "two": hits(50)})

    channel = search(Channel(), provider, rows, limit=5)

    assert provider.asked == ["one"]
    assert channel.endings == [account.LIMIT_REACHED, account.LIMIT_REACHED]


def test_a_finished_search_is_not_asked():
    """A finished search is not repeated; its unfinished hits are resumed."""
    provider = Scripted({"coral": hits(5)})

    channel = search(Channel(finished={"coral"}, unfinished={"coral": hits(2)}), provider, [CORAL])

    assert provider.asked == []
    assert channel.resumed == hits(2)
    assert channel.endings == [account.FINISHED_EARLIER]


def test_a_full_class_is_not_asked():
    """A class that has reached its target is not searched; the next one is."""
    provider = Scripted({"coral": hits(5), "king": hits(5)})

    channel = search(Channel(full={"coral_snake"}), provider, [CORAL, KING])

    assert provider.asked == ["king"]
    assert channel.endings == [account.FULL, account.EXHAUSTED]


def test_a_class_that_becomes_full():
    """A search ends as soon as its class reaches the target."""
    channel = Channel()
    steps = [*hits(3), lambda: channel.full.add("coral_snake"), *hits(50, start=4)]

    search(channel, Scripted({"coral": steps}), [CORAL])

    assert channel.endings == [account.TARGET_REACHED]
    assert len(channel.hits) == 3


def test_a_failure_parks_the_provider():
    """After a failure the provider is not asked again; the searches of the other classes say why."""
    provider = Scripted({"coral": [*hits(3), Blocked("a challenge")], "king": hits(5)})

    channel = search(Channel(), provider, [CORAL, KING])

    assert provider.asked == ["coral"]
    assert len(channel.hits) == 3  # what came before the failure counts
    assert channel.endings == ["Blocked", account.NOT_ASKED]
    assert [str(ended.error) for ended in channel.ends] == ["a challenge"] * 2


def test_left_overs_of_a_parked_provider_are_taken_up():
    """Unfinished hits of earlier runs are resumed even if their provider fails."""
    provider = Scripted({"coral": [RateLimited("later")]})

    channel = search(Channel(unfinished={"coral": hits(4)}), provider, [CORAL])

    assert len(channel.resumed) == 4
    assert channel.endings == ["RateLimited"]


def test_a_query_that_is_beyond_a_provider():
    """A query that the provider cannot answer ends with an error, and the next query is searched."""
    provider = Scripted({"coral": [Unanswerable("not that")], "king": hits(2)})

    channel = search(Channel(), provider, [CORAL, KING])

    assert channel.endings == ["Unanswerable", account.EXHAUSTED]
    assert [str(ended.error or "") for ended in channel.ends] == ["not that", ""]


def test_another_error_of_ours_is_the_providers():
    """Any error of ours that a provider raises ends its searches and not the run."""
    channel = search(Channel(), Scripted({"coral": [CannotWrite("its cache", "Make room.")]}), [CORAL])

    (ended,) = channel.ends
    assert isinstance(ended.error, ProviderError)
    assert (ended.error.message, ended.error.hint) == ("its cache", "Make room.")


def test_a_bug_of_a_provider(caplog):
    """A bug of a provider ends its searches, is reported as a bug, and its traceback is in the log."""
    provider = Scripted({"coral": [*hits(2), ZeroDivisionError("oops")], "king": hits(5)})

    with caplog.at_level(logging.ERROR, "harvest"):
        channel = search(Channel(), provider, [CORAL, KING])

    assert channel.endings == [account.FAILED, account.NOT_ASKED]
    assert "BING failed on 'coral': ZeroDivisionError: oops" in str(channel.ends[0].error)
    assert "This is a bug of the provider" in channel.ends[0].error.hint
    assert "Traceback" in caplog.text


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
    """A malformed hit ends the search of its provider as a bug, and is not passed on."""
    channel = search(Channel(), Scripted({"coral": [GOOD, Odd(wrong)]}), [CORAL])

    assert channel.endings == [account.FAILED]
    assert channel.hits == [GOOD]


def test_a_provider_that_wants_to_leave():
    """A provider that calls `sys.exit` ends its own searches only."""
    channel = search(Channel(), Scripted({"coral": [SystemExit(0)]}), [CORAL])

    assert channel.endings == [account.FAILED]


def test_a_failure_of_the_run_ends_the_search():
    """When the run itself cannot continue, the thread ends with that error."""

    class Broken(Channel):
        def begin_search(self, *_: object) -> ProviderSearch:
            raise CannotWrite("no room")

    with pytest.raises(CannotWrite, match="no room"):
        search(Broken(), Scripted({}), [CORAL])


def test_a_search_waits_for_a_slot():
    """With 5 slots, a provider of a thousand hits is asked for one hit more, until a stop ends the wait."""
    provider = Scripted({"coral": hits(1000)})

    channel = search(Channel(slots=5), provider, [CORAL], limit=1000, stop=True)

    assert len(channel.hits) == 5
    assert provider.yielded == 6  # the sixth waits
    assert not channel.ends


def test_results_that_have_little_to_do_with_the_query():
    """An engine whose results contain no word of the query gives a warning; an archive does not."""
    provider = Scripted({"coral": hits(20)})
    provider.by_words = True  # type: ignore[misc]

    (warning,) = search(Channel(), provider, [CORAL]).ends[0].warnings
    assert "only 0 of 20 for 'coral' contain its main words" in warning
    assert search(Channel(), Scripted({"coral": hits(20)}), [CORAL]).ends[0].warnings == ()


def test_queries_are_judged_once_all_are_searched():
    """The last search of a provider ends with the warnings about all its queries, also about those before it."""
    provider = Scripted({"coral": hits(20), "king": []})
    provider.by_words = True  # type: ignore[misc]

    first, last = search(Channel(), provider, [CORAL, KING]).ends

    assert first.warnings == ()
    assert len(last.warnings) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_do(count):
    """No queries, or one without results, end like any other."""
    channel = search(Channel(), Scripted({}), [CORAL][:count])

    assert channel.endings == [account.EXHAUSTED] * count
    assert not channel.hits
