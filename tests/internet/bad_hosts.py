"""Behaviours of bad hosts: no image, a truncated or endless one, or one that must be refused."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from itertools import repeat
from typing import TYPE_CHECKING

from PIL import Image

from harvest.verdicts import Verdict
from tests.internet.host_behaviour import JPEG, host_behaviour, picture
from tests.internet.proxy_server import FOREVER, Answer, End

if TYPE_CHECKING:
    from tests.internet.drawing import Photo
    from tests.internet.proxy_server import Part, Request

PAUSE = 0.05  # before closing, so that the sent bytes arrive


# ---- responses that are not images


@host_behaviour(Verdict.NOT_AN_IMAGE)
def html(_: Request, __: Photo) -> Answer:
    """Serve an HTML page as a JPEG."""
    return Answer(b"<!DOCTYPE html><title>Buy our pictures</title><p>Nothing here." + b" " * 2000, kind=JPEG)


@host_behaviour(Verdict.BROKEN_IMAGE)
def broken(_: Request, photo: Photo) -> Answer:
    """Serve half of the file."""
    body = photo.body
    return Answer(body[: len(body) // 2], kind=JPEG)


@host_behaviour(Verdict.UNSUPPORTED)
def tiff(_: Request, photo: Photo) -> Answer:
    """Serve a format nobody should decode from strangers."""
    file = io.BytesIO()
    Image.open(io.BytesIO(photo.body)).save(file, "TIFF")
    return Answer(file.getvalue(), kind="image/tiff")


@host_behaviour(Verdict.TOO_MANY_PIXELS)
def bomb(_: Request, __: Photo) -> Answer:
    """Serve a PNG of a hundred bytes that claims 2,500 megapixels."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return Answer(b"\x89PNG\r\n\x1a\n" + body, kind="image/png")


# ---- missing, truncated and endless responses


@host_behaviour(Verdict.GONE)
def dead(_: Request, __: Photo) -> Answer:
    """Answer that the image does not exist: 404."""
    return Answer(b"<h1>Not Found</h1>", status=404)


@host_behaviour(Verdict.GONE)
def gone(_: Request, __: Photo) -> Answer:
    """Answer that the image is gone: 410."""
    return Answer(b"<h1>Gone</h1>", status=410)


@host_behaviour(Verdict.GONE)
def forbidden(_: Request, __: Photo) -> Answer:
    """Refuse hot links: 403."""
    return Answer(b"<h1>Forbidden</h1>", status=403)


@host_behaviour(Verdict.SERVER_ERROR)
def down(_: Request, __: Photo) -> Answer:
    """Answer 500 at every attempt."""
    return Answer(b"<h1>Internal Server Error</h1>", status=500)


@host_behaviour(Verdict.RATE_LIMITED)
def patience(_: Request, __: Photo) -> Answer:
    """Ask the client to wait a week."""
    return Answer(b"slow down", status=429, headers={"Retry-After": "604800"})


@host_behaviour(Verdict.TIMEOUT)
def stall(_: Request, __: Photo) -> Answer:
    """Listen and never answer."""
    return Answer(wait=FOREVER)


@host_behaviour(Verdict.TIMEOUT)
def freeze(_: Request, photo: Photo) -> Answer:
    """Stop in the middle of the image."""
    body = photo.body
    return Answer([body[: len(body) // 2], FOREVER], kind=JPEG, length=len(body))


@host_behaviour(Verdict.TIMEOUT)
def drip(_: Request, photo: Photo) -> Answer:
    """Send one byte a second."""
    parts: list[Part] = []
    for byte in photo.body:
        parts += (bytes((byte,)), 1.0)
    return Answer(parts, kind=JPEG, length=len(photo.body))


@host_behaviour(Verdict.BROKEN_TRANSFER)
def reset(_: Request, photo: Photo) -> Answer:
    """Reset the connection in the middle of the image."""
    body = photo.body
    return Answer([body[: len(body) // 2], PAUSE, End.RESET], kind=JPEG, length=len(body))


@host_behaviour(Verdict.BROKEN_TRANSFER)
def short(_: Request, photo: Photo) -> Answer:
    """Send less than declared."""
    body = photo.body
    return Answer([body[: len(body) // 2], PAUSE, End.CLOSE], kind=JPEG, length=len(body))


@host_behaviour(Verdict.BROKEN_TRANSFER)
def cut(_: Request, photo: Photo) -> Answer:
    """Send a chunked body and close the connection in the middle of a chunk."""
    half = photo.body[: len(photo.body) // 2]
    chunk = b"%x\r\n" % len(photo.body) + half
    return Answer([chunk, PAUSE, End.CLOSE], kind=JPEG, headers={"Transfer-Encoding": "chunked"})


# ---- responses that must be refused


@host_behaviour(Verdict.TOO_BIG)
def endless(_: Request, photo: Photo) -> Answer:
    """Stream forever, without a length."""
    return Answer(repeat(photo.body), kind=JPEG)


@host_behaviour(Verdict.TOO_BIG)
def huge(_: Request, photo: Photo) -> Answer:
    """Declare ten gigabytes."""
    return Answer(repeat(photo.body), kind=JPEG, length=10 * 2**30)


@host_behaviour(Verdict.ENCODED)
def encoded(_: Request, photo: Photo) -> Answer:
    """Send a compressed body that was not requested."""
    return Answer(gzip.compress(photo.body), kind=JPEG, headers={"Content-Encoding": "gzip"})


@host_behaviour(Verdict.TOO_MANY_REDIRECTS)
def loop(request: Request, _: Photo) -> Answer:
    """Redirect in circles."""
    turn = int(request.fields.get("turn", 0)) % 7 + 1
    return Answer(status=302, headers={"Location": f"{request.route}?turn={turn}"})


@host_behaviour(Verdict.BLOCKED_ADDRESS)
def private(_: Request, __: Photo) -> Answer:
    """Redirect to the client's own machine."""
    return Answer(status=302, headers={"Location": "http://127.0.0.1/private.jpg"})


@host_behaviour(Verdict.BLOCKED_ADDRESS)
def metadata(_: Request, __: Photo) -> Answer:
    """Redirect to the metadata address of a cloud."""
    return Answer(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})


@host_behaviour(Verdict.BAD_ADDRESS)
def disk(_: Request, __: Photo) -> Answer:
    """Redirect to a local file."""
    return Answer(status=302, headers={"Location": "file:///etc/passwd"})


# ---- connections that must fail: invalid certificates and unknown names


@host_behaviour(Verdict.TLS)
def expired(_: Request, photo: Photo) -> Answer:
    """Present a certificate that expired yesterday."""
    return picture(photo)


@host_behaviour(Verdict.TLS)
def misnamed(_: Request, photo: Photo) -> Answer:
    """Present a certificate for another name."""
    return picture(photo)


@host_behaviour(Verdict.TLS)
def selfsigned(_: Request, photo: Photo) -> Answer:
    """Present a self-signed certificate."""
    return picture(photo)


@host_behaviour(Verdict.UNREACHABLE)
def nowhere(_: Request, photo: Photo) -> Answer:
    """Have a name that cannot be resolved; through a proxy that is its 502."""
    return picture(photo)
