"""Searches and their hits: what was asked, what was found, and what became of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from harvest import source_keys
from harvest.ledger import hit_table
from harvest.ledger.class_table import adopt_class, is_adopted
from harvest.ledger.database import now
from harvest.models import Filters, Refusal, Task
from harvest.verdicts import Followup, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.ledger.database import Ledger, Row
    from harvest.models import Hit, Query

# The two ends of a search that need no second asking; any other says why it ended early.
EXHAUSTED = "exhausted"
LIMIT_REACHED = "limit reached"

_KNOWN = frozenset(Verdict)  # another word, in a damaged ledger, is none

ATTEMPTS = 3  # runs that may try a hit whose network had a bad day

_TRANSIENT = ", ".join(f"'{verdict}'" for verdict in Verdict if verdict.is_transient)
_BY_FILTERS = frozenset(verdict for verdict in Verdict if Followup.OTHER_FILTERS in verdict.followup)
_BY_OPTIONS = frozenset(verdict for verdict in Verdict if Followup.OTHER_OPTIONS in verdict.followup)


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """What the ledger knows of a search: how many hits were asked for, how it ended, how many hits wait."""

    id: int
    finished: bool
    asked: int
    end: str
    waiting: int


@dataclass(frozen=True, slots=True)
class HitVerdict:
    """The end of one hit's way, and the picture that it is the same as."""

    task_id: int
    verdict: Verdict
    detail: str = ""
    picture_id: int | None = None


