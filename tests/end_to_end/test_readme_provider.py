"""The provider in docs/sources.md works as it is, as a separate package."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.guard import __file__ as guard
from tests.internet.proxy_server import Answer
from tests.readme import block


@pytest.fixture
def package(tmp_path):
    """Install the documented package as pip would: a module, and its entry point."""
    home = tmp_path / "packages"
    metadata = home / "zoo-1.0.dist-info"
    metadata.mkdir(parents=True)
    (home / "zoo.py").write_text(block("sources.md", "python", "class Zoo"))
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 1.0\n")
    name, target = re.search(
        r'^(\w+) = "(.+)"$', block("sources.md", "toml", "harvest.providers"), re.MULTILINE
    ).groups()
    (metadata / "entry_points.txt").write_text(f"[harvest.providers]\n{name} = {target}\n")
    return os.pathsep.join((str(Path(guard).parent), str(home)))


@pytest.fixture
def zoo(internet):
    """Serve the imaginary zoo: two pages of animals, then none."""
    results = internet.addresses(5)

    def answer(request) -> Answer:
        page = int(parse_qs(urlsplit(request.path).query)["page"][0])
        urls = results.urls[:3] if page == 1 else results.urls[3:]
        animals = [{"name": f"otter {number}", "photo": url} for number, url in enumerate(urls)]
        body = json.dumps({"animals": [*animals, "no animal"], "next": 2 if page == 1 else None})
        return Answer(body.encode(), kind="application/json")

    internet.sites["zoo.example"] = answer


@pytest.mark.usefixtures("zoo")
def test_the_documented_provider_is_found_and_harvests(cli, package):
    """`-c ZOO` finds the package by its entry point and harvests every page."""
    (cli.folder / "q.csv").write_text("class,query\notter,otter\n")

    run = cli("-c", "zoo", "q.csv", "--json", "--license", "open", PYTHONPATH=package)

    assert run.code == 0, run.err
    assert (run.json["total"]["found"], run.json["total"]["new"]) == (5, 5)


def test_the_documented_provider_says_when_its_site_changed(internet, cli, package):
    """A response without animals is a changed page and not "no results"."""
    internet.sites["zoo.example"] = lambda _: Answer(b'{"beasts": []}', kind="application/json")
    (cli.folder / "q.csv").write_text("class,query\notter,otter\n")

    run = cli("-c", "ZOO", "q.csv", "--json", PYTHONPATH=package)

    assert run.code == 4
    assert run.json["problems"][0]["kind"] == "PageChanged"
