"""Answers of the availability API of the Wayback Machine, right and wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvest.web.wayback import parse_availability

COPY = {"available": True, "status": "200", "timestamp": "20130919044612", "url": "http://web.archive.org/web/x"}


def answer(**changes: Any) -> bytes:
    return json.dumps({"archived_snapshots": {"closest": COPY | changes}}).encode()


def test_the_time_of_the_closest_copy_is_read() -> None:
    """The answer in the documentation of the API gives its time."""
    assert parse_availability(answer()) == "20130919044612"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"<html>",
        b"[" * 100_000,
        b'{"archived_snapshots": {}}',
        b'{"archived_snapshots": []}',
        answer(available=False),
        answer(available="yes"),
        answer(status="404"),
        answer(timestamp=20130919044612),
        answer(timestamp="2013"),
        answer(timestamp="20130919044612/../../x"),
    ],
    ids=lambda data: data[:50].decode(),
)
def test_any_other_answer_is_no_copy(data: bytes) -> None:
    """No copy, an unusable copy and anything that is not such an answer are the same."""
    assert parse_availability(data) is None
