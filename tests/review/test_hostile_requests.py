"""Requests that do not come from the page: other hosts, other sites, no token, paths, forms, and too much."""

from __future__ import annotations

import io
import json
import resource
import sqlite3
import sys
import threading
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

from harvest.dataset import Dataset
from tests.datasets import a_hit, a_query, fill, find, jpeg, name, tree
from tests.review.reviews import PATIENCE, TOKEN, Review

if TYPE_CHECKING:
    from pathlib import Path

PATHS = ("/", "/static/index.html", "/api/state", "/api/items", "/api/groups", "/api/item/1", "/api/changes?since=0")
IMAGES = ("/thumb/1-00000000", "/image/1")


def request_line(review: Review, host: str | None, path: str = "/api/state", *more: str) -> bytes:
    """Return a request with the cookie of the page."""
    lines = [
        f"GET {path} HTTP/1.1",
        *([] if host is None else [f"Host: {host}"]),
        f"Cookie: harvest_review_{review.port}={TOKEN}",
        "Connection: close",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_W01_only_the_hosts_of_the_link(review: Review) -> None:
    """The names of this machine with the port of the server are accepted, and nothing else."""
    for host in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert status(review.raw(request_line(review, f"{host}:{review.port}"))) == 200
    others = ["evil.example", f"evil.example:{review.port}", "localhost", "127.0.0.1", f"localhost:{review.port + 1}"]
    others += [f"192.0.2.7:{review.port}", f"localhost.evil.example:{review.port}", "", "a b", f"localhost:{'1' * 99}"]
    for host in others:
        assert status(review.raw(request_line(review, host))) in (400, 403), host
    assert status(review.raw(request_line(review, None))) in (400, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    ],
)
def test_W02_only_the_page_may_decide(review: Review, root: Path, headers: dict[str, str]) -> None:
    """A POST that the page does not send, with the right cookie, is refused and changes nothing."""
    before = tree(root)
    document = {"since": 0, "action": "reject", "ids": [1]}
    for path in ("/api/decide", "/api/undo", "/api/redo"):
        assert review.client.post(path, json=document, headers=headers).status_code == 403
    assert tree(root) == before


def test_W02_only_json_by_post(review: Review, root: Path) -> None:
    """A form, a text, and other methods are refused; the matching Origin is enough for the page."""
    before = tree(root)
    own = {"Sec-Fetch-Site": "same-origin"}
    body = json.dumps({"since": 0, "action": "reject", "ids": [1]})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = review.client.post("/api/decide", content=body, headers={"Content-Type": kind} | own)
        assert response.status_code == 403
    for method in ("PUT", "DELETE", "PATCH"):
        assert review.client.request(method, "/api/decide", headers=own).status_code == 405
        assert review.client.request(method, "/api/decide").status_code == 403
    assert review.client.get("/api/decide", headers=own).status_code == 405
    assert tree(root) == before
    origin = {"Origin": f"http://127.0.0.1:{review.port}"}
    assert review.client.post("/api/decide", json=json.loads(body), headers=origin).status_code == 200


def test_W02_pages_of_other_sites_cannot_read(review: Review) -> None:
    """A page of another site, also of another program on this machine, gets no image and no answer."""
    for path in (*PATHS[1:], *IMAGES):
        for site in ("cross-site", "same-site"):
            assert review.client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403


