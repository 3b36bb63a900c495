"""Damaged HTTP answers of image hosts through `get`: status lines, headers, lengths, encodings, redirects."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.bench.fuzzing.image_files import images
from tests.bench.fuzzing.mutations import damage
from tests.bench.fuzzing.web import Raw, damaged_head, hurry, listening, odd_address
from tests.web import Answer, Internet

if TYPE_CHECKING:
    from tests.bench.fuzzing.bench import Bench
    from tests.internet.proxy_server import Request

NAME = "answers"
HOSTS = 30
EACH = 4  # URLs per host: a host that fails more often is not contacted again
ODD = 10  # malformed URLs


def prepare(_bench: Bench) -> None:
    """Draw the images that hosts serve."""
    images()


def case(bench: Bench) -> int:
    """Download from hosts of which every response is damaged; return how many URLs there were."""
    rng = bench.draw(NAME)
    internet = Internet()
    for number in range(HOSTS):
        internet.sites[f"img{number}.fuzz.test"] = lambda request, seed=bench.seed: answer(request, seed)
    urls = [
        f"{rng.choice(('http', 'http', 'https'))}://img{number % HOSTS}.fuzz.test/{number}.jpg"
        for number in range(HOSTS * EACH)
    ]
    urls += [f"http://é{number}.fuzz.test/{number}.jpg" for number in range(2)]
    urls += [odd_address(rng) for _ in range(ODD)]
    lines = "\n".join(url.replace("\n", "").replace("\r", "") for url in urls)
    (bench.workdir / "urls.txt").write_text(lines, "utf-8", errors="replace")
    (bench.workdir / "snakes.csv").write_text("class,query\nking,urls.txt\n", "utf-8")
    with listening(bench, internet):
        bench.harvest(
            *("get", "-c", "URLS", "--min-size", 1, rng.choice(("-q", "-v")), *_log(rng), "snakes.csv"),
            before=hurry,
        )
    return len(urls)


def _log(rng: Random) -> tuple[str, ...]:
    return ("--log", "dataset.raw") if rng.random() < 0.3 else ()


def answer(request: Request, seed: int) -> Answer:
    """Answer one request, depending on its URL and the seed of the case."""
    rng = Random(f"{seed} {request.path} {request.attempt}")
    if rng.random() < 0.1 or request.path == "/1.jpg":
        return Answer(images()["camera.jpg"], kind="image/jpeg")
    body = rng.choice((images()["camera.jpg"], images()["profile.png"], b"", b"<html>", _chunked(rng)))
    kind = rng.choice((b"image/jpeg", b"image/png", b"text/html"))
    head = damaged_head(kind, len(body), rng, _target)
    return Raw(damage(body, rng) if rng.random() < 0.1 else body, raw=head)


def _target(rng: Random) -> str:
    return odd_address(rng) if rng.random() < 0.8 else f"https://img{rng.randrange(HOSTS)}.fuzz.test/1.jpg"


def _chunked(rng: Random) -> bytes:
    body = images()["profile.png"]
    sizes = (b"%x" % len(body), b"-1", b"zz", b"f" * 40, b"%x;a=\xff" % len(body), b"0")
    return rng.choice(sizes) + b"\r\n" + body + b"\r\n0\r\n" + rng.choice((b"\r\n", b"A: \xff\r\n\r\n", b""))
