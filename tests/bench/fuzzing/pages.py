"""Damaged pages of every search provider through `get`: HTML, JSON, headers, and pages saved from a browser."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from tests.bench.fuzzing.mutations import TEXTS, damage, damage_json
from tests.bench.fuzzing.web import Raw, damaged_head, hurry, listening, odd_address
from tests.web import Answer, Internet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.fuzzing.bench import Bench
    from tests.internet.proxy_server import Request

NAME = "pages"
QUERIES = ("micrurus tener", "scarlet king snake", "milk snake", "corn snake")
SERVICES = (
    *("bing", "flickr", "openverse", "commons", "inaturalist", "gbif", "google", "custom_search", "serpapi"),
    *("brave", "duckduckgo", "baidu", "searxng", "serper", "pexels", "pixabay", "naver"),
)
NAMES = (
    "BING",
    "FLICKR",
    "OPENVERSE",
    "COMMONS",
    "INATURALIST",
    "GBIF",
    "GOOGLE",
    "BRAVE",
    "DUCKDUCKGO",
    "BAIDU",
    "SEARXNG",
    "PEXELS",
    "PIXABAY",
    "NAVER",
)
_TAG = re.compile(r"<[^<>]{1,4000}>")
_VALUE = re.compile(r'"[^"<>]{0,4000}"')
_JSON = re.compile(r"\{[^<>]{20,40000}\}")


def prepare(_bench: Bench) -> None:
    """Draw the images that the test Internet serves."""
    Internet().addresses(1)


def case(bench: Bench) -> int:
    """Send a few queries to every provider; return how many searches there were."""
    rng = bench.draw(NAME)
    internet = Internet()
    for name in SERVICES:
        service = getattr(internet, name)
        for query in QUERIES:
            service.add_results(query, 3)
        internet.sites[service.host] = _damaged(service.answer, f"{bench.seed} {name}")
    keys = {
        "FLICKR_API_KEY": internet.flickr.key,
        "BRAVE_API_KEY": internet.brave.key,
        "HARVEST_CONTACT": "ada@example.org",
        "SEARXNG_URL": internet.searxng.url,
        "PEXELS_API_KEY": internet.pexels.key,
        "PIXABAY_API_KEY": internet.pixabay.key,
        "NAVER_API_HUB_CLIENT_ID": internet.naver.client_id,
        "NAVER_API_HUB_CLIENT_SECRET": internet.naver.client_secret,
        **rng.choice(
            (
                {},
                {"SERPAPI_API_KEY": internet.serpapi.key},
                {
                    "GOOGLE_API_KEY": internet.custom_search.key,
                    "GOOGLE_CSE_ID": internet.custom_search.engine,
                },
            )
        ),
    }
    words = [word for name in NAMES for word in ("-c", name)]
    if rng.random() < 0.2:
        saved = bench.workdir / "inputs"
        saved.mkdir()
        body = damage_page(internet.google.saved(internet.google.result_lists[QUERIES[0]]).encode(), rng)
        (saved / f"{QUERIES[0]} - Google Search.html").write_bytes(body)
        words += ["--google-pages", "inputs"]
    words += rng.choice(([], ["--license", "open"], ["--photos", "--color", "red"], ["--since", "2020-01-01"]))
    rows = "".join(f"{query.replace(' ', '_')},{query}\n" for query in QUERIES)
    (bench.workdir / "snakes.csv").write_text(f"class,query\n{rows}", "utf-8")
    with listening(bench, internet):
        bench.environ |= keys
        bench.harvest("get", *words, "--min-size", 1, "-m", 3, "snakes.csv", before=hurry)
    return len(NAMES) * len(QUERIES)


def _damaged(answer: Callable[[Request], Answer], seed: str) -> Callable[[Request], Answer]:
    """Damage most responses of a service, depending on the seed and their number."""
    asked: Counter[str] = Counter()

    def damaged(request: Request) -> Answer:
        asked[request.host] += 1
        rng = Random(f"{seed} {asked[request.host]}")
        given = answer(request)
        if not isinstance(given.body, bytes) or rng.random() < 0.15:
            return given
        body = damage_page(given.body, rng)
        kind = given.kind.encode("latin-1")
        if rng.random() < 0.1:
            kind = rng.choice(
                (
                    b"text/html; charset=utf-16",
                    b"text/html; charset=x",
                    b"image/png",
                    b"",
                    b"application/json; charset=utf-7",
                )
            )
        if rng.random() < 0.2:
            return Raw(body, raw=damaged_head(kind, len(body), rng, _target))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        return Raw(body, raw=head % len(body))

    return damaged


def _target(rng: Random) -> str:
    return odd_address(rng) if rng.random() < 0.8 else "https://www.bing.com/images/search?q=1"


def damage_page(body: bytes, rng: Random) -> bytes:
    """Damage the structure of an HTML or JSON page, or its bytes."""
    if rng.random() < 0.15:
        return damage(body, rng)
    text = body.decode("utf-8", "replace")
    if text.lstrip()[:1] in {"{", "["}:
        return damage_json(text, rng, odd_address(rng), "<b onload=alert(1)>", "999999999x999999999", "2020-99-99")
    for _ in range(rng.choice((1, 2, 5))):
        text = _damage_html(text, rng)
    return text.encode("utf-8", "surrogatepass")


def _damage_html(text: str, rng: Random) -> str:
    pattern = rng.choice((_TAG, _VALUE, _JSON))
    found = list(pattern.finditer(text))
    if not found:
        return text
    piece = rng.choice(found)
    if pattern is _JSON:
        new = damage_json(piece[0], rng, odd_address(rng)).decode("utf-8", "replace")
    elif pattern is _TAG:
        new = rng.choice(("", piece[0] * 2, "<div" * 500, "<!--", f"{piece[0]}<script>", "</html>", "<![CDATA["))
    else:
        new = (
            '"' + rng.choice((*TEXTS, odd_address(rng), "&#0;", "&#x110000;", "&quot;{", "{&quot;murl&quot;:5}")) + '"'
        )
    return text[: piece.start()] + new + text[piece.end() :]