def test_W03_nothing_without_the_token(review: Review) -> None:
    """Without the cookie, or with a wrong one, nothing is answered; the link gives a strict cookie."""
    with httpx.Client(base_url=review.listener.url, trust_env=False, timeout=PATIENCE) as other:
        for cookie in ("", TOKEN[:-1], f"{TOKEN}x", "é", TOKEN.upper()):
            headers = {"Cookie": f"harvest_review_{review.port}={cookie}".encode()}
            for path in (*PATHS, *IMAGES, f"/?token={TOKEN[:-1]}", "/?token=", f"/api/state?token={TOKEN}"):
                response = other.get(path, headers=headers)
                assert response.status_code == 401, path
                assert "set-cookie" not in response.headers
        own = {"Sec-Fetch-Site": "same-origin"}
        assert other.post("/api/decide", json={}, headers=own).status_code == 401
        link = other.get("/", params={"token": TOKEN})
    assert link.headers["location"] == "/"
    cookie = link.headers["set-cookie"].lower()
    assert f"harvest_review_{review.port}=" in cookie
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize(
    "path",
    [
        "/image/..%2f..%2fetc%2fpasswd",
        "/image/../../etc/passwd",
        "/image/1%00",
        "/image/-1",
        "/image/1e3",
        "/image/٣",
        "/image/99999999999999999999",
        "/image/%5c%5cserver%5cshare",
        "/thumb/1-..%2f..%2fx",
        "/static/..%2freview_app.py",
        "/static/%2e%2e%2freview_app.py",
        "/static/../review_app.py",
        "/static/",
        "/api/item/king%2fa.jpg",
        "/harvest.db",
    ],
)
def test_W04_no_path_reaches_the_disk(review: Review, path: str) -> None:
    """Images are named by id: a path, in any spelling, is not found."""
    answer = review.raw(request_line(review, f"localhost:{review.port}", path))
    assert status(answer) in (400, 404)
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege")
def test_W04_links_are_not_followed(review: Review, root: Path, tmp_path: Path) -> None:
    """A symbolic link in the place of an image, or of its folder, is not served."""
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(999))
    files = review.files(**{"class": "king"})
    (root / "king" / name(3)).unlink()
    (root / "king" / name(3)).symlink_to(secret)
    assert review.client.get(f"/image/{files[f'king/{name(3)}']}").status_code == 404
    (root / "king").rename(tmp_path / "elsewhere")
    (root / "king").symlink_to(tmp_path / "elsewhere")
    assert review.client.get(f"/image/{files[f'king/{name(4)}']}").status_code in (404, 503)


def test_W05_texts_stay_texts(root: Path) -> None:
    """Names and titles are JSON that is never HTML, addresses are of the web, and scripts are only the page's own."""
    evil = "'><img src=x onerror=alert(1)>"
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE hit SET title = ?1, author = ?1, page = 'javascript:alert(1)'", (evil,))
    with Review(root) as review:
        response = review.client.get("/api/item/1")
        item = response.json()
        assert (item["title"], item["author"], item["page"]) == (evil, evil, None)
        assert response.headers["content-type"] == "application/json"
        for path in ("/api/item/1", "/api/state", "/image/1", "/nothing"):
            headers = review.client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]


def test_W05_only_images_are_sent(review: Review, root: Path) -> None:
    """A file with the suffix of an image that is a page or an SVG is not sent."""
    for number, content in enumerate((b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<!doctype html><p>", b"")):
        (root / "king" / f"evil{number}.jpg").write_bytes(content)
    review.get("/api/changes", since=0)
    files = {path: number for path, number in review.files(**{"class": "king"}).items() if "evil" in path}
    assert len(files) == 3
    for number in files.values():
        response = review.client.get(f"/image/{number}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"action": "delete", "ids": [1]},
        {"action": "reject", "ids": "1"},
        {"action": "reject", "ids": ["1"]},
        {"action": "reject", "ids": [True]},
        {"action": "reject", "ids": [-1]},
        {"action": "reject", "ids": [10**30]},
        {"action": "reject", "ids": [1], "since": "x"},
        {"action": "move", "ids": [1], "value": "../king"},
        {"action": "move", "ids": [1], "value": ""},
        {"action": "move", "ids": [1], "value": "harvest.db"},
        {"action": "move", "ids": [1], "value": 5},
        {"action": "rate", "ids": [1], "value": 10},
        {"action": "rate", "ids": [1], "value": "5"},
        {"action": "settle", "ids": [1], "keep": [2]},
    ],
)
def test_invalid_decisions_are_refused(review: Review, root: Path, document: object) -> None:
    """A decision of wrong types or values is refused with a sentence, and changes nothing."""
    before = tree(root)
    response = review.send("/api/decide", document)
    assert response.status_code == 400
    assert response.json().keys() == {"error", "hint"}
    assert tree(root) == before


def test_too_much_is_refused(review: Review) -> None:
    """A request of many megabytes is refused before it is parsed."""
    response = review.send("/api/decide", {"since": 0, "action": "reject", "ids": list(range(10**6, 10**6 + 400_000))})
    assert response.status_code == 413


def test_W06_two_tabs(review: Review, root: Path) -> None:
    """A decision that another tab has made already changes nothing, and the answer brings the tab up to date."""
    first, second = review.ids(**{"class": "king"})[:2]
    start = review.get("/api/state")["seq"]
    review.seq = start
    review.decide("reject", [first, second])
    review.seq = start
    answer = review.decide("reject", [first, first])
    assert answer["failed"] == []
    assert sorted(answer["items"]["id"]) == sorted([first, second])
    assert answer["items"]["state"] == ["rejected"] * 2
    assert len(tree(root.with_name("dataset.rejected"))) == 2
    review.post("/api/undo")
    assert len(tree(root)) == 35
    assert review.send("/api/undo", {"since": 0}).status_code == 409


def test_W06_an_image_that_is_gone_is_reported(review: Review, root: Path) -> None:
    """A decision about an image whose file and row are gone is in `failed`, and the others are carried out."""
    number = review.ids()[0]
    answer = review.decide("keep", [number, 10**6])
    assert [each["id"] for each in answer["failed"]] == [10**6]
    assert review.get(f"/api/item/{number}")["decisions"][0]["action"] == "keep"
    assert len(tree(root)) == 35


def test_W07_decisions_while_a_get_places_images(root: Path) -> None:
    """Images can be rejected while a harvest places others in the same dataset: none is lost, and none comes back."""
    with Review(root) as review, Dataset.open(root, create=True, exclusive=True) as harvesting:
        placer = threading.Thread(
            target=lambda: [fill(harvesting, "king", range(n, n + 5), "FLICKR") for n in range(200, 300, 5)]
        )
        placer.start()
        ids = review.ids(**{"class": "king"})
        for number in ids:
            assert review.decide("reject", [number])["failed"] == []
        placer.join(PATIENCE)
        changes = review.get("/api/changes", since=0)
        assert changes["state"]["queues"]["rejected"] == len(ids)
        assert changes["state"]["queues"]["all"] == 10 + 100
        tasks = find(harvesting, [a_hit(number) for number in range(25)], text="again")
        assert tasks == []
    assert len(tree(root.with_name("dataset.rejected"))) == len(ids)
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}
        assert dataset.begin_search(a_query(), "BING", 1).finished


