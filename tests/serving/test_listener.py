"""The program's own door: open where asked, and a sentence where it cannot be."""

from __future__ import annotations

import socket

import pytest

from harvest.errors import UsageError
from harvest.serving.listener import listen


@pytest.fixture
def door():
    door = listen("127.0.0.1", 0)
    yield door
    door.close()


def test_any_free_port_is_one_of_the_address(door):
    """Port 0 is any that is free, and the address names the one it became."""
    assert door.port > 0
    assert door.url == f"http://127.0.0.1:{door.port}/"
    assert door.is_loopback
    socket.create_connection(("127.0.0.1", door.port), 5).close()


def test_a_port_that_is_taken_is_named(door):
    """Where another program listens the error names the port, and the way out."""
    with pytest.raises(UsageError, match=rf"port {door.port} is taken") as told:
        listen("127.0.0.1", door.port)

    assert f"--port {door.port + 1}" in told.value.hint


def test_everywhere_is_opened_as_this_machine():
    """Who listens everywhere is told an address that can be opened, and that others can come in."""
    door = listen("0.0.0.0", 0)
    try:
        assert door.url == f"http://127.0.0.1:{door.port}/"
        assert not door.is_loopback
    finally:
        door.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_host_that_is_not_here_is_named(known, monkeypatch):
    """A name that nobody knows, and an address of another machine, are told as such."""

    def lookup(*_args, **_more):
        if known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    with pytest.raises(UsageError, match=r"there\.test is no address of this machine"):
        listen("there.test", 0)
