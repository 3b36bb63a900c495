"""Posted forms and JSON, and refusals whose body says how long to wait."""

from __future__ import annotations

import gzip
import json
import logging
import threading

import pytest

from harvest.errors import HarvestError, Interrupted, RateLimited, Unreachable
from harvest.web.request_search_pages import PageLimits, SearchSession
from tests.web_server import HostileServer, answer

SECRET = "0123456789abcdef-secret"
THROTTLED = b'{"detail": "Request was throttled. Expected available in %d seconds."}'


class Waits(list[float]):
    """Replaces waiting: records the seconds instead."""

    def __call__(self, seconds: float) -> bool:
        """Return at once."""
        self.append(seconds)
        return False


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def pages(waits):
    with SearchSession(pace=0, wait=waits, jitter=lambda: 0.0, limits=PageLimits(idle=2)) as pages:
        yield pages


def test_a_form_is_posted(pages):
    """A form is sent in the request body, and the response is a page."""
    with HostileServer({"/token": answer(b'{"token": 7}', "201 Created")}) as server:
        page = pages.post(f"{server.url}/token", form={"id": "a b", "secret": SECRET})
    assert (page.status, page.json()) == (201, {"token": 7})
    assert server.heads[0].startswith("POST /token HTTP/1.1")
    assert "Content-Type: application/x-www-form-urlencoded" in server.heads[0]
    assert f"Content-Length: {len(f'id=a+b&secret={SECRET}')}" in server.heads[0]
    assert "User-Agent: classharvest/" in server.heads[0]


def test_fields_are_posted_as_json(pages):
    """Fields are sent as a JSON object in ASCII, with its content type and the given headers."""
    with HostileServer({"/images": answer(b'{"images": []}')}) as server:
        page = pages.post(f"{server.url}/images", fields={"q": "Käfer", "num": 100}, headers={"X-API-KEY": SECRET})
    assert page.json() == {"images": []}
    assert "Content-Type: application/json" in server.heads[0]
    assert f"X-API-KEY: {SECRET}" in server.heads[0]
    assert f"Content-Length: {len(json.dumps({'q': 'Käfer', 'num': 100}))}" in server.heads[0]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("sent", [{"form": {"secret": SECRET}}, {"fields": {"q": "snake"}}], ids=["form", "json"])
def test_posted_data_is_never_sent_on(pages, status, sent):
    """A redirect, even to the same server, is not followed with the content of a form or of JSON."""
    routes = {"/token": answer(status=status, location="/other"), "/other": answer(b"{}")}
    with HostileServer(routes) as server, pytest.raises(Unreachable, match="redirects posted data to another URL"):
        pages.post(f"{server.url}/token", **sent)
    assert server.targets == ["/token"]


@pytest.mark.parametrize(
    "response",
    [["reset"], answer(status="500 Oops"), answer(status="429 Slow"), [5.0]],
    ids=["reset", "500", "429", "stall"],
)
def test_V04_a_forms_secret_is_in_no_message(pages, caplog, response):
    """Whatever fails with a form, no message or log line contains its values."""
    caplog.set_level(logging.DEBUG)
    with HostileServer({"/token": response}) as server, pytest.raises(HarvestError) as caught:
        pages.post(f"{server.url}/token", form={"secret": SECRET})
    assert SECRET not in caplog.text + str(caught.value) + caught.value.hint + repr(caught.value.__cause__)


@pytest.mark.parametrize("packed", [False, True])
def test_N05_a_wait_in_the_body_is_obeyed(pages, waits, packed):
    """A wait that only the body of a refusal states is obeyed."""
    text = THROTTLED % 45
    refusal = answer(gzip.compress(text), "429 Slow", content_encoding="gzip") if packed else answer(text, "429 Slow")
    with HostileServer({"/q": [refusal, answer(b"x")]}) as server:
        assert pages.get(f"{server.url}/q").text == "x"
    assert waits == [45]


def test_N05_a_header_has_precedence(pages, waits):
    """`Retry-After` has precedence over the body."""
    with HostileServer({"/q": [answer(THROTTLED % 45, "429 Slow", retry_after="7"), answer(b"x")]}) as server:
        pages.get(f"{server.url}/q")
    assert waits == [7]


def test_V05_a_day_is_not_waited_for(pages, waits):
    """A quota that resets tomorrow ends the search at once, and the message says when."""
    with HostileServer({"/q": answer(THROTTLED % 54_000, "429 Slow")}) as server:
        with pytest.raises(RateLimited, match="asks to wait 15 h") as caught:
            pages.get(f"{server.url}/q")
        assert len(server.heads) == 1
    assert caught.value.retry_after == 54_000
    assert not waits


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x" * 10**6,
        b"\xff" * 2000,
        b"available in " + b"9" * 5000 + b" seconds",
        b"available in -4 seconds",
    ],
)
def test_V07_words_that_are_none(pages, waits, body):
    """A refusal without a wait is retried with backoff."""
    with (
        HostileServer({"/q": answer(body, "429 Slow")}) as server,
        pytest.raises(RateLimited, match="3 times"),
    ):
        pages.get(f"{server.url}/q")
    assert waits == [1, 2]


def test_a_pause_can_be_stopped():
    """A pause that a source asks for ends when the user stops the run."""
    stop = threading.Event()
    with SearchSession(pace=0, stop=stop) as pages:
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(Interrupted):
            pages.pause(60)
