"""The ledger or the whole dataset is missing: the real command stops, and continues as the user decides."""

from __future__ import annotations

import shutil

import pytest

from tests.end_to_end.snakes import list_addresses, pictures, table, write

QUERIES = "class,query\ncoral_snake,coral.txt\n"
LINE = ("-c", "URLS", "snakes.csv")


@pytest.fixture
def out(internet, cli):
    """Return a harvested dataset of six images."""
    list_addresses(cli.folder, internet.addresses(6).urls)
    write(cli.folder, QUERIES)
    assert cli(*LINE).code == 0
    internet.log.clear()
    return cli.folder / "dataset"


def test_X14_get_asks_for_the_lost_ledger(internet, cli, out):
    """Without harvest.db the run ends with exit code 3 before any request; with it back, the run continues."""
    (out / "harvest.db").rename(cli.folder / "backup.db")
    before = sorted(out.rglob("*"))

    run = cli(*LINE)

    assert run.code == 3
    assert "has lost its ledger, harvest.db" in run.err
    assert "--new-ledger" in run.err
    assert not internet.log.visits
    assert sorted(out.rglob("*")) == before
    shutil.copy(cli.folder / "backup.db", out / "harvest.db")
    assert cli(*LINE).code == 0


def test_X14_a_new_ledger_fetches_nothing_that_is_there(cli, out):
    """`--new-ledger` reads the sources back: existing images are known, and `why` prints their source."""
    (out / "harvest.db").unlink()
    before = pictures(out)

    run = cli(*LINE, "--new-ledger")

    assert run.code == 0, run.err
    assert "the sources of 6 images were read from their files" in run.out
    assert table(run)["coral_snake"]["kept"] == 6
    assert pictures(out) == before
    result = cli("why", next(out.rglob("*.jpg")))
    assert "read from its EXIF data" in result.out
    assert cli(*LINE).code == 0


def test_X14_get_asks_for_the_lost_dataset(internet, cli, out):
    """An empty folder in place of the dataset ends the run with exit code 3; `--new-ledger` starts anew."""
    shutil.rmtree(out)
    out.mkdir()

    run = cli(*LINE)

    assert run.code == 3
    assert "contained a dataset before" in run.err
    assert not internet.log.visits
    assert list(out.iterdir()) == []
    assert cli(*LINE, "--new-ledger").code == 0
    assert cli(*LINE).code == 0


def test_X14_a_deleted_demo_begins_again(cli):
    """A demo dataset, deleted or without its ledger, is created again without `--new-ledger`."""
    demo = ("demo", "-m", "4", "-q")
    assert cli(*demo).code == 0
    (cli.folder / "demo" / "harvest.db").unlink()
    assert cli(*demo).code == 0
    shutil.rmtree(cli.folder / "demo")
    assert cli(*demo).code == 0
