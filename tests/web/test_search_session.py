"""Search pages and hostile servers: each fault is its error, within the limits, and no message contains a key."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from harvest.errors import HarvestError, Interrupted, PageChanged, RateLimited, Unreachable, UsageError
from harvest.web.proxies import Proxies
from harvest.web.request_search_pages import PageLimits, SearchPage, SearchSession
from tests.web_server import HostileServer, Scenario, answer, trickle

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef-secret"
MiB = 2**20


class Waits(list[float]):
    """Replaces waiting: records the seconds instead."""

    def __call__(self, seconds: float) -> bool:
        """Return at once."""
        self.append(seconds)
        return False


def pages(**options: Any) -> SearchSession:
    return SearchSession(**{"pace": 0, "wait": Waits(), "jitter": lambda: 0.0, **options})


def serve(scenario: Scenario | list[Scenario], **more: Scenario) -> HostileServer:
    return HostileServer({"/q": scenario, **{f"/{name}": scenario for name, scenario in more.items()}})


def get(server: HostileServer, path: str = "/q", **options: Any) -> SearchPage:
    with pages(**options) as session:
        return session.get(server.url + path)


# ---- requests and pages of an ordinary source


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "401 No", "403 Forbidden", "404 Not Found"])
def test_final_answers(status: str) -> None:
    """Every final response below 500 is a page: the provider decides what it means."""
    with serve(answer(b"text", status, x_left="3")) as server:
        page = get(server)
    assert (page.status, page.text, page.headers["x-left"]) == (int(status[:3]), "text", "3")
    assert page.url == f"{server.url}/q"


def test_honest_request() -> None:
    """The User-Agent is sent unless the provider sets another; its other headers are sent too."""
    with serve(answer(b"x")) as server, pages() as session:
        session.get(f"{server.url}/q")
        session.get(f"{server.url}/q", headers={"user-agent": "someone", "X-Key": "1"})
    assert "User-Agent: classharvest/" in server.heads[0]
    assert "python-requests" not in server.heads[0]
    assert "someone" in server.heads[1]
    assert "classharvest" not in server.heads[1]
    assert "X-Key: 1" in server.heads[1]


def test_parameters_are_encoded() -> None:
    """Parameters reach the source unchanged, with any characters."""
    with HostileServer({"/q?text=king+%26+%C3%BC&page=2": answer(b"x")}) as server, pages() as session:
        assert session.get(f"{server.url}/q", params={"text": "king & ü", "page": 2}).text == "x"


def test_cookies_are_kept() -> None:
    """The cookies of a source are sent back to it, also those set by a redirect."""
    first = answer(status="302 Found", location="/b", set_cookie="one=1; Path=/")
    with serve(first, b=answer(b"x", set_cookie="two=2; Path=/")) as server, pages() as session:
        session.get(f"{server.url}/q")
        session.get(f"{server.url}/b")
    assert "Cookie: one=1\r\n" in server.heads[1]
    assert "one=1; two=2" in server.heads[2]


def test_pace() -> None:
    """The pace applies between two requests of a provider, not before the first."""
    now = [100.0]
    waits = Waits()
    with serve(answer(b"x")) as server, pages(pace=2.5, wait=waits, clock=lambda: now[0]) as session:
        session.get(f"{server.url}/q")
        now[0] += 1
        session.get(f"{server.url}/q")
        now[0] += 9
        session.get(f"{server.url}/q")
    assert waits == [1.5]


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"\xc3\xbcber", "text/html", "über"),
        (b"\xef\xbb\xbf\xc3\xbcber", "text/html; charset=latin-1", "über"),
        (b"\xfcber", "text/html; charset=iso-8859-1", "über"),
        (b'<meta charset="windows-1252">\xfc', "text/html", '<meta charset="windows-1252">ü'),
        (b'{"a": "charset=utf-16 \xc3\xbc"}', "application/json", '{"a": "charset=utf-16 ü"}'),
        (b"\xc3\xbc", "text/html; charset=punycode", "ü"),
        (b"\xc3\xbc", "text/html; charset=nonsense", "ü"),
        (b"\xff", "text/html; charset=utf-8", "\ufffd"),
    ],
)
def test_text(body: bytes, kind: str, text: str) -> None:
    """The text is decoded in the declared encoding if it is one of the web's; decoding never fails."""
    with serve(answer(body, content_type=kind)) as server:
        assert get(server).text == text


# ---- network faults


