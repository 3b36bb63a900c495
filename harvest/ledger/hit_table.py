"""The table of hits: every field of a hit, as the search found it."""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING

from harvest.licences import Evidence, Licence
from harvest.models import Hit

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger, Row
    from harvest.verdicts import Verdict

COLUMNS = (
    "url, provider, source, rank, page, title, width, height, author, author_url,"
    " licence, licence_url, evidence, others"
)


def insert_hit(ledger: Ledger, search: int, class_name: str, hit: Hit, keys: tuple[str, str]) -> int:
    """Insert a hit with the source keys of its URL and of its provider, and return its id."""
    address, source = keys
    return ledger.execute(
        f"INSERT INTO hit (search, class, address, {COLUMNS}) VALUES (?, ?, ?{', ?' * 14})",
        search,
        class_name,
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


def record_verdict(
    ledger: Ledger, number: int, verdict: Verdict, detail: str, *, run: int | None, picture: int | None
) -> None:
    """Record the verdict of one attempt, and the picture that the hit became or is the same as."""
    ledger.execute(
        "UPDATE hit SET verdict = ?, detail = ?, run = ?, picture = ?, attempts = attempts + 1 WHERE id = ?",
        verdict,
        detail,
        run,
        picture,
        number,
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
