"""The contact in the User-Agent: Wikimedia gets it with each request, and no other host does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from harvest.web.host_rules_cache import HostRulesCache
from harvest.web.host_scheduler import host_limits
from harvest.web.image_client import ImageClient, ImageLimits
from harvest.web.user_agent import USER_AGENT
from tests.web_server import HostileServer, answer

if TYPE_CHECKING:
    from pathlib import Path

CONTACT = "ada@example.org"
IDENTIFIED = f"{USER_AGENT} ({CONTACT})"


def fetch(server: HostileServer, hosts: list[str], path: str, file: Path, contact: str) -> tuple[list[str], list[str]]:
    """Fetch a path from each host in turn; return the User-Agents that were sent, and the messages."""
    messages: list[str] = []

    async def run() -> None:
        async with ImageClient(
            allowed=lambda ip: ip == "127.0.0.1",
            resolve=lambda _: ["127.0.0.1"],
            limits=ImageLimits(pace=0),
            contact=contact,
            host_rules=HostRulesCache(file),
            say=messages.append,
        ) as client:
            for host in hosts:
                await client.fetch(f"http://{host}:{server.port}{path}")

    asyncio.run(run())
    lines = [line for head in server.heads for line in head.splitlines()]
    return [line.partition(": ")[2] for line in lines if line.lower().startswith("user-agent:")], messages


@pytest.fixture
def server():
    """Serve an image, a redirect to another host, and no documents."""
    gone = answer(status="404 Not Found")
    routes = {"/a.jpg": answer(b"x"), "/robots.txt": gone, "/.well-known/tdmrep.json": gone}
    with HostileServer(routes) as server:
        yield server


def test_wikimedia_gets_the_contact_with_each_request(server: HostileServer, tmp_path: Path) -> None:
    """Images and documents of every site of Wikimedia are requested with the contact."""
    hosts = ["upload.wikimedia.org", "thumb.wikimedia.org", "en.wikipedia.org", "wikidata.org"]

    sent, messages = fetch(server, hosts, "/a.jpg", tmp_path / "hosts.json", CONTACT)

    assert sent == [IDENTIFIED] * 12
    assert messages == []


def test_other_hosts_get_no_contact(server: HostileServer, tmp_path: Path) -> None:
    """A host with a name like Wikimedia's is not told who the user is."""
    hosts = ["img.example.org", "wikimedia.org.example.org", "mywikimedia.org", "wikipedia.com"]

    sent, _ = fetch(server, hosts, "/a.jpg", tmp_path / "hosts.json", CONTACT)

    assert sent == [USER_AGENT] * 12


def test_a_redirect_from_wikimedia_leaves_the_contact_behind(tmp_path: Path) -> None:
    """A redirect to Wikimedia is requested with the contact, one that leads away from it without."""
    gone = answer(status="404 Not Found")
    with HostileServer({"/a.jpg": answer(b"x"), "/robots.txt": gone, "/.well-known/tdmrep.json": gone}) as last:
        away = answer(status="302 Found", location=f"http://img.example.org:{last.port}/a.jpg")
        with HostileServer({"/a.jpg": away, "/robots.txt": gone, "/.well-known/tdmrep.json": gone}) as first:
            sent, _ = fetch(first, ["upload.wikimedia.org"], "/a.jpg", tmp_path / "hosts.json", CONTACT)

        assert sent == [IDENTIFIED] * 3
        assert not any(CONTACT in head for head in last.heads)


@pytest.mark.parametrize("contact", ["", "ada", "ada@example.org)\r\nX-Evil: 1", "a b@example.org"])
def test_without_a_contact_it_is_said_once(contact: str, server: HostileServer, tmp_path: Path) -> None:
    """Without a contact that can be sent, one message names the option, and the images are requested all the same."""
    hosts = ["upload.wikimedia.org", "img.example.org", "upload.wikimedia.org", "en.wikipedia.org"]

    sent, messages = fetch(server, hosts, "/a.jpg", tmp_path / "hosts.json", contact)

    assert set(sent) == {USER_AGENT}
    assert len(messages) == 1
    assert "--contact you@example.org" in messages[0]
    assert server.targets.count("/a.jpg") == 4


def test_without_a_contact_wikimedia_is_asked_slowly() -> None:
    """The pace of Wikimedia is a tenth without a contact, and that of other hosts is the same."""
    limits, unidentified = ImageLimits(), ImageLimits(unidentified=True)

    assert (
        host_limits("upload.wikimedia.org", unidentified).pace == 10 * host_limits("upload.wikimedia.org", limits).pace
    )
    assert host_limits("img.example.org", unidentified) == host_limits("img.example.org", limits)
