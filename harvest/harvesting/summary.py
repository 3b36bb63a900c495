"""The account of a run: what became of every hit, by class and provider, and what it adds up to."""

from __future__ import annotations

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
from harvest.verdicts import COLUMNS, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FINISHED_EARLIER = "finished earlier"
NOT_ASKED = "not asked"
FULL = "full already"
FAILED = "failed"
EXHAUSTED = "exhausted"
LIMIT_REACHED = "limit reached"
TARGET_REACHED = "target reached"

# Ends of a search that was not put to anybody: the ledger keeps the end it has.
UNASKED = frozenset({FINISHED_EARLIER, NOT_ASKED, FULL})


@dataclass(slots=True)
class SummaryLine:
    """One class at one provider: hits found, what became of them, and how the search ended."""

    class_name: str
    provider: str
    found: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    end: str = ""
    wanted: int | None = None  # how many hits were asked for, where that is bounded

    @property
    def settled(self) -> int:
        """Count the hits that have a verdict."""
        return self.verdicts.total()

    @property
    def left(self) -> int:
        """Count the hits that wait for the next run."""
        return self.found - self.settled

    def columns(self) -> dict[str, int]:
        """Give the verdicts by the summary's columns; with `left` they add up to `found`."""
        counts = dict.fromkeys(COLUMNS, 0)
        for verdict, count in self.verdicts.items():
            counts[verdict.column] += count
        return counts


@dataclass(frozen=True, slots=True)
class ProviderProblem:
    """A provider that could not do what it was asked, and for which classes."""

    provider: str
    error: ProviderError
    class_name: str = ""

    @property
    def is_about_keys(self) -> bool:
        """Tell whether a usable key would have helped."""
        return isinstance(self.error, (KeyMissing, KeyRefused))


@dataclass(slots=True)
class Summary:
    """Everything a run has to say for itself; `exit_code` follows from it."""

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
    licence_known: int = 0  # of those
    conflicts: int = 0
    set_aside: int = 0
    interrupted: bool = False
    dry_run: bool = False

    def line(self, class_name: str, provider: str) -> SummaryLine:
        """Give the line of a class at a provider, new where there is none yet."""
        key = (class_name, provider)
        return self.lines.setdefault(key, SummaryLine(class_name, provider))

    def of_class(self, class_name: str) -> SummaryLine:
        """Add up a class over its providers."""
        return _add(class_name, "", (x for x in self.lines.values() if x.class_name == class_name))

    def total(self) -> SummaryLine:
        """Add up everything."""
        return _add("", "", self.lines.values())

    @property
    def short_of_target(self) -> list[str]:
        """Name the classes that ended with fewer pictures than `--target`."""
        if self.target is None:
            return []
        return [name for name in self.classes if self.kept.get(name, 0) < self.target]

    @property
    def exit_code(self) -> int:
        """Tell the worst that happened, in the words of DESIGN.md's exit codes."""
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
        """No chosen provider could even be asked, and a key is what at least one of them lacked."""
        without = {p.provider for p in self.problems if p.is_about_keys}
        out = without | {p.provider for p in self.problems if isinstance(p.error, Unavailable)}
        return bool(without) and out >= set(self.providers)

    def as_json(self) -> dict[str, Any]:
        """Give the same account under the same names, for `--json`."""
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
            "conflicts": self.conflicts,
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
    """Name the columns that count anything, in their order; `left` comes last."""
    used = [name for name in COLUMNS if any(line.columns()[name] for line in lines)]
    return [*used, "left"] if any(line.left for line in lines) else used
