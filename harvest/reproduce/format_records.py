"""Format the records of a recipe as lines of JSON: the same records give the same bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from harvest.reproduce.recipe_records import (
    FORMAT,
    RecipeDecision,
    RecipeHeader,
    RecipeImage,
    RecipeRecord,
    RecipeResult,
    RecipeSearch,
    RecipeSplit,
    RecipeTransform,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


FIRST_BYTES = b'{"kind":"recipe"'  # of every recipe


def format_record(record: RecipeRecord) -> bytes:
    """Return the line of a record."""
    return _line(_fields(record))


def format_end(lines: int) -> bytes:
    """Return the last line, which shows that nothing is missing before it."""
    return _line({"kind": "end", "lines": lines})


def digest_records(records: Iterable[RecipeRecord]) -> str:
    """Return a digest of records without the times of decisions.

    A dataset that is opened for reading only dates the files that were deleted since its last command with the time of
    opening, so its records would differ each time.
    """
    digest = hashlib.sha256()
    for record in records:
        digest.update(format_record(replace(record, at="") if isinstance(record, RecipeDecision) else record))
    return digest.hexdigest()


def _line(fields: dict[str, Any]) -> bytes:
    used = {name: value for name, value in fields.items() if value not in (None, "", []) and value is not False}
    return json.dumps(used, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


@singledispatch
def _fields(record: object) -> dict[str, Any]:
    raise TypeError(f"{record!r} is not a record of a recipe")


@_fields.register
def _(record: RecipeHeader) -> dict[str, Any]:
    return {"kind": "recipe", "format": FORMAT, "harvest": list(record.versions)}


@_fields.register
def _(record: RecipeTransform) -> dict[str, Any]:
    return {
        "kind": "transform",
        "id": record.id,
        "size": record.size,
        "pad": int(record.pad),
        "quality": record.quality,
    }


@_fields.register
def _(record: RecipeSearch) -> dict[str, Any]:
    return {
        "kind": "search",
        "id": record.id,
        "source": record.provider,
        "class": record.class_name,
        "query": record.text,
        "filters": dict(record.filters) or None,
        "asked": record.asked,
        "ending": record.ending or None,
        "ended": record.ended,
        "harvest": record.version,
    }


@_fields.register
def _(record: RecipeResult) -> dict[str, Any]:
    hit = record.hit
    return {
        "kind": "result",
        "id": record.id,
        "search": record.search,
        "rank": hit.rank,
        "url": hit.url,
        "others": list(hit.others),
        "photo": hit.source,
        "page": hit.page,
        "title": hit.title,
        "width": hit.width,
        "height": hit.height,
        "author": hit.author,
        "author_url": hit.author_url,
        "licence": hit.licence.id,
        "licence_url": hit.licence.url,
        "evidence": str(hit.licence.evidence),
        "verdict": record.verdict and str(record.verdict),
        "image": record.image,
    }


@_fields.register
def _(record: RecipeImage) -> dict[str, Any]:
    return {
        "kind": "image",
        "id": record.id,
        "result": record.result,
        "transform": record.transform,
        "class": record.class_name,
        "state": "rejected" if record.is_rejected else "present",
        "content": record.content,
        "body": record.body,
        "pixels": record.pixels,
        "original_width": record.original_width,
        "original_height": record.original_height,
        "touched": record.is_touched,
        "reviewed": record.is_reviewed,
        "rating": record.rating,
    }


@_fields.register
def _(record: RecipeDecision) -> dict[str, Any]:
    return {
        "kind": "decision",
        "image": record.image,
        "at": record.at,
        "by": record.by,
        "action": record.action,
        "from": record.source,
        "to": record.target,
        "rating": record.rating,
    }


@_fields.register
def _(record: RecipeSplit) -> dict[str, Any]:
    return {"kind": "split", "rule": record.rule, "content": record.content, "part": record.part}
