"""Damaged bytes, texts, JSON documents and tables, as transfers, disks, users and attackers damage them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
NAMES = (
    "",
    ".",
    "..",
    "../..",
    "../precious.jpg",
    "/",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:\\x",
    "CON",
    "\0",
    "x" * 300,
)
TEXTS = (
    *NAMES,
    "0",
    "nan",
    "-1",
    "é" * 70,
    "\u202e",
    "\ud800",
    "<script>",
    "evil:score",
    "[" * 3000,
    "{}",
    "A" * 9000,
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    255,
    65536,
    2**31,
    -(2**31),
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    0.5,
    -0.0,
    1e308,
    1e-320,
)
ODD = (*NUMBERS, float("nan"), float("inf"), None, True, False, [], {}, [[]], [None], {"": 0}, [1, "x", {}])


def damage(body: bytes, rng: Random, *, near: int = 0) -> bytes:
    """Damage bytes once or a few times; with `near`, mostly among the first ones, where headers are."""
    data = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        _damage_once(data, rng, min(near, len(data)) if near and rng.random() < 0.7 else len(data))
    return bytes(data)


def _damage_once(data: bytearray, rng: Random, room: int) -> None:
    if not room:
        data += rng.randbytes(rng.choice((1, 8, 100)))
        return
    here, there = sorted((rng.randrange(room), rng.randrange(room)))
    match rng.randrange(8):
        case 0:
            data[here] ^= 1 << rng.randrange(8)
        case 1:
            for _ in range(rng.choice((1, 4, 30))):
                data[rng.randrange(room)] = rng.choice((*EDGES, rng.randrange(256)))
        case 2:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice((0, 1, (1 << (8 * size - 1)) - 1, 1 << (8 * size - 1), (1 << (8 * size)) - 1))
            data[here : here + size] = value.to_bytes(size, rng.choice(("little", "big")))
        case 3:
            del data[here : here + rng.randrange(1, 200)]
        case 4:
            data[here:here] = data[there : there + rng.randrange(1, 200)]
        case 5:
            data[here:here] = rng.randbytes(rng.choice((1, 3, 64)))
        case 6:
            data[here : here + 16], data[there : there + 16] = (
                data[there : there + 16],
                data[here : here + 16],
            )
        case _:
            del data[here:]


def odd_value(rng: Random, *more: str) -> Any:
    """Return an unexpected value; `more` are texts that would do harm here."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(ODD)
    return rng.choice(more) if more and kind == 1 else rng.choice(TEXTS) if kind == 2 else rng.choice(NUMBERS)


def damage_json(text: str, rng: Random, *more: str) -> bytes:
    """Change values, names and the structure of a document; sometimes its bytes, too."""
    try:
        document = json.loads(text)
    except ValueError:
        return damage(text.encode("utf-8", "replace"), rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        document = _damage_document(document, rng, more)
    body = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return damage(body, rng) if rng.random() < 0.2 else body


def _damage_document(document: Any, rng: Random, more: Sequence[str]) -> Any:
    places = list(_places(document))
    if not places or rng.random() < 0.03:
        return odd_value(rng, *more)
    holder, key = rng.choice(places)
    match rng.randrange(7):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(TEXTS)] = holder.pop(key)
        case 2:
            holder[key] = [holder[key]] * rng.choice((1, 2, 100))
        case 3:
            other, name = rng.choice(places)
            try:
                holder[key] = json.loads(json.dumps(other[name]))
            except (KeyError, IndexError):
                holder[key] = None
        case 4:
            for _ in range(rng.choice((2, 50, 400))):
                holder[key] = rng.choice(([holder[key]], {"a": holder[key]}))
        case _:
            holder[key] = odd_value(rng, *more)
    return document


def _places(document: Any) -> Any:
    if isinstance(document, dict):
        for key, value in list(document.items()):
            yield document, key
            yield from _places(value)
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield document, number
            yield from _places(value)


def damage_table(text: str, rng: Random, *more: str) -> bytes:
    """Change cells, rows and the header of a CSV file; sometimes its bytes, too."""
    rows = list(csv.reader(io.StringIO(text)))
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows[:1] if rng.random() < 0.2 else rows) if rows else []
        match rng.randrange(6):
            case 0 if row:
                del row[rng.randrange(len(row))]
            case 1:
                row.insert(rng.randrange(len(row) + 1), str(odd_value(rng, *more)))
            case 2 if rows:
                rows.insert(rng.randrange(len(rows)), list(rng.choice(rows)))
            case 3 if rows:
                del rows[rng.randrange(len(rows))]
            case _ if row:
                row[rng.randrange(len(row))] = str(odd_value(rng, *more))
    out = io.StringIO()
    csv.writer(out, lineterminator=rng.choice(("\n", "\r\n", "\r"))).writerows(rows)
    body = out.getvalue().encode("utf-8", "surrogatepass")
    return damage(body, rng) if rng.random() < 0.2 else body
