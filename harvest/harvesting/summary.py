"""The summary of a run: the verdict of every hit, by class and provider, and the totals."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harvest.errors import (
    Interrupted,
    KeyMissing,
    KeyRefused,
    NothingHarvested,
    ProviderError,
    Unavailable,
)
from harvest.models import Outcome, Refusal
from harvest.verdicts import COLUMNS, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

log = logging.getLogger(__name__)

FINISHED_EARLIER = "finished earlier"
NOT_ASKED = "not asked"
FULL = "full already"
FAILED = "failed"
EXHAUSTED = "exhausted"
LIMIT_REACHED = "limit reached"
TARGET_REACHED = "target reached"

# Ends of a search for which the provider was not asked: the ledger keeps the end that it has.
UNASKED = frozenset({FINISHED_EARLIER, NOT_ASKED, FULL})


@dataclass(slots=True)
class SummaryLine:
    """One class at one provider: hits found, their verdicts, and how the search ended."""

    class_name: str
    provider: str
    found: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    end: str = ""

    @property
    def settled(self) -> int:
        """The number of hits that have a verdict."""
        return self.verdicts.total()

    @property
    def left(self) -> int:
        """The number of hits that are left for the next run."""
        return self.found - self.settled

    def columns(self) -> dict[str, int]:
        """Return the number of verdicts per column; with `left` they add up to `found`."""
        counts = dict.fromkeys(COLUMNS, 0)
        for verdict, count in self.verdicts.items():
            counts[verdict.column] += count
        return counts


@dataclass(frozen=True, slots=True)
class ProviderProblem:
    """The failure of a provider, and the class that it could not search for."""

    provider: str
    error: ProviderError
    class_name: str = ""

    @property
    def is_about_keys(self) -> bool:
        """Whether a usable key would have helped."""
        return isinstance(self.error, (KeyMissing, KeyRefused))


@dataclass(slots=True)
class Summary:
    """The results of a run; its exit code follows from them."""

    classes: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    lines: dict[tuple[str, str], SummaryLine] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    problems: list[ProviderProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    target: int | None = None
    seconds: float = 0.0
    bytes_read: int = 0
    pictures: int = 0  # in the whole dataset, also of classes that were not asked for
    licence_known: int = 0  # of those that `kept` counts
    made_with_ai: int = 0  # in the whole dataset, as their downloads stated
    conflicts: int = 0
    near_duplicates: int = 0  # images of the dataset that may be copies of each other
    set_aside: int = 0
    unrequested: int = 0  # hits whose host got no more requests in this run: they are left for the next
    interrupted: bool = False
    dry_run: bool = False

    def line(self, class_name: str, provider: str) -> SummaryLine:
        """Return the line of a class at a provider; it is made when it is first needed."""
        key = (class_name, provider)
        return self.lines.setdefault(key, SummaryLine(class_name, provider))

    def count(self, outcome: Outcome, provider: str, verdict: Verdict) -> None:
        """Count the verdict of an outcome, and what was downloaded for it."""
        class_name, result = outcome.task.class_name, outcome.result
        self.line(class_name, provider).verdicts[verdict] += 1
        self.bytes_read += outcome.bytes_read
        if verdict is Verdict.KEPT:
            self.kept[class_name] = self.kept.get(class_name, 0) + 1
        log.debug("%s %s %s", verdict, outcome.task.hit.url, result.detail if isinstance(result, Refusal) else "")

    def of_class(self, class_name: str) -> SummaryLine:
        """Return the sum of a class over its providers."""
        return _add(class_name, "", (x for x in self.lines.values() if x.class_name == class_name))

    def total(self) -> SummaryLine:
        """Return the sum of all lines."""
        return _add("", "", self.lines.values())

    @property
    def short_of_target(self) -> list[str]:
        """The classes that ended with fewer images than `--target`."""
        if self.target is None:
            return []
        return [name for name in self.classes if self.kept.get(name, 0) < self.target]

    @property
    def exit_code(self) -> int:
        """The exit code for the worst that happened, as listed in README.md."""
        if self.interrupted:
            return Interrupted.exit_code
        if self._no_usable_key():
            return KeyMissing.exit_code
        if not self.dry_run and not any(self.kept.values()):
            return NothingHarvested.exit_code
        if self.dry_run and not self.problems and not self.total().found and self._was_anything_asked():
            return NothingHarvested.exit_code
        return ProviderError.exit_code if self.problems or self.short_of_target else 0

    def _was_anything_asked(self) -> bool:
        return any(line.end != FINISHED_EARLIER for line in self.lines.values())

    def _no_usable_key(self) -> bool:
        """Return whether no chosen provider could be asked, and at least one of them for lack of a key."""
        without = {p.provider for p in self.problems if p.is_about_keys}
        out = without | {p.provider for p in self.problems if isinstance(p.error, Unavailable)}
        return bool(without) and out >= set(self.providers)

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON objects, for `--json`."""
        return {
            "classes": [self._row(self.of_class(name)) for name in self.classes],
            "lines": [{"provider": x.provider, **self._row(x), "end": x.end} for x in self._lines_in_order()],
            "total": self._row(self.total()),
            "problems": [
                {
                    "provider": p.provider,
                    "class": p.class_name,
                    "kind": type(p.error).__name__,
                    "message": p.error.message,
                    "hint": p.error.hint,
                }
                for p in self.problems
            ],
            "notes": self.notes,
            "short_of_target": self.short_of_target,
            "seconds": round(self.seconds, 3),
            "bytes": self.bytes_read,
            "pictures": self.pictures,
            "licence_known": self.licence_known,
            "made_with_ai": self.made_with_ai,
            "conflicts": self.conflicts,
            "near_duplicates": self.near_duplicates,
            "set_aside": self.set_aside,
            "interrupted": self.interrupted,
            "dry_run": self.dry_run,
            "exit_code": self.exit_code,
        }

    def _lines_in_order(self) -> Iterator[SummaryLine]:
        for class_name in self.classes:
            for provider in self.providers:
                if (class_name, provider) in self.lines:
                    yield self.lines[class_name, provider]

    def _row(self, line: SummaryLine) -> dict[str, Any]:
        kept = self.kept.get(line.class_name, 0) if line.class_name else sum(self.kept.values())
        return {
            "class": line.class_name,
            **({} if line.provider else {"kept": kept}),
            "found": line.found,
            **line.columns(),
            "left": line.left,
            "verdicts": {str(verdict): count for verdict, count in sorted(line.verdicts.items())},
        }


def _add(class_name: str, provider: str, lines: Iterable[SummaryLine]) -> SummaryLine:
    total = SummaryLine(class_name, provider)
    for line in lines:
        total.found += line.found
        total.verdicts += line.verdicts
    return total


def columns_in_use(lines: Sequence[SummaryLine]) -> list[str]:
    """Return the columns that are not all zero, in their order, `left` last."""
    used = [name for name in COLUMNS if any(line.columns()[name] for line in lines)]
    return [*used, "left"] if any(line.left for line in lines) else used
