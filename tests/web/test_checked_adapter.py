"""Search pages and private addresses: where a redirect may lead, by what its name resolves to."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from harvest import Query, harvest
from harvest import providers as registry
from harvest.errors import Unreachable
from harvest.providers.base import Provider
from harvest.web.address_policy import is_public
from harvest.web.search_session import SearchSession
from tests.web_server import HostileServer, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.models import Hit

PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.0.192",
    "::1",
    "fd00::1",
]
PUBLIC = "127.0.0.1"  # what plays the public Internet in these tests
INSIDE = "127.0.0.2"  # and what plays a private address that answers


class Names:
    """Resolves names as told; a list of lists gives one answer after the other, the last for ever."""

    def __init__(self, **answers: list[str] | list[list[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name.replace("_", "."): told for name, told in answers.items()}

    def __call__(self, name: str) -> list[str]:
        """Return the next answer for a name; an address stands for itself."""
        self.asked.append(name)
        told: Any = self._answers.get(name, [name])
        if isinstance(told[0], str):
            return list(told)
        return list(told.pop(0) if len(told) > 1 else told[0])


class Inside:
    """A server on another loopback address that counts the connections it gets."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server((INSIDE, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def inside() -> Iterator[Inside]:
    server = Inside()
    yield server
    server.close()


def pages(names: Names, **options: Any) -> SearchSession:
    """Make pages for which one loopback address is public; every other reserved address stays private."""
    return SearchSession(
        **{
            "pace": 0,
            "wait": lambda _: False,
            "resolve": names,
            "allowed": lambda ip: ip == PUBLIC or is_public(ip),
            **options,
        }
    )


def moved(location: str) -> Any:
    return answer(status="302 Found", location=location)


@pytest.mark.parametrize("ip", PRIVATE)
def test_X05_redirect_to_a_name_with_a_private_address(ip: str) -> None:
    """A redirect to a name that resolves to a private address is refused, and not tried again."""
    names = Names(engine_test=[PUBLIC], inside_test=[ip])
    routes = {"/q": moved("http://inside.test/latest/meta-data/")}
    with HostileServer(routes) as engine, pages(names, allowed=is_public) as asked:
        with pytest.raises(Unreachable, match=f"inside.test resolves to {ip}, which is not an address of the public"):
            asked.get(f"http://engine.test:{engine.port}/q")
        assert engine.targets == ["/q"]
    assert names.asked == ["engine.test", "inside.test"]


def test_X05_private_server_sees_no_connection(inside: Inside) -> None:
    """The server behind the name gets no connection, and so no request."""
    names = Names(engine_test=[PUBLIC], inside_test=[INSIDE])
    with HostileServer({"/q": moved(f"http://inside.test:{inside.port}/")}) as engine, pages(names) as asked:
        with pytest.raises(Unreachable, match="address that is not allowed"):
            asked.get(f"http://engine.test:{engine.port}/q")
        assert inside.connections == 0


def test_X05_one_private_address_refuses_the_name(inside: Inside) -> None:
    """A name with a public and a private address is refused: which one is used would be chance."""
    names = Names(engine_test=[PUBLIC], both_test=[PUBLIC, INSIDE])
    with HostileServer({"/q": moved(f"http://both.test:{inside.port}/")}) as engine, pages(names) as asked:
        with pytest.raises(Unreachable, match="address that is not allowed"):
            asked.get(f"http://engine.test:{engine.port}/q")
        assert inside.connections == 0


def test_X05_the_checked_address_is_the_one_connected_to() -> None:
    """A name is resolved once a connection: an answer that changes after the check changes nothing."""
    names = Names(engine_test=[PUBLIC], other_test=[[PUBLIC], [INSIDE]])
    with HostileServer({"/b": answer(b"x")}) as other, pages(names) as asked:
        with HostileServer({"/q": moved(f"http://other.test:{other.port}/b")}) as engine:
            assert asked.get(f"http://engine.test:{engine.port}/q").text == "x"
        assert f"Host: other.test:{other.port}" in other.heads[0]
    assert names.asked == ["engine.test", "other.test"]


def test_X05_each_connection_is_checked(inside: Inside) -> None:
    """A name that passed once and resolves to a private address later is refused then."""
    names = Names(engine_test=[PUBLIC], other_test=[[PUBLIC], [INSIDE]])
    with HostileServer({"/b": answer(b"x")}) as other, pages(names) as asked:
        routes = {
            "/1": moved(f"http://other.test:{other.port}/b"),
            "/2": moved(f"http://other.test:{inside.port}/"),
        }
        with HostileServer(routes) as engine:
            assert asked.get(f"http://engine.test:{engine.port}/1").text == "x"
            with pytest.raises(Unreachable, match="address that is not allowed"):
                asked.get(f"http://engine.test:{engine.port}/2")
    assert inside.connections == 0


