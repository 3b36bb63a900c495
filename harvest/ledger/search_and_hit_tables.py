"""The table of searches: what was searched for, the hits that were found, and their verdicts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from harvest import photo_keys
from harvest.ledger import hit_table
from harvest.ledger.class_table import adopt_class, is_adopted
from harvest.ledger.database import now
from harvest.models import Filters, Refusal, Task
from harvest.verdicts import Followup, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.ledger.database import Ledger, Row
    from harvest.ledger.hit_table import HitVerdict
    from harvest.models import Hit, Query

# The two ends of a finished search; any other says why it ended early.
EXHAUSTED = "exhausted"
LIMIT_REACHED = "limit reached"

_KNOWN = frozenset(Verdict)  # a damaged ledger may contain other words

ATTEMPTS = 3  # runs that try a hit whose download failed temporarily

_TRANSIENT = ", ".join(f"'{verdict}'" for verdict in Verdict if verdict.is_transient)
_BY_FILTERS = frozenset(verdict for verdict in Verdict if Followup.OTHER_FILTERS in verdict.followup)
_BY_OPTIONS = frozenset(verdict for verdict in Verdict if Followup.OTHER_OPTIONS in verdict.followup)


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search in the ledger: the number of hits asked for, how it ended, and the number of unfinished hits."""

    id: int
    finished: bool
    asked: int
    end: str
    waiting: int