@pytest.mark.parametrize("where", ["head", "body", "chunk"])
def test_N02_slow_loris(where: str) -> None:
    """A response of one byte at a time, anywhere, ends at the deadline of the page."""
    head = b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 500 + b"\r\n"
    scenario = {
        "head": trickle(head * 9, 0.02),
        "body": [head + b"\r\n", *trickle(b"x" * 1000, 0.02)],
        "chunk": [head + b"Transfer-Encoding: chunked\r\n\r\n", *trickle(b"0" * 1000, 0.02)],
    }[where]
    with serve(scenario) as server, pytest.raises(Unreachable, match="within 1 s"):
        get(server, limits=PageLimits(idle=0.5, total=1))


def test_N02_late_page_is_dropped() -> None:
    """A page past its deadline is read no further, even if the server keeps sending."""
    with serve([b"HTTP/1.1 200 OK\r\n\r\n", *trickle(b"x" * 1000, 0.02)]) as server:
        with pytest.raises(Unreachable):
            get(server, limits=PageLimits(total=0.2))
        for thread in threading.enumerate():
            if thread.name == "page":
                thread.join(60)
                assert not thread.is_alive()


@pytest.mark.parametrize(
    "scenario",
    [
        [5.0],
        ["reset"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "reset"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 5.0],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"],
        [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"],
    ],
    ids=[
        "stall",
        "reset",
        "short",
        "reset in the body",
        "stall in the body",
        "cut chunk",
        "not HTTP",
        "not gzip",
    ],
)
def test_N03_broken_transfer(scenario: Scenario) -> None:
    """A broken page is never returned: after three attempts the source is unreachable."""
    waits = Waits()
    limits = PageLimits(idle=1 if 5.0 in scenario else 10)
    with serve(scenario) as server:
        with pytest.raises(Unreachable, match="tried 3 times"):
            get(server, limits=limits, wait=waits)
        assert len(server.heads) == 3
    assert waits == [1, 2]
    with serve([scenario, answer(b"whole")]) as server:
        assert get(server, limits=limits).text == "whole"


@pytest.mark.parametrize("place", ["127.0.0.1:1", "[::1]:1"])
def test_N03_nobody_listens(place: str) -> None:
    """A source that does not listen is unreachable."""
    with pages() as session, pytest.raises(Unreachable, match="cannot be reached"):
        session.get(f"http://{place}/q")


@pytest.mark.parametrize(("header", "least", "most"), [("30", 30, 30), ("119", 119, 119), ("soon", 1, 1)])
def test_N05_retry_after(header: str, least: float, most: float) -> None:
    """The wait that a source asks for is obeyed, with a message."""
    messages: list[str] = []
    waits = Waits()
    with serve([answer(status="429 Slow Down", retry_after=header), answer(b"x")]) as server:
        assert get(server, wait=waits, say=messages.append, name="Flickr").text == "x"
    assert least <= sum(waits) <= most
    assert messages == [
        f"Flickr refused (429). Retrying in {least} s; 2 of 3 attempts left. Ctrl-C stops the run and keeps its images."
    ]


def test_N05_refused_for_good() -> None:
    """A source that keeps refusing raises `RateLimited`, with the wait it asks for."""
    with serve(answer(status="429 Slow Down", retry_after="3")) as server:
        with pytest.raises(RateLimited, match="refused 3 times") as caught:
            get(server)
        assert len(server.heads) == 3
    assert caught.value.retry_after == 3


def test_N05_without_retries() -> None:
    """With `patient=False` a source that refuses is not waited for or tried again."""
    waits = Waits()
    with serve(answer(status="429 Slow Down", retry_after="3")) as server:
        with pytest.raises(RateLimited, match="refused once"), pages(wait=waits) as session:
            session.get(f"{server.url}/q", patient=False)
        assert len(server.heads) == 1
    assert not waits


@pytest.mark.parametrize("header", ["121", str(10 * 365 * 86400), "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_N05_too_much_to_ask(header: str) -> None:
    """A wait of more than two minutes is not obeyed."""
    waits = Waits()
    with serve(answer(status="429 Slow Down", retry_after=header)) as server:
        with pytest.raises(RateLimited, match="asks to wait") as caught:
            get(server, wait=waits)
        assert len(server.heads) == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 120
    assert not waits


def test_N06_failing_server() -> None:
    """A failing source gets three attempts, and its page is returned if one succeeds."""
    failing = answer(status="503 Busy")
    with serve([failing, failing, answer(b"x")]) as server:
        assert get(server).text == "x"
    with serve(failing) as server, pytest.raises(Unreachable, match="HTTP 503"):
        get(server)


def test_N08_compression_bomb() -> None:
    """A page that decompresses to more than the limit is cut there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(MiB)) for _ in range(200)) + packer.flush()
    with (
        serve(
            answer(bomb, content_encoding="gzip"),
            b=answer(gzip.compress(bomb), content_encoding="gzip, gzip"),
        ) as s,
        pages(limits=PageLimits(body=MiB)) as session,
    ):
        for path in ("/q", "/b"):
            assert peak_of_refusal(session, s.url + path) < 4 * MiB


def test_N08_gzip_is_welcome() -> None:
    """A page may be compressed."""
    with serve(answer(gzip.compress(b"text"), content_encoding="gzip")) as server:
        assert get(server).text == "text"
        assert "Accept-Encoding: gzip, deflate\r\n" in server.heads[0]


def test_N09_endless_page() -> None:
    """An endless page is cut at its limit."""
    with (
        serve([b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(64 * 1024)] * 1000]) as server,
        pytest.raises(PageChanged),
    ):
        get(server, limits=PageLimits(body=MiB))


def test_N11_redirects() -> None:
    """Five redirects are followed, the sixth is not, and the page has its final URL."""
    chain = {f"/{n}": answer(status="302 Found", location=f"/{n + 1}") for n in range(9)}
    with HostileServer({**chain, "/9": answer(b"x")}) as server, pages() as session:
        assert session.get(f"{server.url}/4").url == f"{server.url}/9"
        with pytest.raises(Unreachable, match="more than 5 times"):
            session.get(f"{server.url}/3")


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "javascript:alert(1)", "http://[::1", "http://a:b@example.org/"],
)
def test_N12_redirect_to_another_scheme(location: str) -> None:
    """A redirect to anything but an http or https URL is refused."""
    with serve(answer(status="302 Found", location=location)) as server, pytest.raises(Unreachable):
        get(server)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "[::1]", "2130706433", "169.254.169.254"])
def test_N13_redirect_to_a_private_address(host: str) -> None:
    """A redirect to a private address is refused, unless it is the server itself."""
    with serve(answer(b"secret")) as inside:
        location = f"http://{host}:{inside.port}/q"
        with serve(answer(status="302 Found", location=location)) as outside, pytest.raises(Unreachable):
            get(outside)
        assert inside.connections == 0


def test_redirect_body_is_not_read() -> None:
    """The body of a redirect is not read."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: gzip\r\n\r\n"
    with serve([head, *[bytes(64 * 1024)] * 1000], b=answer(b"x")) as server:
        assert get(server, limits=PageLimits(total=2)).text == "x"


def test_N15_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are verified, also by the user's own authority, and an invalid one is not tried again."""
    import ssl  # noqa: PLC0415

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with HostileServer({"/q": answer(b"x")}, context) as server:
        with pytest.raises(Unreachable, match=r"certificate.*tried once"):
            get(server)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, str(tmp_path / "ca.pem"))
                assert get(server).text == "x"


@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_N15_unreadable_authorities(content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate file that cannot be read is an error at once, with the variable that names it."""
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(UsageError, match=r"REQUESTS_CA_BUNDLE is set to .*ca\.pem"):
        pages()


def test_N16_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies from the environment and the option are used, and `NO_PROXY` is obeyed."""
    route = "http://search.example.test/q"
    with HostileServer({route: answer(b"x")}) as proxy:
        with pages(proxy=f"http://me:pw@{proxy.place}") as session:
            assert session.get(route).text == "x"
        monkeypatch.setenv("http_proxy", proxy.url)
        with pages() as session:
            assert session.get(route).text == "x"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with serve(answer(b"direct")) as server:
            assert get(server).text == "direct"
        assert len(proxy.heads) == 2
        assert "Proxy-Authorization: Basic" in proxy.heads[0]


def test_N16_the_proxies_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """The description of the proxies names where each was set, without passwords."""
    assert Proxies().describe() == ""
    assert Proxies("proxy.example:3128").describe() == "http://proxy.example:3128 (--proxy)"
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128/")
    assert Proxies().describe() == "for https: http://proxy.example:3128 (HTTPS_PROXY)"
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert Proxies().describe() == "http://proxy.example:3128 (http_proxy and HTTPS_PROXY)"
    monkeypatch.setenv("http_proxy", "http://other.example:81")
    assert Proxies().describe().startswith("for http: http://other.example:81 (http_proxy), for https: ")


# ---- stopping


def test_stop_ends_a_wait() -> None:
    """A stop ends the wait that a source asks for."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with serve(answer(status="429 Slow Down", retry_after="100")) as server:
        with SearchSession(pace=0, stop=stop) as asked, pytest.raises(Interrupted):
            asked.get(f"{server.url}/q")
        assert len(server.heads) == 1


def test_stop_ends_a_request() -> None:
    """A stop ends the wait for a page."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with serve([600.0]) as server:
        with SearchSession(pace=0, stop=stop) as asked, pytest.raises(Interrupted):
            asked.get(f"{server.url}/q")
        assert len(server.heads) == 1


# ---- keys


@pytest.mark.parametrize(
    "scenario",
    [
        [5.0],
        ["reset"],
        answer(status="429 Slow Down"),
        answer(status="500 Oops"),
        answer(status="302 Found", location=f"http://127.0.0.1:1/?api_key={KEY}"),
        answer(status="302 Found", location=f"file:///{KEY}"),
        [b"HTTP/1.1 200 OK\r\n\r\n", bytes(3000)],
        answer(b"<html>", content_type="application/json"),
    ],
    ids=["stall", "reset", "429", "500", "private redirect", "file redirect", "too large", "no JSON"],
)
def test_V04_no_key_in_messages(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever fails, no message, hint, log line or exception chain contains a key."""
    caplog.set_level(logging.DEBUG)
    messages: list[str] = []
    path = f"/q?api_key={KEY}&api_sig={KEY}"
    with (
        HostileServer({path: scenario}) as server,
        pages(say=messages.append, limits=PageLimits(idle=1, body=2000)) as session,
        pytest.raises(HarvestError) as caught,
    ):
        session.get(
            f"{server.url}/q",
            params={"api_key": KEY, "api_sig": KEY},
            headers={"Authorization": f"OAuth {KEY}"},
        ).json()
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error} {error!r} {getattr(error, 'hint', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert KEY not in " ".join(messages) + caplog.text


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel–", "x\r\nHost: evil.example"])
def test_V04_key_that_cannot_be_sent(key: str) -> None:
    """A key with a line break or invalid characters is an error that does not show it."""
    with serve(answer(b"x")) as server, pages() as session:
        with pytest.raises(Unreachable) as caught:
            session.get(f"{server.url}/q", headers={"Authorization": key})
        assert not server.heads
    assert "two" not in str(caught.value)
    assert "schl" not in str(caught.value)


def test_V04_page_address_without_key() -> None:
    """The URL of a page has its keys redacted, and everything else unchanged."""
    path = f"/q?api_key={KEY}&first=36"
    with HostileServer({path: answer(b"x")}) as server:
        assert get(server, path).url == f"{server.url}/q?api_key=…&first=36"


def test_V04_key_stays_with_its_host() -> None:
    """Headers that may contain a key are not sent to another server after a redirect; the User-Agent is."""
    route = "http://elsewhere.example.test/b"
    first = answer(status="302 Found", location=route)
    with HostileServer({"http://api.example.test/q": first, route: answer(b"x")}) as proxy:
        with pages(proxy=proxy.url) as session:
            session.get("http://api.example.test/q", headers={"Authorization": KEY, "X-Key": KEY, "User-Agent": "ua"})
        assert KEY in proxy.heads[0]
        assert KEY not in proxy.heads[1]
        assert "User-Agent: ua" in proxy.heads[1]


# ---- JSON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "{",
        "1",
        '"text"',
        "null",
        '{"a": NaN}',
        '{"a": Infinity}',
        "[" * 100_000,
        "[" * 100 + "]" * 100,
        '{"a":' * 65 + "{}" + "}" * 65,
        "[" + "9" * 5000 + "]",
        '{"a": 1} {"b": 2}',
    ],
)
def test_V07_hostile_json(text: str) -> None:
    """Invalid, too deep or other JSON is `PageChanged`, with the page for a bug report."""
    with pytest.raises(PageChanged) as caught:
        SearchPage("https://api.example.org/", 200, text, {}).json()
    assert caught.value.page == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Invalid taxonKey: many\n", "answers HTTP 400: Invalid taxonKey: many"),
        ("two\x1b[2J\r\n lines " + "x" * 10**6, "answers HTTP 400: two [2J lines xxxxxxxxxx"),
        ("<h1>Bad Request</h1>", "(HTTP 400) is not valid JSON."),
        ('{"detail": ', "(HTTP 400) is not valid JSON."),
        ("", "(HTTP 400) is not valid JSON."),
    ],
)
def test_an_error_in_plain_text_is_shown(text: str, shown: str) -> None:
    """Where JSON is expected, an error in plain text is shown in one line of limited length."""
    with pytest.raises(PageChanged) as caught:
        SearchPage("https://api.example.org/a", 400, text, {}).json()
    assert shown in caught.value.message
    assert len(caught.value.message) < 400


def test_V07_real_json() -> None:
    """Ordinary JSON is parsed."""
    value = {"photos": {"photo": [{"id": "1", "tags": [["a"], ["b"]], "views": 3.5, "none": None}]}}
    assert SearchPage("https://api.example.org/", 200, json.dumps(value), {}).json() == value


def peak_of_refusal(session: SearchSession, url: str) -> int:
    import tracemalloc  # noqa: PLC0415

    tracemalloc.start()
    try:
        with pytest.raises(PageChanged, match="larger than"):
            session.get(url)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
