"""The listening socket: opened on the requested host and port, with a clear error where that fails."""

from __future__ import annotations

import asyncio
import socket
from typing import Self

import pytest

from harvest.errors import UsageError
from harvest.http_server.listener import Listener, listen


@pytest.fixture
def listener():
    listener = listen("127.0.0.1", 0)
    yield listener
    listener.close()


def test_any_free_port_is_one_of_the_address(listener):
    """Port 0 picks a free port, and the URL contains it."""
    assert listener.port > 0
    assert listener.url == f"http://127.0.0.1:{listener.port}/"
    assert listener.is_loopback
    socket.create_connection(("127.0.0.1", listener.port), 5).close()


def test_answers_are_sent_without_delay(listener):
    """Connections have Nagle's algorithm switched off, which would delay the second part of an answer by 40 ms."""
    options: asyncio.Queue[int] = asyncio.Queue()

    async def handle(_reader, writer):
        await options.put(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async def accept():
        async with await asyncio.start_server(handle, sock=listener.socket):
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            no_delay = await asyncio.wait_for(options.get(), 60)
            writer.close()
            await writer.wait_closed()
        return no_delay

    assert asyncio.run(accept())


def test_a_port_that_is_taken_is_named(listener):
    """A port in use is an error that names the port and suggests another one."""
    with pytest.raises(UsageError, match=rf"Port {listener.port} is in use") as caught:
        listen("127.0.0.1", listener.port)

    assert f"--port {listener.port + 1}" in caught.value.hint


def test_everywhere_is_opened_as_this_machine():
    """A wildcard address gives a URL that can be opened on this machine, and is not loopback."""
    listener = listen("0.0.0.0", 0)
    try:
        assert listener.url == f"http://127.0.0.1:{listener.port}/"
        assert not listener.is_loopback
    finally:
        listener.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_host_that_is_not_here_is_named(known, monkeypatch):
    """An unknown name and the address of another machine are errors that name the host."""

    def lookup(*_args, **_more):
        if known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    with pytest.raises(UsageError, match=r"there\.test is not an address of this machine"):
        listen("there.test", 0)


def test_the_url_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener on all addresses has a URL with one that others can use; one on loopback has none."""

    class Unsent:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def connect(self, _: object) -> None: ...
        def getsockname(self) -> tuple[str, int]:
            return "192.168.1.23", 8765

    loopback = listen("127.0.0.1", 0)
    assert loopback.find_network_url() is None
    loopback.close()
    monkeypatch.setattr("harvest.http_server.listener.socket.socket", Unsent)
    assert Listener("0.0.0.0", Unsent()).find_network_url() == "http://192.168.1.23:8765/"
    assert Listener("192.168.1.23", Unsent()).find_network_url() == "http://192.168.1.23:8765/"