def test_X05_an_engine_cannot_move_inside() -> None:
    """A search engine that was public and resolves to a private address later is refused, redirect or not."""
    names = Names(engine_test=[[PUBLIC], [INSIDE]])
    with HostileServer({"/q": answer(b"x")}) as engine, pages(names) as asked:
        assert asked.get(f"http://engine.test:{engine.port}/q").text == "x"
        with pytest.raises(Unreachable, match=f"engine.test resolves to {INSIDE}"):
            asked.get(f"http://engine.test:{engine.port}/q")
        assert len(engine.heads) == 1


def test_X05_a_server_at_home_is_asked() -> None:
    """A server that a provider names itself may be private, and redirect within itself."""
    names = Names(search_home_test=["127.0.0.1"])
    with (
        HostileServer({"/q": moved("/b"), "/b": answer(b"x")}) as server,
        pages(names, allowed=is_public) as asked,
    ):
        assert asked.get(f"http://search.home.test:{server.port}/q").text == "x"
        assert asked.get(f"{server.url}/q").text == "x"


def test_X05_a_stranger_cannot_lead_to_the_server_at_home() -> None:
    """A connection to a private server of a provider's is not there for redirects from elsewhere."""
    names = Names(home_test=[INSIDE], engine_test=[PUBLIC])
    server = socket.create_server((INSIDE, 0))
    port = server.getsockname()[1]
    heads: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            while head := connection.recv(65536):
                heads.append(head)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    thread = threading.Thread(target=serve)
    thread.start()
    with HostileServer({"/q": moved(f"http://home.test:{port}/delete")}) as engine, pages(names) as asked:
        assert asked.get(f"http://home.test:{port}/").text == "x"
        with pytest.raises(Unreachable, match=f"home.test resolves to {INSIDE}"):
            asked.get(f"http://engine.test:{engine.port}/q")
    thread.join()
    server.close()
    assert len(heads) == 1


def test_X05_tls_verifies_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate must be that of the name, not of the address connected to."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    names = Names(engine_test=[PUBLIC], other_test=[PUBLIC])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("engine.test").configure_cert(context)
    seen: list[str | None] = []
    context.sni_callback = lambda _, name, __: seen.append(name)
    with HostileServer({"/q": answer(b"x")}, context) as server, pages(names) as asked:
        assert asked.get(f"https://engine.test:{server.port}/q").text == "x"
        with pytest.raises(Unreachable, match="certificate"):
            asked.get(f"https://other.test:{server.port}/q")
    assert seen == ["engine.test", "other.test"]


def test_X05_the_next_address_is_tried() -> None:
    """A name with several public addresses is connected to at the first that answers."""
    names = Names(engine_test=["127.0.0.3", PUBLIC])
    with HostileServer({"/q": answer(b"x")}) as server, pages(names) as asked:
        assert asked.get(f"http://engine.test:{server.port}/q").text == "x"


@pytest.mark.parametrize("told", [[], socket.gaierror(socket.EAI_NONAME, "unknown")])
def test_X05_a_name_without_an_address(told: list[str] | socket.gaierror) -> None:
    """A name that resolves to nothing is out of reach, as before."""

    def resolve(_: str) -> list[str]:
        if isinstance(told, Exception):
            raise told
        return told

    with pages(Names(), resolve=resolve) as asked, pytest.raises(Unreachable, match="its name cannot be resolved"):
        asked.get("http://engine.test/q")


def test_X05_the_proxy_resolves() -> None:
    """Through a proxy no name is resolved here; literal private addresses of a redirect stay refused."""
    names = Names()
    route, other = "http://engine.test/q", "http://other.test/b"
    routes = {route: moved(other), other: answer(b"x"), "http://engine.test/p": moved("http://10.0.0.1/")}
    with HostileServer(routes) as proxy, pages(names, proxy=proxy.url) as asked:
        assert asked.get(route).text == "x"
        with pytest.raises(Unreachable, match="address that is not allowed"):
            asked.get("http://engine.test/p")
    assert not names.asked


class _Hostile(Provider):
    """An engine whose page moves to a name of its own choice."""

    name = "HOSTILE"
    label = "Hostile"
    about = "moves to private addresses"
    pace = 0
    port = 0

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002
        """Ask the engine once."""
        pages.get(f"http://localhost:{self.port}/q")
        return iter(())


def test_X05_a_run_refuses_it(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole run with such an engine says why it was given up, and no private server hears of it."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: object, *rest: Any, **named: Any) -> Any:
        return real(INSIDE if host == "inside.test" else host, port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(registry, "get", lambda _: _Hostile)
    monkeypatch.setattr(registry, "names", lambda: ["HOSTILE"])
    with HostileServer({"/q": moved(f"http://inside.test:{inside.port}/")}) as engine:
        _Hostile.port = engine.port
        summary = harvest([Query("cat", "cats")], "HOSTILE", tmp_path / "dataset")
    assert [type(problem.error) for problem in summary.problems] == [Unreachable]
    assert "inside.test resolves to 127.0.0.2" in summary.problems[0].error.message
    assert summary.exit_code != 0
    assert inside.connections == 0
