"""Pexels and Pixabay with the real command: only when named, with what their terms say."""

from __future__ import annotations

import pytest

from tests.end_to_end.snakes import CORAL, CORALS, exif_texts, pictures, table, write
from tests.internet.stock_photos import Pexels, Pixabay

KEYS = {"PEXELS_API_KEY": Pexels.key, "PIXABAY_API_KEY": Pixabay.key}

every_stock = pytest.mark.parametrize("name", ["PEXELS", "PIXABAY"])


def corals(folder):
    return pictures(folder / "dataset").get("coral_snake", [])


@every_stock
def test_stock_photos_fill_a_class(internet, cli, name):
    """Images have their author and the licence of their site in their EXIF, and a note says what its terms are."""
    results = getattr(internet, name.lower()).add_results(CORAL, 6, size=(640, 400), dead=1)
    write(cli.folder, CORALS)

    run = cli("-c", name, "snakes.csv", **KEYS)

    assert run.code == 0, run.err
    assert table(run)["coral_snake"] | internet.expected(results) == table(run)["coral_snake"]
    assert len(corals(cli.folder)) == 5
    for path in corals(cli.folder):
        texts = exif_texts(path)
        assert texts["source"] in results.urls
        assert texts["artist"].startswith("photographer ")
        assert texts["copyright"].startswith(f"LicenseRef-{name.title()} https://")
    assert "does not allow" in run.err


@every_stock
def test_all_and_license_open_leave_them_out(internet, cli, name):
    """`ALL` does not search them in spite of a key, and `--license open` keeps none of their images."""
    service = getattr(internet, name.lower())
    service.add_results(CORAL, 2)
    internet.bing.add_results(CORAL, 1)
    write(cli.folder, CORALS)

    assert cli("snakes.csv", **KEYS).code in {0, 3}
    assert not internet.log.to(service.host)
    run = cli("-c", name, "--license", "open", "-o", "open", "snakes.csv", **KEYS)
    assert run.code == 4
    assert not (cli.folder / "open" / "coral_snake").exists()


@every_stock
def test_V04_a_refused_key_is_told_once(internet, cli, name):
    """A refused key ends the search after one request and is not printed."""
    service = getattr(internet, name.lower())
    service.add_results(CORAL, 2)
    write(cli.folder, CORALS)

    run = cli("-c", name, "-v", "snakes.csv", **dict.fromkeys(KEYS, "wr0ng-key"))

    assert run.code == 5
    assert "does not accept the key" in run.out
    assert "wr0ng-key" not in run.out + run.err
    assert len(internet.log.to(service.host)) == 1


@pytest.mark.parametrize("mode", ["blocked", "changed", "nested"])
@every_stock
def test_V01_V02_a_strange_answer_is_not_no_results(internet, cli, name, mode):
    """A block page, an unknown response and a malicious one are reported as such."""
    service = getattr(internet, name.lower())
    service.add_results(CORAL, 2)
    service.set_mode(mode)
    write(cli.folder, CORALS)

    run = cli("-c", name, "--json", "snakes.csv", **KEYS)

    assert run.code == 4
    (problem,) = run.json["problems"]
    assert problem["kind"] == ("Blocked" if mode == "blocked" else "PageChanged")
