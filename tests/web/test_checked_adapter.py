"""Search pages and private addresses: redirects are checked by the addresses of their host."""

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
from harvest.web.request_search_pages import SearchSession
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
PUBLIC = "127.0.0.1"  # stands for a public address in these tests
INSIDE = "127.0.0.2"  # stands for a private address with a server


class Names:
    """Resolves names to given addresses; a list of lists is a sequence of results, the last one repeated."""

    def __init__(self, **answers: list[str] | list[list[str]]) -> None:
        self.session: list[str] = []
        self._answers = {name.replace("_", "."): addresses for name, addresses in answers.items()}

    def __call__(self, name: str) -> list[str]:
        """Return the next addresses of a name; an IP address resolves to itself."""
        self.session.append(name)
        addresses: Any = self._answers.get(name, [name])
        if isinstance(addresses[0], str):
            return list(addresses)
        return list(addresses.pop(0) if len(addresses) > 1 else addresses[0])


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
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def inside() -> Iterator[Inside]:
    server = Inside()
    yield server
    server.close()


def pages(names: Names, **options: Any) -> SearchSession:
    """Create a session for which one loopback address is public; all other reserved addresses stay private."""
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
    """A redirect to a name that resolves to a private address is refused without a retry."""
    names = Names(engine_test=[PUBLIC], inside_test=[ip])
    routes = {"/q": moved("http://inside.test/latest/meta-data/")}
    with HostileServer(routes) as engine, pages(names, allowed=is_public) as session:
        with pytest.raises(Unreachable, match=f"inside.test resolves to {ip}, which is not an address of the public"):
            session.get(f"http://engine.test:{engine.port}/q")
        assert engine.targets == ["/q"]
    assert names.session == ["engine.test", "inside.test"]


def test_X05_private_server_sees_no_connection(inside: Inside) -> None:
    """The private server gets no connection, and so no request."""
    names = Names(engine_test=[PUBLIC], inside_test=[INSIDE])
    with HostileServer({"/q": moved(f"http://inside.test:{inside.port}/")}) as engine, pages(names) as session:
        with pytest.raises(Unreachable, match="address that is not allowed"):
            session.get(f"http://engine.test:{engine.port}/q")
        assert inside.connections == 0


def test_X05_one_private_address_refuses_the_name(inside: Inside) -> None:
    """A name with a public and a private address is refused: either could be used."""
    names = Names(engine_test=[PUBLIC], both_test=[PUBLIC, INSIDE])
    with HostileServer({"/q": moved(f"http://both.test:{inside.port}/")}) as engine, pages(names) as session:
        with pytest.raises(Unreachable, match="address that is not allowed"):
            session.get(f"http://engine.test:{engine.port}/q")
        assert inside.connections == 0


def test_X05_the_checked_address_is_the_one_connected_to() -> None:
    """A name is resolved once per connection: a DNS change after the check has no effect."""
    names = Names(engine_test=[PUBLIC], other_test=[[PUBLIC], [INSIDE]])
    with HostileServer({"/b": answer(b"x")}) as other, pages(names) as session:
        with HostileServer({"/q": moved(f"http://other.test:{other.port}/b")}) as engine:
            assert session.get(f"http://engine.test:{engine.port}/q").text == "x"
        assert f"Host: other.test:{other.port}" in other.heads[0]
    assert names.session == ["engine.test", "other.test"]


def test_X05_each_connection_is_checked(inside: Inside) -> None:
    """A name that passed once is refused when it later resolves to a private address."""
    names = Names(engine_test=[PUBLIC], other_test=[[PUBLIC], [INSIDE]])
    with HostileServer({"/b": answer(b"x")}) as other, pages(names) as session:
        routes = {
            "/1": moved(f"http://other.test:{other.port}/b"),
            "/2": moved(f"http://other.test:{inside.port}/"),
        }
        with HostileServer(routes) as engine:
            assert session.get(f"http://engine.test:{engine.port}/1").text == "x"
            with pytest.raises(Unreachable, match="address that is not allowed"):
                session.get(f"http://engine.test:{engine.port}/2")
    assert inside.connections == 0


