"""The built-in source: what it draws and serves, and what it breaks on purpose."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from io import BytesIO
from itertools import combinations
from urllib.parse import urlsplit

import pytest
from PIL import Image

from harvest.duplicates.fingerprint import compute_fingerprint
from harvest.duplicates.index import find_duplicates
from harvest.licences import Evidence, LicenceFilter
from harvest.models import Query
from harvest.providers.sample import Sample, render_response
from harvest.providers.sample_drawing import (
    COLOURS,
    SHAPES,
    draw,
    parse_shape,
)
from tests.providers.pages import FakePages

CIRCLES = Query("red circle", "red_circle")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def sample():
    provider = Sample({})
    yield provider
    provider.close()


def refuse(url):
    raise AssertionError(f"asked for {url}")


def search(provider, query=CIRCLES):
    return provider.search(query, FakePages(refuse))


def get(url):
    try:
        with DIRECT.open(url, timeout=60) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_every_hit_is_at_the_one_trusted_place(sample):
    """All URLs of a search are at the provider's own loopback port, and no page is requested."""
    hits = list(search(sample))
    assert len(hits) == Sample.most == 120
    assert {urlsplit(hit.url).netloc for hit in hits} == sample.trusted_hosts
    (place,) = sample.trusted_hosts
    assert place.startswith("127.0.0.1:")


def test_hits_are_the_same_in_every_run():
    """Another run on another port gives the same source keys in the same order, so that nothing is new."""
    first, second = Sample({}), Sample({})
    try:
        assert [hit.source for hit in search(first)] == [hit.source for hit in search(second)]
        assert first.trusted_hosts != second.trusted_hosts
        assert len({hit.source for hit in search(first)}) == 120
    finally:
        first.close()
        second.close()


def test_hits_state_author_licence_and_title(sample):
    """A drawing is CC0, stated, with an author and the query as its title."""
    hit = next(search(sample))
    assert hit.licence.allows(LicenceFilter.PUBLIC_DOMAIN)
    assert hit.licence.evidence is Evidence.STATED
    assert hit.author
    assert hit.title == "red circle 1"


def test_what_is_served_is_like_the_web(sample):
    """One query gives mostly images, with some dead links, HTML pages and tiny images."""
    kinds = Counter()
    for hit in search(sample):
        status, kind, body = get(hit.url)
        if status != 200:
            kinds["dead"] += 1
        elif not body.startswith(b"\xff\xd8"):
            assert b"<!DOCTYPE html>" in body
            assert kind == "image/jpeg"
            kinds["page"] += 1
        else:
            with Image.open(BytesIO(body)) as image:
                kinds["tiny" if max(image.size) < 50 else "picture"] += 1
    assert kinds == {"picture": 102, "dead": 6, "page": 6, "tiny": 6}


@pytest.mark.parametrize("number", [4, 17, 24, 117])
def test_duplicates_are_the_image_before_in_other_bytes(number):
    """A duplicate looks like the image before it and has other bytes."""
    _, _, copy = render_response("red circle", number)
    _, _, before = render_response("red circle", number - 1)
    assert copy != before
    assert len(copy) < len(before)
    with Image.open(BytesIO(copy)) as small, Image.open(BytesIO(before)) as large:
        assert len(find_duplicates([compute_fingerprint(small), compute_fingerprint(large)]).pairs) == 1


def test_drawings_are_the_same_for_the_same_query_and_number():
    """A drawing depends only on its query and number."""
    wanted = render_response("king snake", 7)
    render_response("red circle", 1)
    assert render_response("king snake", 7) == wanted
    assert render_response("king snake", 8) != wanted
    assert render_response("coral snake", 7) != wanted


@pytest.mark.parametrize("query", ["red circle", "black square", "white star", "coral snake", "triangle"])
def test_drawings_of_one_query_are_not_duplicates(query):
    """No two distinct images of a query count as duplicates."""
    looks = [compute_fingerprint(draw(query, number)) for number in range(1, 61)]
    assert find_duplicates(looks).pairs.tolist() == []


@pytest.mark.parametrize("colour", COLOURS)
def test_the_colour_is_in_the_picture(colour):
    """An image of a colour has a large area in that colour."""
    image = draw(f"{colour} circle", 3).resize((64, 64))
    near = sum(math.dist(pixel, COLOURS[colour]) < 60 for pixel in pixels(image))
    assert near > 0.05 * 64 * 64


def pixels(image):
    data = image.tobytes()
    return [tuple(data[i : i + 3]) for i in range(0, len(data), 3)]


def test_shapes_differ():
    """Corner by corner no two shapes are the same."""
    assert all(list(first) != list(second) for first, second in combinations(SHAPES.values(), 2))


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("red circle", ("red", "circle")),
        ("RED Circles", ("red", "circle")),
        ("blue_square", ("blue", "square")),
        ('"green triangle" -circle -red', ("green", "triangle")),
        ("gray", ("grey", None)),
        ("a star", (None, "star")),
        ("coral snake", (None, None)),
        ("", (None, None)),
    ],
)
def test_a_query_is_understood(query, meant):
    """Colour and shape are found in any case and number, but not in negative terms."""
    assert parse_shape(query) == meant


@pytest.mark.parametrize("text", ["..", "a/b", "a?b#c", "ü 蛇", 'x" <b>', "%2F", "a\nb", "x" * 500])
def test_any_query_can_be_served(sample, text):
    """The URL for any query text leads to its own image."""
    hit = next(search(sample, Query(text, "x")))
    assert get(hit.url)[2] == render_response(text, 1)[2]


@pytest.mark.parametrize(
    "path", ["/", "/1", "/1/", "/x/red.jpg", "/-1/red.jpg", "/1/red.png", "/../etc/passwd", "/²/a.jpg"]
)
def test_other_addresses_are_not_found(sample, path):
    """The server serves its own URLs and no files."""
    (place,) = sample.trusted_hosts
    with socket.create_connection(place.split(":"), timeout=60) as caller:
        caller.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode("latin-1", "replace"))
        assert caller.makefile("rb").readline().split()[1] == b"404"


def test_a_caller_that_hangs_up_is_no_noise(sample, capfd):
    """Nothing is printed when a client disconnects, and the next one is served."""
    hit = next(search(sample))
    place = urlsplit(hit.url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as caller:
        caller.sendall(f"GET {place.path} HTTP/1.0\r\n\r\n".encode())
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset at once
    assert get(hit.url)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_closing_frees_the_port():
    """After closing, the port is closed, and another search opens a new one."""
    provider = Sample({})
    (place,) = provider.trusted_hosts
    provider.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place.split(":"), timeout=60)
    assert provider.trusted_hosts
    provider.close()


def test_the_registry_does_not_load_pillow_or_flickrapi():
    """Listing the providers imports none of their libraries."""
    code = (
        "import sys; from harvest import providers; providers.names(); "
        "sys.exit(bool({'PIL', 'flickrapi', 'bs4', 'requests', 'http.server'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
