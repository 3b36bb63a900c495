"""A long run: four thousand hits on ordinary images, four of five on images that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.internet.internet_process import InternetProcess
from tests.web import LARGE

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.command import Command, Ran
    from tests.web import Internet

MiB = 2**20
PHOTOS = 800
URLS = 5  # of each photo
HITS = PHOTOS * URLS
HOSTS = 60  # each serves at most twenty images a second
GROWTH = 32 * MiB  # two runs differ by 12; the bytes of each hit, kept by mistake, would be 80 and more


def web(internet: Internet) -> None:
    """Show each image at five URLs; one in fifty has 2.5 megapixels, the others a twentieth of that."""
    for part in range(PHOTOS // 100):
        internet.addresses(98 * URLS, f"small {part}", hosts=HOSTS, copy=98 * (URLS - 1))
        internet.addresses(2 * URLS, f"large {part}", hosts=HOSTS, copy=2 * (URLS - 1), size=LARGE)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_hits(cli: Command, tmp_path: Path) -> None:
    """The command stays under 400 MB on 4,000 hits; the 3,200 without a new image add nothing to it."""
    with InternetProcess(web) as internet:
        cli.on(internet)
        hits = [internet.catalogue.numbered(number) for number in range(1, HITS + 1)]
        first = {listing.photo: listing.url for listing in hits if listing}
        once = harvest(cli, tmp_path, "once", first.values())
        twice = harvest(cli, tmp_path, "twice", [listing.url for listing in hits if listing])
    assert once.json["total"]["found"] == len(first) == PHOTOS
    assert twice.json["total"]["found"] == HITS
    assert once.json["total"]["new"] == twice.json["total"]["new"] > 0.99 * len(first)
    result = [f"{ran.peak_memory / MiB:.0f} MiB in {ran.seconds:.0f} s" for ran in (once, twice)]
    assert twice.peak_memory < 400 * MiB, result
    assert twice.peak_memory < once.peak_memory + GROWTH, result


def harvest(cli: Command, folder: Path, name: str, urls: Collection[str]) -> Ran:
    """Harvest URLs into a dataset of their own."""
    (folder / f"{name}.txt").write_text("\n".join(urls), "utf-8")
    (folder / f"{name}.csv").write_text(f"class,query\nsoak,{name}.txt\n", "utf-8")
    ran = cli("-c", "URLS", "-m", len(urls), "-o", name, "--json", f"{name}.csv", timeout=3000)
    assert ran.code == 0, ran.err
    return ran
