"""Kills and disk errors at every step of a job: the same job again reaches the same end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.torture import DIED, MISSED, SAID, WAYS

KILLS = [("die", "twice"), ("die_half_way", "once")]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


@cache
def torment(way: str, *more: str) -> dict[str, object]:
    """Go through all operations in a process of its own: only processes without threads may fork."""
    command = [sys.executable, "-m", "tests.torture", way, *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize(("way", "often"), KILLS)
def test_P01_killed_at_every_operation(way: str, often: str) -> None:
    """A kill before, within or after any operation loses nothing, repeats nothing, and is not taken for a decision."""
    found = torment(way, often)
    assert found["operations"] > 100
    assert found["statuses"] == {str(DIED): found["operations"], str(MISSED): 1}
    assert found["failures"] == {}
    assert {by for by, *_ in found["expected"]["decisions"]} == {"page", "cli"}


@pytest.mark.parametrize(("way", "often"), KILLS)
def test_X12_deleted_after_a_kill_at_every_operation(way: str, often: str) -> None:
    """An image that a person deletes after a kill at any operation stays deleted."""
    found = torment(way, often)
    assert found["operations"] > 100
    assert found["deleted"] > found["operations"]
    assert found["returned"] == {}


@pytest.mark.parametrize("way", sorted({*WAYS} - {"die", "die_half_way"}))
def test_P03_disk_that_fails_at_every_operation(way: str) -> None:
    """A disk that is full or fails, from any operation on, is reported; once it works again the job continues."""
    found = torment(way)
    assert found["operations"] > 100
    assert found["statuses"] == {str(SAID): found["operations"], str(MISSED): 1}
    assert found["failures"] == {}


@pytest.mark.parametrize(("way", "more"), [*KILLS, ("no_space", "")])
def test_P01_shards_with_a_failure_at_every_operation(way: str, more: str) -> None:
    """With shards too, a kill or a disk error at any operation loses no image and writes none twice."""
    found = torment(way, more, "shards")
    assert found["operations"] > 60
    assert found["failures"] == {}
    assert len(found["expected"]["samples"]) == 2 * 7
