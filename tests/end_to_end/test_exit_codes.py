"""The exit code and the message of every way a run can end; wrong input leaves no files behind."""

from __future__ import annotations

import shutil

import pytest

from harvest.files.lock import Lock
from tests.end_to_end.snakes import CORAL, CORALS, list_addresses, pictures, table, write

ADDRESSES = "class,query\ncoral_snake,coral.txt\n"
URLS = ("-c", "URLS", "snakes.csv")


@pytest.fixture
def listed(internet, cli):
    """List some valid URLs, and return their listings."""
    results = internet.addresses(4)
    list_addresses(cli.folder, results.urls)
    write(cli.folder, ADDRESSES)
    return results


def test_0_also_with_fewer_images_than_the_limit(cli, listed):
    """A source with fewer images than `-m` is not an error."""
    run = cli(*URLS, "-m", "100")

    assert run.code == 0
    assert table(run)["coral_snake"]["kept"] == len(listed)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["statsu"], "no file or command 'statsu'. Did you mean 'status'?"),
        (["snakes.csv", "-c", "FLIKR"], "no provider 'FLIKR'. Did you mean FLICKR?"),
        (["not_there.csv"], "not_there.csv"),
        (["get"], "Missing argument 'QUERIES.csv'"),
        (["snakes.csv", "--sise", "3"], "No such option: --sise"),
        (["snakes.csv", "-s", "big"], "Invalid value for '-s' / '--size': Input should be a valid integer"),
        (["snakes.csv", "-m", "0"], "'--max' / '--maxnum': Input should be greater than or equal to 1"),
        (["snakes.csv", "--target", "-1"], "'--target': Input should be greater than or equal to 1"),
        (["snakes.csv", "--license", "free"], "Invalid value for '--license'"),
        (["snakes.csv", "other.csv"], "other.csv"),
        (["."], "."),
        (["snakes.csv", "--log", "no/such/folder/x.log"], "no/such/folder/x.log"),
    ],
)
def test_2_for_an_invalid_command_line(internet, cli, args, words):
    """An invalid command line ends with exit code 2, names the wrong argument, and leaves no files behind."""
    write(cli.folder, CORALS)

    run = cli(*args)

    assert run.code == 2, run.err
    assert words in " ".join(run.err.split())
    assert "Traceback" not in run.err
    assert [path.name for path in cli.folder.iterdir()] == ["snakes.csv"]
    assert not internet.log.visits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class,query\n", "snakes.csv: it has a header but no queries"),
        ('class,query\nx,"open\ny,z\n', "snakes.csv line 2: a quote is not closed"),
        (
            "class,query,providers\nx,snake,BONG\n",
            "snakes.csv line 2: no provider 'BONG'. Did you mean BING?",
        ),
    ],
)
def test_2_for_a_bad_query_file(internet, cli, text, words):
    """A wrong query file ends with exit code 2, names its line, and leaves no files behind."""
    write(cli.folder, text)

    run = cli("snakes.csv")

    assert run.code == 2
    assert words in run.err
    assert not (cli.folder / "dataset").exists()
    assert not internet.log.visits


def test_3_when_a_target_is_missed(cli, listed):
    """A `--target` that the sources cannot fill ends with exit code 3, and the output says what is missing."""
    run = cli(*URLS, "--target", "9")

    assert run.code == 3
    assert f"coral_snake has {len(listed)} of 9: the sources have no more" in run.out


@pytest.mark.usefixtures("listed")
def test_P09_3_when_so_many_files_are_gone_that_nobody_meant_it(internet, cli):
    """If a class folder is missing, nothing is recorded or downloaded, and the option to confirm is named."""
    assert cli(*URLS).code == 0
    shutil.rmtree(cli.folder / "dataset" / "coral_snake")
    internet.log.clear()

    run = cli(*URLS)

    assert run.code == 3
    assert "--accept-missing" in run.err
    assert "Is the drive attached?" in run.err
    assert not internet.log.visits
    again = cli(*URLS, "--accept-missing")
    assert not internet.log.visits
    assert again.code == 4  # nothing is left, and no rejected image returns


