"""`harvest serve`: started, queried and stopped as by a user."""

from __future__ import annotations

import signal
import socket
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("starlette")

from harvest.cli import optional_packages
from harvest.http_server.listener import listen
from harvest.training.predictor import Predictor
from tests.pictures import encoded, photo
from tests.training.tiny import LABELS, write_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Result
    from tests.command import Command, Running
    from tests.web import Internet

    Harvest = Callable[..., Result]


PATIENCE = 60  # seconds, for what takes two when the machine is quiet


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("serve") / "snakes.runs" / "first")


@contextmanager
def serving(cli: Command, run: Path, *more: object, **variables: str) -> Iterator[tuple[Running, httpx.Client]]:
    """Start the service, and return it with a client once it listens."""
    running = cli.start("serve", run, "--port", 0, *more, **variables)
    end = time.monotonic() + PATIENCE
    while "http://" not in running.printed:
        assert running.process.poll() is None, running.messages
        assert time.monotonic() < end
        time.sleep(0.02)
    with httpx.Client(base_url=running.printed.split()[-1], trust_env=False, timeout=PATIENCE) as client:
        yield running, client


def test_it_prints_its_url_and_classifies(cli: Command, run: Path) -> None:
    """The service prints its model and URL; an uploaded image gets the result of `predict`."""
    body = encoded(photo())
    with serving(cli, run) as (running, client):
        result = client.post("/classify", files={"file": body}).json()["ranked"]
        page = client.get("/")

    predictor = Predictor.open(run)
    (expected,) = predictor.predict([body])
    assert running.printed.startswith(f"snakes/first, 3 classes, by {predictor.engine}: http://127.0.0.1:")
    assert {each["label"]: each["probability"] for each in result} == pytest.approx(dict(expected), abs=1e-5)
    assert page.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize(("name", "busy"), [("SIGINT", False), ("SIGINT", True), ("SIGTERM", True), ("SIGHUP", False)])
def test_P06_P07_a_stop_is_its_good_end(cli: Command, run: Path, name: str, *, busy: bool) -> None:
    """Ctrl-C, SIGTERM and SIGHUP stop it quickly, without output and with exit code 0."""
    with serving(cli, run) as (running, client):
        client.get("/health")
        with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
            if busy:
                line.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
                time.sleep(0.2)
            running.process.send_signal(getattr(signal, name))
            ran = running.wait()

    assert (ran.code, ran.err) == (0, "")


def test_a_port_in_use_is_reported_at_once(cli: Command, run: Path) -> None:
    """A port in use is an error that suggests another one, before a network is loaded."""
    listener = listen("127.0.0.1", 0)
    port = listener.port
    try:
        ran = cli("serve", run, "--port", port)
    finally:
        listener.close()

    assert (ran.code, ran.out) == (2, "")
    assert f"Port {port} is in use" in ran.err
    assert "--port 0" in ran.err


def test_a_url_is_downloaded_as_in_a_harvest(cli: Command, internet: Internet, run: Path) -> None:
    """A URL is fetched by the downloader of `get`, through the proxy; a private one is refused."""
    results = internet.addresses(1)
    with serving(cli, run) as (_, client):
        result = client.post("/classify", json={"url": results.urls[0]})
        within = client.post("/classify", json={"url": "http://10.0.0.1/a.jpg"})

    assert {each["label"] for each in result.json()["ranked"]} == set(LABELS)
    assert within.status_code == 403
    assert not internet.log.to("10.0.0.1")


def test_private_addresses_can_be_allowed(cli: Command, internet: Internet, run: Path) -> None:
    """`--allow-private` permits a local image server."""
    with serving(cli, run, "--allow-private") as (_, client):
        result = client.post("/classify", json={"url": "http://10.0.0.1/a.jpg"})

    assert result.status_code == 200
    assert internet.log.to("10.0.0.1")


def test_a_host_name_can_be_given(cli: Command, run: Path) -> None:
    """A host name given with `--name` is accepted, another one is not."""
    with serving(cli, run, "--name", "snakes.example") as (_, client):
        codes = [client.get("/", headers={"Host": host}).status_code for host in ("snakes.example", "evil.example")]

    assert codes == [200, 403]


def test_listening_for_other_machines_prints_a_warning(cli: Command, run: Path) -> None:
    """Listening for other machines prints a warning, and a URL that works locally."""
    with serving(cli, run, "--host", "0.0.0.0") as (running, client):
        assert client.get("/").status_code == 200

    assert client.base_url.host == "127.0.0.1"
    assert "everyone who can reach this machine can use this server" in running.messages


def test_verbose_logs_each_request(cli: Command, run: Path) -> None:
    """`-v` logs each request with its status on stderr, without terminal escapes."""
    with serving(cli, run, "-v") as (running, client):
        client.get("/")
        client.get("/%1b[2J%0aGET")
        running.interrupt()
        ran = running.wait()

    first, second = ran.err.splitlines()
    assert " GET / 200 " in first
    assert " GET /%1b[2J%0aGET 404 " in second


def test_a_folder_that_is_not_a_run(harvest: Harvest, tmp_path: Path) -> None:
    """A folder that is not a run is an error, and the port is released."""
    result = harvest("serve", tmp_path, "--port", 0)

    assert result.code == 2
    assert "is not a run" in result.err


@pytest.mark.parametrize("module", ["python_multipart"])
def test_a_missing_package_is_named(harvest: Harvest, run: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Without a server package the error names it, and the install command."""
    monkeypatch.setattr(optional_packages, "find_spec", lambda name: None if name == module else True)

    result = harvest("serve", run)

    assert result.code == 2
    assert f"this needs {module}, which" in result.err
    assert "pip install -e '.[train]'" in result.err