class SearchTable:
    """The searches of one ledger; `run` is the current run, if there is one."""

    run: int | None = None
    again: frozenset[Verdict] = frozenset()  # verdicts that are not final for this run

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def _waiting(self) -> str:
        """The SQL condition for hits that earlier runs left unfinished."""
        again = ", ".join(f"'{verdict}'" for verdict in sorted(self.again)) or "NULL"
        passing = f"(verdict IN ({_TRANSIENT}) AND attempts < {ATTEMPTS}) OR verdict = '{Verdict.HOST_PARKED}'"
        return f"run IS NOT ? AND (verdict IS NULL OR verdict IN ({again}) OR {passing})"

    def begin_search(self, query: Query, provider: str, limit: int) -> SearchRecord:
        """Open the search for a query at a provider, and return what the ledger knows about it."""
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
            # The table itself: a damaged row, hidden by the view, would prevent the insert; it is overwritten.
            "SELECT id, CAST(asked AS INTEGER), CAST(ending AS TEXT) FROM main.search"
            " WHERE provider = ? AND class = ? AND text = ? AND filters = ?",
            *key,
        )

    def finish_search(self, search: int, end: str, asked: int) -> None:
        """Record how a search ended and how many hits it was asked for."""
        with self._ledger.transaction():
            self._ledger.execute(
                "UPDATE search SET ending = ?, asked = ?, ended = ? WHERE id = ?", end, asked, now(), search
            )

    def unsettled_tasks(self, search: int) -> list[Task]:
        """Return the hits of a search that have no verdict, or one that is not final."""
        found = self._ledger.rows(
            f"SELECT id, class, {hit_table.COLUMNS} FROM hit WHERE search = ? AND {self._waiting}"
            " AND typeof(class) = 'text' ORDER BY id",
            search,
            self.run,
        )
        loaded = [(row[0], row[1], hit_table.load_hit(self._ledger, row[0], row[2:])) for row in found]
        return [Task(number, class_name, hit) for number, class_name, hit in loaded if hit is not None]

    def record_hits(self, search: int, class_name: str, found: Sequence[Hit]) -> list[Task | Refusal]:
        """Record hits; return for each the task to download it, or why it is not to be downloaded."""
        with self._ledger.transaction():
            keys = [self._keys(hit) for hit in found]
            known = hit_table.find_known_keys(self._ledger, {key for pair in keys for key in pair})
            recorded: list[Task | Refusal] = []
            for hit, pair in zip(found, keys, strict=True):
                if known.isdisjoint(pair):  # so are most hits, and they need no further query
                    number = hit_table.insert_hit(self._ledger, search, class_name, hit, pair, run=self.run)
                    recorded.append(Task(number, class_name, hit))
                else:
                    recorded.append(self._record_known_hit(search, class_name, hit, pair))
                known.update(pair)
            return recorded

    @staticmethod
    def _keys(hit: Hit) -> tuple[str, str]:
        address = photo_keys.source_key(hit.url)
        return address, hit.source or address

    def _record_known_hit(self, search: int, class_name: str, hit: Hit, keys: tuple[str, str]) -> Task | Refusal:
        """Record a hit whose photograph is in the ledger already."""
        same_photo = self._find_same_photo(keys)
        mine = self._ledger.first_row(
            "SELECT id, verdict, CAST(attempts AS INTEGER), run FROM hit WHERE search = ? AND source = ?",
            search,
            keys[1],
        )
        if mine is not None and self._is_final(*mine[1:]):
            rejected = same_photo is not None and same_photo[2] == "rejected"
            return Refusal(Verdict.REJECTED if rejected else Verdict.HAD)
        number = mine[0] if mine else hit_table.insert_hit(self._ledger, search, class_name, hit, keys, run=self.run)
        if mine is not None and mine[3] != self.run:
            hit_table.update_url(self._ledger, number, hit, keys[0])
        return self._decide(search, Task(number, class_name, hit), keys, same_photo)

    def recheck_hits(self, tasks: Sequence[Task]) -> list[Task | Refusal]:
        """Look up again what is known of recorded hits; return for each the task, or why it is not to be downloaded."""
        with self._ledger.transaction():
            return [self._recheck_hit(task) for task in tasks]

    def _recheck_hit(self, task: Task) -> Task | Refusal:
        keys = (photo_keys.source_key(task.hit.url), task.hit.source)
        search = self._ledger.scalar("SELECT search FROM hit WHERE id = ?", task.id)
        return self._decide(search, task, keys, self._find_same_photo(keys))

    def _decide(self, search: int, task: Task, keys: tuple[str, str], same_photo: Row | None) -> Task | Refusal:
        """Record for this run what is known of a hit, and return why it is not to be downloaded, or the task."""
        class_name = task.class_name
        refusal = (
            self._outcome_if_known(class_name, same_photo)
            if same_photo
            else self._refusal_of_other_search(search, class_name, keys)
        )
        verdict, detail = (refusal.verdict, refusal.detail) if refusal else (None, "")
        self._ledger.execute(
            "UPDATE hit SET verdict = ?, detail = ?, run = ?, picture = ? WHERE id = ?",
            verdict,
            detail,
            self.run,
            same_photo[0] if same_photo else None,
            task.id,
        )
        if same_photo and verdict is Verdict.CONFLICT:
            self._open_conflict(same_photo[0], class_name)
        return refusal or task

    def _find_same_photo(self, keys: tuple[str, str]) -> Row | None:
        """Return the picture of the same photograph: one on disk before a rejected one."""
        # CROSS JOIN prevents SQLite from scanning all pictures: it assumes that few are present.
        return self._ledger.first_row(
            "SELECT picture.id, picture.class, state, name"
            " FROM hit CROSS JOIN picture ON picture.id = hit.picture"
            " WHERE (address IN (?, ?) OR source IN (?, ?)) AND state IN ('present', 'rejected')"
            " ORDER BY state, picture.id",
            *keys,
            *keys,
        )

    def _outcome_if_known(self, class_name: str, same_photo: Row) -> Refusal:
        picture, home, state, name = same_photo
        if state == "rejected":
            return Refusal(Verdict.REJECTED, f"you rejected {home}/{name}")
        detail = f"the same photograph as {home}/{name}"
        decided = self._ledger.first_row(
            "SELECT 1 FROM conflict WHERE picture = ? AND class = ? AND resolved IS NOT NULL",
            picture,
            class_name,
        )
        return Refusal(Verdict.DUPLICATE if home == class_name or decided else Verdict.CONFLICT, detail)

    def _refusal_of_other_search(self, search: int, class_name: str, keys: tuple[str, str]) -> Refusal | None:
        """Return the refusal if another search for this class has a final verdict on this URL."""
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
            return attempts >= ATTEMPTS and verdict != Verdict.HOST_PARKED
        return verdict not in _BY_OPTIONS

    def record_verdicts(self, verdicts: Sequence[HitVerdict]) -> None:
        """Record verdicts on hits."""
        if not verdicts:
            return
        with self._ledger.transaction():
            hit_table.record_verdicts(self._ledger, verdicts, self.run)
            for verdict in verdicts:
                if verdict.verdict is Verdict.CONFLICT:
                    self._open_conflict_of_hit(verdict.task_id)

    def _open_conflict_of_hit(self, number: int) -> None:
        row = self._ledger.first_row("SELECT picture, class FROM hit WHERE id = ?", number)
        if row and row[0]:
            self._open_conflict(*row)

    def _open_conflict(self, picture: int, class_name: str) -> None:
        self._ledger.execute(
            "INSERT OR IGNORE INTO conflict (picture, class, at) VALUES (?, ?, ?)", picture, class_name, now()
        )


def _filters_as_json(filters: Filters) -> str:
    """Return filters as JSON without the defaults, so that a new filter does not make every search a new one."""
    usual = asdict(Filters())
    chosen = {name: value for name, value in asdict(filters).items() if value != usual[name]}
    return json.dumps(chosen, sort_keys=True, default=str)