def test_4_when_there_is_nothing(internet, cli):
    """No results from any source is not a success."""
    write(cli.folder, CORALS)

    run = cli("-c", "BING", "snakes.csv")

    assert run.code == 4
    assert "bing has no images for coral_snake; the search is complete" in run.out
    assert len(internet.log.to("www.bing.com")) == 2  # a page without results is requested once more


def test_4_when_no_hit_gives_an_image(internet, cli):
    """Hits without a single valid image are not a success."""
    results = internet.addresses(3, dead=1, html=1, gone=1)
    list_addresses(cli.folder, results.urls)
    write(cli.folder, ADDRESSES)

    run = cli(*URLS)

    assert run.code == 4
    assert table(run)["coral_snake"] == {"kept": 0, "new": 0, "found": 3, "bad": 1, "dead": 2}


def test_5_when_all_keys_are_missing(internet, cli):
    """If no source is usable because keys are missing, no request is sent and no folder created."""
    write(cli.folder, CORALS)

    run = cli("-c", "FLICKR", "snakes.csv")

    assert run.code == 5
    assert "FLICKR_API_KEY" in run.err
    assert "https://www.flickr.com/services/apps/create/apply" in run.err
    assert not internet.log.visits
    assert not (cli.folder / "dataset").exists()


def test_5_when_the_key_is_refused(internet, cli):
    """A key that the only source refuses ends with exit code 5 and the variable's name, without the key."""
    internet.flickr.add_results(CORAL, 3)
    write(cli.folder, CORALS)

    run = cli("-c", "FLICKR", "snakes.csv", FLICKR_API_KEY="f00dfacef00dfacef00dfacef00dface")

    assert run.code == 5
    assert "FLICKR_API_KEY" in run.out
    assert "f00dface" not in run.out + run.err


@pytest.mark.usefixtures("listed")
def test_P04_6_when_the_dataset_is_a_file(internet, cli):
    """If a file is in the place of the dataset, no request is sent, and the file is named and unchanged."""
    (cli.folder / "dataset").write_text("mine")

    run = cli(*URLS)

    assert run.code == 6
    assert "dataset" in run.err
    assert "Choose another path, or move the file away." in run.err
    assert (cli.folder / "dataset").read_text() == "mine"
    assert not internet.log.visits


@pytest.mark.usefixtures("listed")
def test_P05_6_when_another_harvest_holds_the_dataset(internet, cli):
    """A second run on one dataset ends with exit code 6 and names the process that holds the lock."""
    (cli.folder / "dataset").mkdir()
    with Lock(cli.folder / "dataset" / "harvest.lock") as lock:
        assert lock.acquire()

        run = cli(*URLS)

    assert run.code == 6
    assert "is in use by another harvest (process " in run.err
    assert not internet.log.visits
    assert cli(*URLS).code == 0


@pytest.mark.usefixtures("listed")
def test_P10_6_when_the_ledger_is_no_ledger(internet, cli):
    """An unreadable ledger is named and not replaced."""
    (cli.folder / "dataset").mkdir()
    ledger = cli.folder / "dataset" / "harvest.db"
    ledger.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    before = ledger.read_bytes()

    run = cli(*URLS)

    assert run.code == 6
    assert "harvest.db" in run.err
    assert ledger.read_bytes() == before
    assert not internet.log.visits


def test_a_class_named_like_a_command(cli, listed):
    """A query file may have the name of a command: an existing file takes precedence."""
    (cli.folder / "snakes.csv").rename(cli.folder / "statu")

    assert cli("statu", "-c", "URLS").code == 0
    assert len(pictures(cli.folder / "dataset")["coral_snake"]) == len(listed)


def test_no_arguments(cli):
    """`harvest` without arguments shows its help."""
    run = cli()

    assert "Usage:" in run.out + run.err
    assert run.code in {0, 2}