class SearchTable:
    """The searches of one ledger; `run` is the run that asks, if one does."""

    run: int | None = None
    again: frozenset[Verdict] = frozenset()  # ends that this run does not take for the last word

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def _waiting(self) -> str:
        """Which hits wait: what this run has met it will settle or leave, so only those of earlier ones."""
        again = ", ".join(f"'{verdict}'" for verdict in sorted(self.again)) or "NULL"
        passing = f"(verdict IN ({_TRANSIENT}) AND attempts < {ATTEMPTS})"
        return f"run IS NOT ? AND (verdict IS NULL OR verdict IN ({again}) OR {passing})"

    def begin_search(self, query: Query, provider: str, limit: int) -> SearchRecord:
        """Open the search for a query at a provider, new or known."""
        key = (provider, query.class_name, query.text, _filters_as_json(query.filters))
        if not is_adopted(self._ledger, query.class_name) or self._find(key) is None:
            with self._ledger.transaction():
                adopt_class(self._ledger, query.class_name)
                self._ledger.execute(
                    "INSERT OR IGNORE INTO search (provider, class, text, filters) VALUES (?, ?, ?, ?)", *key
                )
        row = self._find(key)
        assert row is not None
        search, asked, end = row
        finished = end == EXHAUSTED or (end == LIMIT_REACHED and asked >= limit)
        waiting = self._ledger.scalar(
            f"SELECT count(*) FROM hit WHERE search = ? AND {self._waiting}", search, self.run
        )
        return SearchRecord(search, finished, asked, end, waiting)

    def _find(self, key: tuple[str, str, str, str]) -> Row | None:
        return self._ledger.first_row(
            # The table itself: a damaged row is in the way of a new one, and is written over.
            "SELECT id, CAST(asked AS INTEGER), CAST(ending AS TEXT) FROM main.search"
            " WHERE provider = ? AND class = ? AND text = ? AND filters = ?",
            *key,
        )

    def finish_search(self, search: int, end: str, asked: int) -> None:
        """Remember how a search ended and how many hits it was asked for."""
        with self._ledger.transaction():
            self._ledger.execute(
                "UPDATE search SET ending = ?, asked = ?, ended = ? WHERE id = ?", end, asked, now(), search
            )

    def unsettled_tasks(self, search: int) -> list[Task]:
        """Return a search's hits that have no verdict, or one that an earlier run's bad day gave them."""
        found = self._ledger.rows(
            f"SELECT id, class, {hit_table.COLUMNS} FROM hit WHERE search = ? AND {self._waiting}"
            " AND typeof(class) = 'text' ORDER BY id",
            search,
            self.run,
        )
        loaded = [(row[0], row[1], hit_table.load_hit(self._ledger, row[0], row[2:])) for row in found]
        return [Task(number, class_name, hit) for number, class_name, hit in loaded if hit is not None]

    def record_hits(self, search: int, class_name: str, found: Sequence[Hit]) -> list[Task | Refusal]:
        """Write hits down, and tell for each whether it is to be fetched or what is already known of it."""
        with self._ledger.transaction():
            return [self._record_hit(search, class_name, hit) for hit in found]

    def _record_hit(self, search: int, class_name: str, hit: Hit) -> Task | Refusal:
        keys = (source_keys.source_key(hit.url), hit.source or source_keys.source_key(hit.url))
        kin = self._find_same_photo(keys)
        mine = self._ledger.first_row(
            "SELECT id, verdict, CAST(attempts AS INTEGER), run FROM hit WHERE search = ? AND source = ?",
            search,
            keys[1],
        )
        if mine is not None and self._is_final(*mine[1:]):
            rejected = kin is not None and kin[2] == "rejected"
            return Refusal(Verdict.REJECTED if rejected else Verdict.HAD)
        number = mine[0] if mine else hit_table.insert_hit(self._ledger, search, class_name, hit, keys)
        if mine is not None and mine[3] != self.run:
            hit_table.update_url(self._ledger, number, hit, keys[0])
        return self._decide(search, Task(number, class_name, hit), keys, kin)

    def recheck_hits(self, tasks: Sequence[Task]) -> list[Task | Refusal]:
        """Look up again what is known of recorded hits; return for each the task, or why it is not to be downloaded."""
        with self._ledger.transaction():
            return [self._recheck_hit(task) for task in tasks]

    def _recheck_hit(self, task: Task) -> Task | Refusal:
        keys = (source_keys.source_key(task.hit.url), task.hit.source)
        search = self._ledger.scalar("SELECT search FROM hit WHERE id = ?", task.id)
        return self._decide(search, task, keys, self._find_same_photo(keys))

    def _decide(self, search: int, task: Task, keys: tuple[str, str], kin: Row | None) -> Task | Refusal:
        """Record for this run what is known of a hit, and return why it is not to be downloaded, or the task."""
        class_name = task.class_name
        refusal = self._outcome_if_known(class_name, kin) if kin else self._was_settled_before(search, class_name, keys)
        verdict, detail = (refusal.verdict, refusal.detail) if refusal else (None, "")
        self._ledger.execute(
            "UPDATE hit SET verdict = ?, detail = ?, run = ?, picture = ? WHERE id = ?",
            verdict,
            detail,
            self.run,
            kin[0] if kin else None,
            task.id,
        )
        if kin and verdict is Verdict.CONFLICT:
            self._open_conflict(kin[0], class_name)
        return refusal or task

    def _find_same_photo(self, keys: tuple[str, str]) -> Row | None:
        """Find the picture that this photograph already is: one on disk before one thrown out."""
        # CROSS JOIN keeps SQLite from going through all pictures: it believes that few are present.
        return self._ledger.first_row(
            "SELECT picture.id, picture.class, state, name"
            " FROM hit CROSS JOIN picture ON picture.id = hit.picture"
            " WHERE (address IN (?, ?) OR source IN (?, ?)) AND state IN ('present', 'rejected')"
            " ORDER BY state, picture.id",
            *keys,
            *keys,
        )

    def _outcome_if_known(self, class_name: str, kin: Row) -> Refusal:
        picture, home, state, name = kin
        if state == "rejected":
            return Refusal(Verdict.REJECTED, f"you threw out {home}/{name}")
        detail = f"the same photograph as {home}/{name}"
        decided = self._ledger.first_row(
            "SELECT 1 FROM conflict WHERE picture = ? AND class = ? AND resolved IS NOT NULL",
            picture,
            class_name,
        )
        return Refusal(Verdict.DUPLICATE if home == class_name or decided else Verdict.CONFLICT, detail)

    def _was_settled_before(self, search: int, class_name: str, keys: tuple[str, str]) -> Refusal | None:
        """Tell whether another search for this class already came to an end with this address."""
        others = self._ledger.rows(
            "SELECT verdict, hit.run, other.filters = mine.filters FROM hit"
            " JOIN search AS other ON other.id = hit.search JOIN search AS mine ON mine.id = ?"
            " WHERE address = ? AND hit.class = ? AND verdict IS NOT NULL"
            " AND NOT (search = ? AND source = ?)",
            search,
            keys[0],
            class_name,
            search,
            keys[1],
        )
        for verdict, run, same_filters in others:
            if verdict in _BY_FILTERS and not same_filters:
                continue
            if verdict in _BY_OPTIONS | self.again and run != self.run:
                continue
            return Refusal(Verdict.HAD, f"{verdict} in another search")
        return None

    def _is_final(self, verdict: str | None, attempts: int, run: int | None) -> bool:
        if verdict not in _KNOWN:
            return False
        if run == self.run:
            return True
        if verdict in self.again:
            return False
        if Verdict(verdict).is_transient:
            return attempts >= ATTEMPTS
        return verdict not in _BY_OPTIONS

    def record_verdicts(self, settlements: Sequence[HitVerdict]) -> None:
        """Write down what became of hits."""
        if not settlements:
            return
        with self._ledger.transaction():
            for settlement in settlements:
                self._record_verdict(settlement)

    def _record_verdict(self, settlement: HitVerdict) -> None:
        picture = self._ledger.first_row("SELECT coalesce(became, id) FROM picture WHERE id = ?", settlement.picture_id)
        self._ledger.execute(
            "UPDATE hit SET verdict = ?, detail = ?, run = ?, picture = ?, attempts = attempts + 1 WHERE id = ?",
            settlement.verdict,
            settlement.detail,
            self.run,
            picture[0] if picture else None,
            settlement.task_id,
        )
        if picture and settlement.verdict is Verdict.CONFLICT:
            hit = self._ledger.first_row("SELECT class FROM hit WHERE id = ?", settlement.task_id)
            assert hit is not None
            self._open_conflict(picture[0], hit[0])

    def _open_conflict(self, picture: int, class_name: str) -> None:
        self._ledger.execute(
            "INSERT OR IGNORE INTO conflict (picture, class, at) VALUES (?, ?, ?)", picture, class_name, now()
        )


def _filters_as_json(filters: Filters) -> str:
    """Write filters down, those left as they are left out: a filter to come makes no search a new one."""
    usual = asdict(Filters())
    chosen = {name: value for name, value in asdict(filters).items() if value != usual[name]}
    return json.dumps(chosen, sort_keys=True, default=str)
