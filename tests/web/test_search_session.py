"""Search pages against hostile servers: each fault ends in its error, within its limits, and tells no key."""

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
from harvest.web.proxies import proxy_in_use
from harvest.web.search_session import PageLimits, SearchPage, SearchSession
from tests.web_server import HostileServer, Scenario, answer, trickle

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef-secret"
MiB = 2**20


class Waits(list[float]):
    """Takes the place of waiting: remembers how long it would have been."""

    def __call__(self, seconds: float) -> bool:
        """Wait for nothing."""
        self.append(seconds)
        return False


def pages(**options: Any) -> SearchSession:
    return SearchSession(**{"pace": 0, "wait": Waits(), "jitter": lambda: 0.0, **options})


def serve(told: Scenario | list[Scenario], **more: Scenario) -> HostileServer:
    return HostileServer({"/q": told, **{f"/{name}": scenario for name, scenario in more.items()}})


def get(server: HostileServer, path: str = "/q", **options: Any) -> SearchPage:
    with pages(**options) as asked:
        return asked.get(server.url + path)


# ---- what an ordinary source sees and gives


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "401 No", "403 Forbidden", "404 Not Found"])
def test_final_answers(status: str) -> None:
    """Every final answer below 500 is a page: what it means is the provider's to say."""
    with serve(answer(b"text", status, x_left="3")) as server:
        page = get(server)
    assert (page.status, page.text, page.headers["x-left"]) == (int(status[:3]), "text", "3")
    assert page.url == f"{server.url}/q"


def test_honest_request() -> None:
    """We say who we are unless a provider says otherwise, and its other headers go along."""
    with serve(answer(b"x")) as server, pages() as asked:
        asked.get(f"{server.url}/q")
        asked.get(f"{server.url}/q", headers={"user-agent": "someone", "X-Key": "1"})
    assert "User-Agent: classharvest/" in server.heads[0]
    assert "python-requests" not in server.heads[0]
    assert "someone" in server.heads[1]
    assert "classharvest" not in server.heads[1]
    assert "X-Key: 1" in server.heads[1]


def test_parameters_are_encoded() -> None:
    """Parameters reach the source as given, whatever letters they hold."""
    with HostileServer({"/q?text=king+%26+%C3%BC&page=2": answer(b"x")}) as server, pages() as asked:
        assert asked.get(f"{server.url}/q", params={"text": "king & ü", "page": 2}).text == "x"


def test_cookies_are_kept() -> None:
    """A source sees its own cookies again, also those of a redirect."""
    first = answer(status="302 Found", location="/b", set_cookie="one=1; Path=/")
    with serve(first, b=answer(b"x", set_cookie="two=2; Path=/")) as server, pages() as asked:
        asked.get(f"{server.url}/q")
        asked.get(f"{server.url}/b")
    assert "Cookie: one=1\r\n" in server.heads[1]
    assert "one=1; two=2" in server.heads[2]


def test_pace() -> None:
    """Between two requests of one provider there is its pause, and none before the first."""
    now = [100.0]
    waits = Waits()
    with serve(answer(b"x")) as server, pages(pace=2.5, wait=waits, clock=lambda: now[0]) as asked:
        asked.get(f"{server.url}/q")
        now[0] += 1
        asked.get(f"{server.url}/q")
        now[0] += 9
        asked.get(f"{server.url}/q")
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
    """The text is read in the encoding the page names, where it is one of the web's; reading never fails."""
    with serve(answer(body, content_type=kind)) as server:
        assert get(server).text == text


# ---- faults of the network


@pytest.mark.parametrize("where", ["head", "body", "chunk"])
def test_N02_slow_loris(where: str) -> None:
    """One byte at a time, wherever it is, ends at the page's own deadline."""
    head = b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 500 + b"\r\n"
    told = {
        "head": trickle(head * 9, 0.02),
        "body": [head + b"\r\n", *trickle(b"x" * 1000, 0.02)],
        "chunk": [head + b"Transfer-Encoding: chunked\r\n\r\n", *trickle(b"0" * 1000, 0.02)],
    }[where]
    with serve(told) as server, pytest.raises(Unreachable, match="within 1 s"):
        get(server, limits=PageLimits(idle=0.5, total=1))


def test_N02_late_page_is_dropped() -> None:
    """A page that was given up is read no further, though its server goes on."""
    with serve([b"HTTP/1.1 200 OK\r\n\r\n", *trickle(b"x" * 1000, 0.02)]) as server:
        with pytest.raises(Unreachable):
            get(server, limits=PageLimits(total=0.2))
        for thread in threading.enumerate():
            if thread.name == "page":
                thread.join(60)
                assert not thread.is_alive()


