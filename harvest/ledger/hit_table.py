"""The table of hits: every field of a hit, as the search found it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING

from harvest.licences import Evidence, Licence
from harvest.models import Hit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.ledger.database import Ledger, Row
    from harvest.verdicts import Verdict

COLUMNS = (
    "url, provider, source, rank, page, title, width, height, author, author_url,"
    " licence, licence_url, evidence, others"
)


@dataclass(frozen=True, slots=True)
class HitVerdict:
    """The verdict on one hit, and the picture that it is the same as."""

    task_id: int
    verdict: Verdict
    detail: str = ""
    picture_id: int | None = None


def find_known_keys(ledger: Ledger, keys: Iterable[str]) -> set[str]:
    """Return those of some source keys that a hit has."""
    rows = ledger.rows(
        "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM hit WHERE address = value)"
        " OR EXISTS (SELECT 1 FROM hit WHERE source = value)",
        json.dumps(list(keys)),
    )
    return {key for (key,) in rows}


def insert_hit(
    ledger: Ledger, search: int, class_name: str, hit: Hit, keys: tuple[str, str], *, run: int | None = None
) -> int:
    """Insert a hit with the source keys of its URL and of its provider, and return its id."""
    address, source = keys
    return ledger.execute(
        f"INSERT INTO hit (search, class, run, address, {COLUMNS}) VALUES (?, ?, ?, ?{', ?' * 14})",
        search,
        class_name,
        run,
        address,
        hit.url,
        hit.provider,
        source,
        hit.rank,
        hit.page,
        hit.title,
        hit.width,
        hit.height,
        hit.author,
        hit.author_url,
        hit.licence.id,
        hit.licence.url,
        hit.licence.evidence,
        _parse_urls(hit.others),
    )


def update_url(ledger: Ledger, number: int, hit: Hit, address: str) -> None:
    """Record the current URLs of a photograph."""
    ledger.execute(
        "UPDATE hit SET url = ?, address = ?, others = ? WHERE id = ?",
        hit.url,
        address,
        _parse_urls(hit.others),
        number,
    )


def record_verdicts(ledger: Ledger, verdicts: Iterable[HitVerdict], run: int | None) -> None:
    """Record the verdicts of attempts, each with the current version of its picture."""
    ledger.execute_many(
        "UPDATE hit SET verdict = ?, detail = ?, run = ?, attempts = attempts + 1,"
        " picture = (SELECT coalesce(became, id) FROM picture WHERE id = ?) WHERE id = ?",
        [(each.verdict, each.detail, run, each.picture_id, each.task_id) for each in verdicts],
    )


def load_hit(ledger: Ledger, number: int, row: Row) -> Hit | None:
    """Return the hit of a row of `COLUMNS`, or None for a damaged row, which is skipped."""
    *fields, licence, licence_url, evidence, others = row
    try:
        check_types(row, _TYPES)
        smaller = json.loads(others or "[]")
        check_types(smaller, "t" * len(smaller))
        values = (*fields, Licence(licence, licence_url, Evidence(evidence)), tuple(smaller))
        return Hit(*values)
    except (ValueError, TypeError, RecursionError) as error:
        ledger.skip(f"hit {number}: {str(error)[:80]}")
        return None


_TYPES = "tttnTTNNTTTTtT"
_KINDS = {"t": (str,), "n": (int,), "T": (str, NoneType), "N": (int, NoneType)}


def check_types(row: Row, types: str) -> None:
    """Raise `ValueError` unless the values are text (`t`) or numbers (`n`), or may be NULL (`T`, `N`)."""
    for value, kind in zip(row, types, strict=True):
        if not isinstance(value, _KINDS[kind]):
            raise ValueError(f"{value!r:.40} is of the wrong type")  # noqa: TRY004 - one error for all damage


def _parse_urls(others: tuple[str, ...]) -> str | None:
    return json.dumps(others) if others else None
