"""`harvest review`: started, used and killed as by a user."""

from __future__ import annotations

import math
import os
import random
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from harvest.cli.qr_code import draw_qr_code
from harvest.cli.review import show_to_phones
from harvest.dataset import Action, Dataset
from harvest.http_server.listener import listen
from harvest.labelled_pictures.prediction_table import Prediction, write_predictions
from tests.datasets import jpeg, name, sha, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Result
    from tests.command import Command, Running

    Harvest = Callable[..., Result]

PATIENCE = 60  # seconds, for what takes two when the machine is quiet
OWN = {"Sec-Fetch-Site": "same-origin"}


@contextmanager
def reviewing(cli: Command, root: Path, *more: object, **variables: str) -> Iterator[tuple[Running, httpx.Client]]:
    """Start the command, and return it with a client that has opened its link."""
    running = cli.start("review", root, "--no-browser", *more, **variables)
    end = time.monotonic() + PATIENCE
    while "http://" not in running.printed:
        assert running.process.poll() is None, running.messages
        assert time.monotonic() < end
        time.sleep(0.02)
    link = urlsplit(running.printed.split()[-1])
    with httpx.Client(base_url=f"http://{link.netloc}", trust_env=False, timeout=PATIENCE) as client:
        assert client.get(f"/?{link.query}").status_code == 303
        yield running, client


def decide(client: httpx.Client, action: str, ids: list[int], **more: object) -> None:
    response = client.post("/api/decide", json={"since": 0, "action": action, "ids": ids, **more}, headers=OWN)
    assert response.status_code == 200, response.text
    assert response.json()["failed"] == []


def reject_all(client: httpx.Client, numbers: list[int], answered: list[int]) -> None:
    """Reject one image after the other until the server is gone; `answered` gets those that it has confirmed."""
    with suppress(httpx.HTTPError):
        for number in numbers:
            decide(client, "reject", [number])
            answered.append(number)


def kings(client: httpx.Client) -> list[int]:
    return client.get("/api/items", params={"class": "king", "order": "name"}).json()["id"]


def files(root: Path) -> dict[str, bytes]:
    rejected = tree(root.with_name("dataset.rejected"))
    return tree(root) | {f"rejected/{path}": data for path, data in rejected.items()}


def test_the_newest_run_suggests_classes(cli: Command, root: Path) -> None:
    """The out-of-fold prediction of the newest run is shown for an image, if its class is one of the dataset."""
    for number, (run, wanted) in enumerate({"first": "king", "second": "coral"}.items()):
        folder = root.with_name("dataset.runs") / run
        folder.mkdir(parents=True)
        rows = [
            Prediction(f"king/{name(0)}", sha(jpeg(0)), "king", wanted, 0.1, 0.9, 2.3, fold=0),
            Prediction(f"king/{name(1)}", sha(jpeg(1)), "king", "../escape", 0.1, 0.9, 2.3, fold=0),
            Prediction(f"king/{name(2)}", sha(jpeg(2)), "king", "coral", 0.1, 0.9, 2.3, fold=-1),
            Prediction(f"king/{name(3)}", sha(jpeg(3)), "king", "coral", math.nan, math.nan, math.nan, fold=1),
        ]
        write_predictions(folder / "predictions.csv", rows)
        os.utime(folder / "predictions.csv", (number, number))
    with Dataset.open(root) as dataset:
        ids = [dataset.find(name(number))[0] for number in range(4)]
    with reviewing(cli, root) as (_, client):
        suggested = [client.get(f"/api/item/{number}").json()["predicted"] for number in ids]
    assert suggested == [{"class": "coral", "probability": 0.9}, None, None, None]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_kill_between_requests(cli: Command, root: Path) -> None:
    """A kill -9 at any moment loses no decision that was answered, and the one on its way is made whole or not."""
    dice, before = random.Random(11), len(files(root))
    answered: list[int] = []
    for _ in range(3):
        with reviewing(cli, root) as (running, client):
            waiting, done, last = kings(client), len(answered), dice.randrange(1, 7)
            thread = threading.Thread(target=reject_all, args=(client, waiting, answered))
            thread.start()
            while thread.is_alive() and len(answered) < done + last:
                time.sleep(0.001 * dice.random())
            running.process.send_signal(signal.SIGKILL)
            running.wait()
            thread.join(PATIENCE)
        with Dataset.open(root) as dataset:
            rows = {row.id: row for row in dataset.review_rows()}
            rejected = {number for number, row in rows.items() if row.rejected}
        assert set(answered) <= rejected
        assert len(rejected) - len(answered) <= 1
        answered = sorted(rejected)
        spots = {f"{'rejected/' * row.rejected}{row.class_name}/{row.name}" for row in rows.values()}
        assert spots == set(files(root))
        assert len(spots) == before


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_undo_after_kill(cli: Command, root: Path) -> None:
    """After a kill -9 following each answer, nothing that was answered as done is lost, and four undos undo all."""
    before = files(root)
    with Dataset.open(root) as dataset:
        ids = [dataset.find(name(number))[0] for number in range(25)]
    decisions = (
        ("reject", ids[:1], {}),
        ("keep", ids[1:21], {}),
        ("move", ids[1:8], {"value": "coral"}),
        ("rate", ids[9:10], {"value": 7}),
    )
    for action, numbers, more in decisions:
        with reviewing(cli, root) as (running, client):
            decide(client, action, numbers, **more)
            running.process.send_signal(signal.SIGKILL)
            running.wait()
    assert f"rejected/king/{name(0)}" in files(root)
    assert len(list((root / "coral").iterdir())) == 32
    with reviewing(cli, root) as (running, client):
        state = client.get("/api/state").json()
        assert state["queues"]["unreviewed"] == 25 + 4
        for _ in decisions:
            answer = client.post("/api/undo", json={"since": 0}, headers=OWN)
            assert answer.json()["failed"] == []
        assert answer.json()["state"]["undo"] is None
        assert answer.json()["state"]["queues"]["unreviewed"] == 50
        running.process.send_signal(signal.SIGKILL)
        running.wait()
    assert files(root) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_P06_a_stop_is_its_good_end(cli: Command, root: Path, name: str) -> None:
    """Ctrl-C stops it at once, without a traceback and with exit code 0."""
    with reviewing(cli, root) as (running, client):
        client.get("/api/state")
        running.process.send_signal(getattr(signal, name))
        ran = running.wait()
    assert (ran.code, ran.err) == (0, "")


