"""The output for users, pipes and programs."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time

import pytest

from tests.end_to_end.snakes import CORAL, CORALS, KING, list_addresses, pictures, write
from tests.web import Answer, NetworkConditions

if sys.platform == "win32":
    pytest.skip("terminals of another kind", allow_module_level=True)

from rich.cells import cell_len

from tests.end_to_end.terminal import ESCAPE, Terminal

ADDRESSES = "class,query\ncoral_snake,coral.txt\n"
URLS = ("-c", "URLS", "snakes.csv")
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9]+)*m")


@pytest.fixture
def harvested(internet, cli):
    """Return a function that runs two classes on two sources, with 12 hits in all."""
    internet.bing.add_results(CORAL, 4, dead=1)
    internet.bing.add_results(KING, 3, html=1)
    internet.flickr.add_results(CORAL, 3)
    internet.flickr.add_results(KING, 2)
    write(cli.folder)
    line = ("-c", "BING", "-c", "FLICKR", "snakes.csv")
    return lambda *args: cli(*line, *args, FLICKR_API_KEY=internet.flickr.key)


def test_a_pipe_gets_a_line_a_class_and_source(harvested):
    """In a pipe there are no escape codes, and one line whenever a class is finished at a source."""
    run = harvested()

    assert not ESCAPE.search(run.out + run.err)
    lines = [line for line in run.err.splitlines() if "through the proxy" not in line]
    assert sorted(lines) == [
        "coral_snake bing: 4 found (exhausted); 3 new, 1 dead",
        "coral_snake flickr: 3 found (exhausted); 3 new",
        "king_snake bing: 3 found (exhausted); 2 new, 1 bad",
        "king_snake flickr: 2 found (exhausted); 2 new",
        "snakes.csv → dataset/",
    ]


def test_json_parses_alone_and_adds_up(harvested):
    """With `--json` standard output is one document, whose columns add up to the number of hits everywhere."""
    run = harvested("--json")

    account = json.loads(run.out)
    columns = ("new", "had", "dup", "small", "bad", "dead", "refused", "before", "left")
    for row in (*account["lines"], *account["classes"], account["total"]):
        assert sum(row[name] for name in columns) == row["found"]
        assert sum(row["verdicts"].values()) == row["found"] - row["left"]
    for name in ("found", *columns):
        assert account["total"][name] == sum(row[name] for row in account["classes"])
        assert account["total"][name] == sum(row[name] for row in account["lines"])
    assert account["total"]["found"] == 12
    assert account["total"]["kept"] == account["total"]["new"] == 10
    assert account["exit_code"] == run.code == 0
    assert "found (" not in run.err  # no progress


def test_licences_are_counted_as_the_table_counts(internet, cli):
    """The number of known licences is about the classes of the query file, as the table above it is."""
    internet.flickr.add_results(CORAL, 3)
    internet.flickr.add_results(KING, 2)
    write(cli.folder)
    cli("-c", "FLICKR", "snakes.csv", FLICKR_API_KEY=internet.flickr.key)
    write(cli.folder, CORALS)

    run = cli("-c", "FLICKR", "snakes.csv", FLICKR_API_KEY=internet.flickr.key)

    assert re.search(r"coral_snake +3 ", run.out)
    assert "licence known for 3 of 3" in run.out


def test_json_of_a_failed_run(cli):
    """With `--json`, an error is text on standard error, and standard output stays empty."""
    run = cli("not_there.csv", "--json")

    assert run.code == 2
    assert run.out == ""
    assert run.err.startswith("error: not_there.csv")


def test_quiet(internet, cli):
    """With `-q` there is no progress; the summary and errors remain."""
    internet.bing.add_results(CORAL, 2)
    write(cli.folder, CORALS)

    run = cli("-c", "BING", "-c", "FLICKR", "-q", "snakes.csv")

    assert "coral_snake     2    2      2" in run.out
    assert run.err.startswith("error: Flickr needs an API key")
    assert "found (" not in run.err
    assert "→" not in run.err


def test_verbose_and_the_log(internet, cli):
    """With `-v` and `--log` there is a line for every hit, with its verdict and the reason."""
    results = internet.addresses(4, dead=1, tiny=1)
    list_addresses(cli.folder, results.urls)
    write(cli.folder, ADDRESSES)

    run = cli(*URLS, "-v", "--log", "run.log")

    log = (cli.folder / "run.log").read_text("utf-8")
    for listing in results:
        (line,) = (line for line in log.splitlines() if listing.url in line)
        assert f" {listing.verdict} " in line
        assert line in run.err
    assert "404" in log
    assert "90 x 72" in log


def test_a_terminal_of_80_columns(internet, cli):
    """On a terminal the live table shows each class and source, and no line is wider than the terminal."""
    internet.bing.add_results(CORAL, 5)
    internet.flickr.add_results(CORAL, 4)
    internet.conditions = NetworkConditions(latency=0.4)
    write(cli.folder, CORALS)
    line = ("-c", "BING", "-c", "FLICKR", "snakes.csv")

    with Terminal(cli, *line, FLICKR_API_KEY=internet.flickr.key) as terminal:
        assert terminal.wait() == 0

    assert max(cell_len(line) for line in terminal.shown) <= 80
    rows = [line.split() for line in terminal.shown]
    assert ["class", "source", "done", "kept", "dup", "small", "failed"] in rows
    assert any(row[:2] == ["coral_snake", "bing"] and row[-5:] == ["5/5", "5", "0", "0", "0"] for row in rows)
    assert any("flickr" in row and row[-5:] == ["4/4", "4", "0", "0", "0"] for row in rows)
    assert any("images/s" in line and "9/9" in line for line in terminal.shown)
    assert "\x1b[?25h" in terminal.sent.rpartition("\x1b[?25l")[2]  # the cursor is visible again
    assert " coral_snake     9    9      9" in terminal.shown
    assert COLOUR.search(terminal.sent)


@pytest.mark.parametrize("columns", [40, 200])
def test_a_narrow_terminal_and_many_classes(internet, cli, columns):
    """A table of many classes with long names folds into one row per class; NO_COLOR removes colours."""
    names = [f"{'very_' * 12}long_{n}" for n in range(20)] + ["珊瑚蛇" * 12]
    results = internet.addresses(len(names))
    for n, url in enumerate(results.urls):
        list_addresses(cli.folder, [url], f"{n}.txt")
    write(cli.folder, "class,query\n" + "".join(f"{name},{n}.txt\n" for n, name in enumerate(names)))
    internet.conditions = NetworkConditions(latency=0.5)

    with Terminal(cli, *URLS, columns=columns, rows=24, NO_COLOR="1") as terminal:
        assert terminal.wait() == 0
    assert not COLOUR.search(terminal.sent)

    end = max(i for i, line in enumerate(terminal.shown) if "images/s" in line)
    assert max(cell_len(line) for line in terminal.shown[:end]) <= columns
    assert sum("珊瑚" in line for line in terminal.shown[:end])
    assert len(pictures(cli.folder / "dataset")) == 21


def test_a_dumb_terminal(internet, cli):
    """A terminal without support for escape codes receives none."""
    list_addresses(cli.folder, internet.addresses(2).urls)
    write(cli.folder, ADDRESSES)

    with Terminal(cli, *URLS, TERM="dumb") as terminal:
        assert terminal.wait() == 0

    assert not ESCAPE.search(terminal.sent)
    assert any(line.startswith(" coral_snake     2    2      2") for line in terminal.shown)


@pytest.mark.parametrize("presses", [1, 2])
def test_P06_ctrl_c_on_a_terminal(internet, cli, presses):
    """Ctrl-C, once or twice, restores the terminal: the table is removed, the cursor visible."""
    list_addresses(cli.folder, internet.addresses(20).urls)
    write(cli.folder, ADDRESSES)
    internet.conditions = NetworkConditions(stalls=0.5)

    with Terminal(cli, *URLS) as terminal:
        while len(list(cli.folder.glob("dataset/coral_snake/*"))) < 3:
            assert terminal.process.poll() is None, terminal.sent
            time.sleep(0.01)
        for _ in range(presses):
            os.killpg(terminal.process.pid, signal.SIGINT)
        assert terminal.wait() == 130

    assert "\x1b[?25h" in terminal.sent.rpartition("\x1b[?25l")[2]
    assert "Traceback" not in terminal.sent
    if presses == 1:
        assert any("stopped; run the same command again" in line for line in terminal.shown)


def test_verbose_on_a_terminal(internet, cli):
    """With `-v` the lines of the hits are printed above the live table, each complete and on its own line."""
    results = internet.addresses(6)
    list_addresses(cli.folder, results.urls)
    write(cli.folder, ADDRESSES)
    internet.conditions = NetworkConditions(latency=0.3)

    with Terminal(cli, *URLS, "-v", columns=160) as terminal:
        assert terminal.wait() == 0

    for url in results.urls:
        (line,) = (line for line in terminal.shown if url in line)
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ kept {re.escape(url)} *", line)


def test_wide_characters_stay_in_columns(internet, cli):
    """Double-width characters do not misalign the numbers of their row."""
    list_addresses(cli.folder, internet.addresses(2).urls)
    write(cli.folder, "class,query\n珊瑚蛇,coral.txt\nking_snake,coral.txt\n")

    run = cli(*URLS)

    header, *rows = run.out.splitlines()[:4]
    assert {cell_len(row) for row in rows} == {cell_len(header.rstrip())}


def test_characters_that_a_terminal_lacks_are_escaped(internet, cli):
    """A terminal without Chinese characters gets escaped ones, and the command finishes."""
    list_addresses(cli.folder, internet.addresses(1).urls)
    write(cli.folder, "class,query\n珊瑚蛇,coral.txt\n")

    run = cli(*URLS, PYTHONIOENCODING="ascii")

    assert run.code == 0
    assert r"\u73ca\u745a\u86c7" in run.out


EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u200b\r[bold red]"


def test_server_texts_cannot_control_a_terminal(internet, cli):
    """Control, escape and direction characters from a server are not printed, and markup is not interpreted."""
    answer = json.dumps({"stat": "fail", "code": 999, "message": f"no {EVIL}"}).encode()
    internet.sites["api.flickr.com"] = lambda _: Answer(answer, kind="application/json")
    internet.bing.add_results(CORAL, 2, title=f"{EVIL} {{n}}")
    write(cli.folder, CORALS)
    line = ("-c", "BING", "-c", "FLICKR", "snakes.csv", "-v")

    with Terminal(cli, *line, FLICKR_API_KEY=internet.flickr.key) as terminal:
        assert terminal.wait() == 3

    assert "[bold red]" in terminal.sent
    for text in ("\x1b]0;", "\x07", "\x1b[2J", "\u202e", "\u200b"):
        assert text not in terminal.sent, repr(text)


def test_query_files_cannot_control_a_terminal(internet, cli):
    """File names and queries are printed as plain text."""
    list_addresses(cli.folder, internet.addresses(1).urls)
    name = "snakes \x1b[2J[red].csv"
    write(cli.folder, "class,query\ncoral[red]snake,coral.txt\n", name)

    with Terminal(cli, "-c", "URLS", name) as terminal:
        assert terminal.wait() == 0
    piped = cli("-c", "URLS", name)

    assert "\x1b[2J" not in terminal.sent + piped.out + piped.err
    assert any("coral[red]snake" in line for line in terminal.shown)
    assert "coral[red]snake" in piped.out
    assert "[red].csv → dataset/" in piped.err