def fill_ledger(root: Path, count: int) -> None:
    """Add rows of images without files, as a large dataset has."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(picture)")]
        own = {"id": "number", "name": "'bing-' || number || '.jpg'", "content": "printf('%064x', number)"}
        values = ", ".join(own.get(column, f'"{column}"') for column in columns)
        ledger.execute(
            "WITH RECURSIVE numbers(number) AS (SELECT 1001 UNION ALL SELECT number + 1 FROM numbers"
            f" WHERE number < {1000 + count})"
            f" INSERT INTO picture SELECT {values} FROM numbers, (SELECT * FROM picture WHERE id = 1)"
        )


def peak_memory() -> int:
    """Return the bytes of memory that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_W08_fifty_thousand_images(root: Path) -> None:
    """A list of 50,000 images is a few megabytes of columns, and the tenth list takes no more memory than the first."""
    fill_ledger(root, 50_000)
    with Review(root) as review:
        first = review.client.get("/api/items")
        assert len(first.json()["id"]) == 50_035
        assert len(first.content) < 8 << 20
        assert "are gone" in review.get("/api/state")["done"]["warnings"][0], "their files are missing"
        before = peak_memory()
        for _ in range(9):
            review.client.get("/api/items")
            review.decide("rate", [1], value=5)
            review.decide("rate", [1], value=6)
        assert peak_memory() - before < 64 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_W08_huge_images(root: Path) -> None:
    """The thumbnail of 48 megapixels takes little memory, and an image that claims 10,000 is refused by its header."""
    Image.new("L", (12_000, 4_000), 90).save(root / "king" / "huge.jpg")
    bomb = io.BytesIO()
    Image.new("L", (1, 1)).save(bomb, "PNG")
    data = bytearray(bomb.getvalue())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (root / "king" / "bomb.png").write_bytes(data)
    with Review(root) as review:
        items = review.get("/api/items")
        names = {review.get(f"/api/item/{number}")["name"]: number for number in items["id"]}
        versions = dict(zip(items["id"], items["v"], strict=True))
        before = peak_memory()
        huge, bad = (names[each] for each in ("huge.jpg", "bomb.png"))
        thumb = review.client.get(f"/thumb/{huge}-{versions[huge]}")
        assert Image.open(io.BytesIO(thumb.content)).size == (240, 80)
        assert review.client.get(f"/thumb/{bad}-{versions[bad]}").status_code == 404
        assert review.client.get(f"/image/{bad}").status_code == 404
        assert peak_memory() - before < 64 << 20