def test_the_link_has_a_token_and_the_first_free_port(cli: Command, root: Path) -> None:
    """The link has a token of 256 bits, and a port in use is no error: the next one is taken."""
    with reviewing(cli, root) as (first, client), reviewing(cli, root) as (second, other):
        links = [running.printed.split()[-1] for running in (first, second)]
        assert client.base_url.port != other.base_url.port
        assert min(client.base_url.port, other.base_url.port) >= 8765
        assert client.get("/api/state").json()["dataset"] == "dataset"
    tokens = [re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=([\w-]{43})", link)[1] for link in links]
    assert len(set(tokens)) == 2


def test_a_named_port_in_use_is_an_error(harvest: Harvest, root: Path) -> None:
    """A port that is asked for and in use is an error that suggests another one."""
    listener = listen("127.0.0.1", 0)
    port = listener.port
    try:
        result = harvest("review", root, "--no-browser", "--port", port)
    finally:
        listener.close()
    assert result.code == 2
    assert f"Port {port} is in use" in result.err


def test_over_ssh_the_tunnel_is_printed(cli: Command, root: Path) -> None:
    """Over SSH the command for the user's own machine is printed, and no browser is opened."""
    variables = {"SSH_CONNECTION": "192.0.2.9 51234 192.0.2.7 2222", "USER": "ada"}
    with reviewing(cli, root, **variables) as (running, client):
        port = client.base_url.port
        assert f"ssh -L {port}:127.0.0.1:{port} -p 2222 ada@192.0.2.7" in running.messages


def test_other_machines_are_a_warning(cli: Command, root: Path) -> None:
    """Listening for other machines prints a warning; addresses with its port are accepted, other names are not."""
    with reviewing(cli, root, "--host", "0.0.0.0") as (running, client):
        assert "everyone in your network who has the link" in running.messages
        port = client.base_url.port
        hosts = {f"192.168.1.5:{port}": 200, "192.168.1.5": 403, f"evil.example:{port}": 403}
        codes = {host: client.get("/api/state", headers={"Host": host}).status_code for host in hosts}
        # The cookie is for the name in the address: a request with another Host still sends it here.
    assert codes == hosts


def test_missing_files_stop_it(harvest: Harvest, root: Path) -> None:
    """When a class folder is gone, nothing is recorded and no page is opened: exit 3."""
    (root / "king").rename(root.parent / "king")
    result = harvest("review", root, "--no-browser")
    assert result.code == 3
    assert "--accept-missing" in result.err


def test_ratings_are_exported_as_fcc_does(harvest: Harvest, root: Path) -> None:
    """Every image is a line `file;rank`: the rating, "?" without one, "d" for a rejected one."""
    with Dataset.open(root) as dataset:
        rated, rejected, moved = (dataset.find(name(number)) for number in range(3))
        dataset.decide(Action.RATE, rated, by="page", value=7)
        dataset.decide(Action.REJECT, rejected, by="page")
        dataset.decide(Action.MOVE, moved, by="page", value="a class")
    result = harvest("review", root, "--export-ratings", "ratings.csv")
    lines = (root.parent / "ratings.csv").read_text("utf-8").splitlines()
    assert result.code == 0
    assert lines[0] == "file;rank"
    assert len(lines) == 51
    ranks = dict(line.split(";") for line in lines[1:])
    assert ranks[f"dataset/king/{name(0)}"] == "7"
    assert ranks[f"dataset.rejected/king/{name(1)}"] == "d"
    assert ranks[f"dataset/a_class/{name(2)}"] == "?"


def test_ratings_cannot_be_written(harvest: Harvest, root: Path) -> None:
    """A file that cannot be written is an error with the reason."""
    result = harvest("review", root, "--export-ratings", root)
    assert result.code == 2
    assert "cannot write" in result.err


def test_a_phone_gets_the_link_as_a_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In a terminal, a review that other machines can open prints its link for them, and the QR code of that link."""
    server = SimpleNamespace(
        listener=SimpleNamespace(find_network_url=lambda: "http://192.168.1.23:8765/"), link_at="{}?token=T".format
    )
    show_to_phones(server)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_to_phones(server)
    out = capsys.readouterr().out
    assert "http://192.168.1.23:8765/?token=T" in out
    assert all(line in out for line in draw_qr_code("http://192.168.1.23:8765/?token=T"))