def test_X05_an_engine_cannot_move_inside() -> None:
    """A provider whose name was public is refused when it later resolves to a private address."""
    names = Names(engine_test=[[PUBLIC], [INSIDE]])
    with HostileServer({"/q": answer(b"x")}) as engine, pages(names) as session:
        assert session.get(f"http://engine.test:{engine.port}/q").text == "x"
        with pytest.raises(Unreachable, match=f"engine.test resolves to {INSIDE}"):
            session.get(f"http://engine.test:{engine.port}/q")
        assert len(engine.heads) == 1


def test_X05_a_server_at_home_is_asked() -> None:
    """The server of a provider may be private, and may redirect to itself."""
    names = Names(search_home_test=["127.0.0.1"])
    with (
        HostileServer({"/q": moved("/b"), "/b": answer(b"x")}) as server,
        pages(names, allowed=is_public) as session,
    ):
        assert session.get(f"http://search.home.test:{server.port}/q").text == "x"
        assert session.get(f"{server.url}/q").text == "x"


def test_X05_a_redirect_cannot_use_a_private_connection() -> None:
    """A redirect from another server cannot use the connection to a provider's private server."""
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
    with HostileServer({"/q": moved(f"http://home.test:{port}/delete")}) as engine, pages(names) as session:
        assert session.get(f"http://home.test:{port}/").text == "x"
        with pytest.raises(Unreachable, match=f"home.test resolves to {INSIDE}"):
            session.get(f"http://engine.test:{engine.port}/q")
    thread.join()
    server.close()
    assert len(heads) == 1


def test_X05_tls_verifies_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is verified for the name, not for the address."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    names = Names(engine_test=[PUBLIC], other_test=[PUBLIC])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("engine.test").configure_cert(context)
    seen: list[str | None] = []
    context.sni_callback = lambda _, name, __: seen.append(name)
    with HostileServer({"/q": answer(b"x")}, context) as server, pages(names) as session:
        assert session.get(f"https://engine.test:{server.port}/q").text == "x"
        with pytest.raises(Unreachable, match="certificate"):
            session.get(f"https://other.test:{server.port}/q")
    assert seen == ["engine.test", "other.test"]


def test_X05_the_next_address_is_tried() -> None:
    """With several public addresses, the first that accepts a connection is used."""
    names = Names(engine_test=["127.0.0.3", PUBLIC])
    with HostileServer({"/q": answer(b"x")}) as server, pages(names) as session:
        assert session.get(f"http://engine.test:{server.port}/q").text == "x"


@pytest.mark.parametrize("addresses", [[], socket.gaierror(socket.EAI_NONAME, "unknown")])
def test_X05_a_name_without_an_address(addresses: list[str] | socket.gaierror) -> None:
    """A name that cannot be resolved is unreachable."""

    def resolve(_: str) -> list[str]:
        if isinstance(addresses, Exception):
            raise addresses
        return addresses

    with pages(Names(), resolve=resolve) as session, pytest.raises(Unreachable, match="its name cannot be resolved"):
        session.get("http://engine.test/q")


def test_X05_the_proxy_resolves() -> None:
    """Through a proxy no name is resolved locally; redirects to literal private addresses are still refused."""
    names = Names()
    route, other = "http://engine.test/q", "http://other.test/b"
    routes = {route: moved(other), other: answer(b"x"), "http://engine.test/p": moved("http://10.0.0.1/")}
    with HostileServer(routes) as proxy, pages(names, proxy=proxy.url) as session:
        assert session.get(route).text == "x"
        with pytest.raises(Unreachable, match="address that is not allowed"):
            session.get("http://engine.test/p")
    assert not names.session


class _Hostile(Provider):
    """A provider whose page redirects to another name."""

    name = "HOSTILE"
    label = "Hostile"
    about = "moves to private addresses"
    pace = 0
    port = 0

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002
        """Request one page."""
        pages.get(f"http://localhost:{self.port}/q")
        return iter(())


def test_X05_a_run_refuses_it(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole run with such a provider reports the reason, and no private server is contacted."""
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