@pytest.mark.parametrize(
    "told",
    [
        [5.0],
        ["reset"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "reset"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 5.0],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"],
        [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"],
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
def test_N03_broken_transfer(told: Scenario) -> None:
    """A broken page is never handed on: it is asked for three times, then the source is out of reach."""
    waits = Waits()
    limits = PageLimits(idle=1 if 5.0 in told else 10)
    with serve(told) as server:
        with pytest.raises(Unreachable, match="asked 3 times"):
            get(server, limits=limits, wait=waits)
        assert len(server.heads) == 3
    assert waits == [1, 2]
    with serve([told, answer(b"whole")]) as server:
        assert get(server, limits=limits).text == "whole"


@pytest.mark.parametrize("place", ["127.0.0.1:1", "[::1]:1"])
def test_N03_nobody_listens(place: str) -> None:
    """A source that does not listen is out of reach."""
    with pages() as asked, pytest.raises(Unreachable, match="out of reach"):
        asked.get(f"http://{place}/q")


@pytest.mark.parametrize(("asked", "least", "most"), [("30", 30, 30), ("119", 119, 119), ("soon", 1, 1)])
def test_N05_retry_after(asked: str, least: float, most: float) -> None:
    """The pause a source asks for is kept, and said while it lasts."""
    said: list[str] = []
    waits = Waits()
    with serve([answer(status="429 Slow Down", retry_after=asked), answer(b"x")]) as server:
        assert get(server, wait=waits, say=said.append, name="Flickr").text == "x"
    assert least <= sum(waits) <= most
    assert said == [f"Flickr refused (429). Waiting {least} s; 2 of 3 tries left. Ctrl-C keeps what you have."]


def test_N05_refused_for_good() -> None:
    """A source that keeps refusing ends as `RateLimited`, with what it asks for."""
    with serve(answer(status="429 Slow Down", retry_after="3")) as server:
        with pytest.raises(RateLimited, match="refused 3 times") as caught:
            get(server)
        assert len(server.heads) == 3
    assert caught.value.retry_after == 3


def test_N05_no_patience() -> None:
    """Asked without patience, a source that refuses is asked once and not waited for."""
    waits = Waits()
    with serve(answer(status="429 Slow Down", retry_after="3")) as server:
        with pytest.raises(RateLimited, match="refused once"), pages(wait=waits) as asked:
            asked.get(f"{server.url}/q", patient=False)
        assert len(server.heads) == 1
    assert not waits


@pytest.mark.parametrize("asked", ["121", str(10 * 365 * 86400), "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_N05_too_much_to_ask(asked: str) -> None:
    """A source that asks for more than two minutes is not waited for."""
    waits = Waits()
    with serve(answer(status="429 Slow Down", retry_after=asked)) as server:
        with pytest.raises(RateLimited, match="asks to wait") as caught:
            get(server, wait=waits)
        assert len(server.heads) == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 120
    assert not waits


def test_N06_failing_server() -> None:
    """A failing source is asked three times, and its page taken when one comes."""
    failing = answer(status="503 Busy")
    with serve([failing, failing, answer(b"x")]) as server:
        assert get(server).text == "x"
    with serve(failing) as server, pytest.raises(Unreachable, match="HTTP 503"):
        get(server)


def test_N08_compression_bomb() -> None:
    """A page that unpacks to more than its limit is cut there, though it is small on the wire."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(MiB)) for _ in range(200)) + packer.flush()
    with (
        serve(
            answer(bomb, content_encoding="gzip"),
            b=answer(gzip.compress(bomb), content_encoding="gzip, gzip"),
        ) as s,
        pages(limits=PageLimits(body=MiB)) as asked,
    ):
        for path in ("/q", "/b"):
            assert peak_of_refusal(asked, s.url + path) < 4 * MiB


def test_N08_gzip_is_welcome() -> None:
    """A page may come packed."""
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
    """Five redirects are followed, the sixth is not, and the page tells where it came from."""
    chain = {f"/{n}": answer(status="302 Found", location=f"/{n + 1}") for n in range(9)}
    with HostileServer({**chain, "/9": answer(b"x")}) as server, pages() as asked:
        assert asked.get(f"{server.url}/4").url == f"{server.url}/9"
        with pytest.raises(Unreachable, match="more than 5 times"):
            asked.get(f"{server.url}/3")


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "javascript:alert(1)", "http://[::1", "http://a:b@example.org/"],
)
def test_N12_redirect_to_another_scheme(location: str) -> None:
    """A search page cannot lead us to anything but a web page."""
    with serve(answer(status="302 Found", location=location)) as server, pytest.raises(Unreachable):
        get(server)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "[::1]", "2130706433", "169.254.169.254"])
def test_N13_redirect_to_a_private_address(host: str) -> None:
    """A search page cannot lead us to a private address, save that of its own server."""
    with serve(answer(b"secret")) as inside:
        location = f"http://{host}:{inside.port}/q"
        with serve(answer(status="302 Found", location=location)) as outside, pytest.raises(Unreachable):
            get(outside)
        assert inside.connections == 0


def test_redirect_body_is_not_read() -> None:
    """Whatever comes with a redirect is left where it is."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: gzip\r\n\r\n"
    with serve([head, *[bytes(64 * 1024)] * 1000], b=answer(b"x")) as server:
        assert get(server, limits=PageLimits(total=2)).text == "x"


def test_N15_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are verified, by the user's own authority too, and a bad one is not asked again."""
    import ssl  # noqa: PLC0415

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with HostileServer({"/q": answer(b"x")}, context) as server:
        with pytest.raises(Unreachable, match=r"certificate.*asked once"):
            get(server)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, str(tmp_path / "ca.pem"))
                assert get(server).text == "x"


@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_N15_unreadable_authorities(content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of authorities that cannot be read is said at once, with the variable that names it."""
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(UsageError, match=r"REQUESTS_CA_BUNDLE names .*ca\.pem"):
        pages()


def test_N16_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment and of the option are obeyed, and so is `NO_PROXY`."""
    route = "http://search.example.test/q"
    with HostileServer({route: answer(b"x")}) as proxy:
        with pages(proxy=f"http://me:pw@{proxy.place}") as asked:
            assert asked.get(route).text == "x"
        monkeypatch.setenv("http_proxy", proxy.url)
        with pages() as asked:
            assert asked.get(route).text == "x"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with serve(answer(b"direct")) as server:
            assert get(server).text == "direct"
        assert len(proxy.heads) == 2
        assert "Proxy-Authorization: Basic" in proxy.heads[0]


def test_N16_proxy_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """People are told which proxy is in use and who named it, without its password."""
    assert proxy_in_use() == ""
    assert proxy_in_use("proxy.example:3128") == "http://proxy.example:3128 (--proxy)"
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128/")
    assert proxy_in_use() == "for https: http://proxy.example:3128 (HTTPS_PROXY)"
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert proxy_in_use() == "http://proxy.example:3128 (http_proxy and HTTPS_PROXY)"
    monkeypatch.setenv("http_proxy", "http://other.example:81")
    assert proxy_in_use().startswith("for http: http://other.example:81 (http_proxy), for https: ")


# ---- stopping


def test_stop_ends_a_wait() -> None:
    """Who stops does not wait for a source's pause."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with serve(answer(status="429 Slow Down", retry_after="100")) as server:
        with SearchSession(pace=0, stop=stop) as asked, pytest.raises(Interrupted):
            asked.get(f"{server.url}/q")
        assert len(server.heads) == 1


def test_stop_ends_a_request() -> None:
    """Who stops does not wait for a page either."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with serve([600.0]) as server:
        with SearchSession(pace=0, stop=stop) as asked, pytest.raises(Interrupted):
            asked.get(f"{server.url}/q")
        assert len(server.heads) == 1


# ---- keys


@pytest.mark.parametrize(
    "told",
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
def test_V04_no_key_in_messages(told: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong, no message, hint, log line or chain of errors holds a key."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    path = f"/q?api_key={KEY}&api_sig={KEY}"
    with (
        HostileServer({path: told}) as server,
        pages(say=said.append, limits=PageLimits(idle=1, body=2000)) as asked,
        pytest.raises(HarvestError) as caught,
    ):
        asked.get(
            f"{server.url}/q",
            params={"api_key": KEY, "api_sig": KEY},
            headers={"Authorization": f"OAuth {KEY}"},
        ).json()
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error} {error!r} {getattr(error, 'hint', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert KEY not in " ".join(said) + caplog.text


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel–", "x\r\nHost: evil.example"])
def test_V04_key_that_cannot_be_sent(key: str) -> None:
    """A key with a line break or strange letters in it is an error of ours, and is not shown."""
    with serve(answer(b"x")) as server, pages() as asked:
        with pytest.raises(Unreachable) as caught:
            asked.get(f"{server.url}/q", headers={"Authorization": key})
        assert not server.heads
    assert "two" not in str(caught.value)
    assert "schl" not in str(caught.value)


def test_V04_page_address_without_key() -> None:
    """The address a page carries has its keys blotted out, and everything else in place."""
    path = f"/q?api_key={KEY}&first=36"
    with HostileServer({path: answer(b"x")}) as server:
        assert get(server, path).url == f"{server.url}/q?api_key=…&first=36"


def test_V04_key_stays_with_its_host() -> None:
    """Headers that may hold a key do not follow a redirect to another server; what names us does."""
    route = "http://elsewhere.example.test/b"
    first = answer(status="302 Found", location=route)
    with HostileServer({"http://api.example.test/q": first, route: answer(b"x")}) as proxy:
        with pages(proxy=proxy.url) as asked:
            asked.get("http://api.example.test/q", headers={"Authorization": KEY, "X-Key": KEY, "User-Agent": "ua"})
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
    """JSON that is none, too deep, or of another kind is `PageChanged`; the page is kept for a report."""
    with pytest.raises(PageChanged) as caught:
        SearchPage("https://api.example.org/", 200, text, {}).json()
    assert caught.value.page == text


def test_V07_real_json() -> None:
    """Ordinary JSON is read as it is."""
    value = {"photos": {"photo": [{"id": "1", "tags": [["a"], ["b"]], "views": 3.5, "none": None}]}}
    assert SearchPage("https://api.example.org/", 200, json.dumps(value), {}).json() == value


def peak_of_refusal(asked: SearchSession, url: str) -> int:
    import tracemalloc  # noqa: PLC0415

    tracemalloc.start()
    try:
        with pytest.raises(PageChanged, match="larger than"):
            asked.get(url)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
