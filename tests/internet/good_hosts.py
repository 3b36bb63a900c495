"""Behaviours of good hosts: they serve an image sooner or later, though not always a usable one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from harvest.verdicts import Verdict
from tests import pictures
from tests.images import statements
from tests.internet.drawing import Photo
from tests.internet.host_behaviour import drawn, host_behaviour, picture
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.proxy_server import Request


# ---- hosts that serve an image, sooner or later


@host_behaviour(Verdict.KEPT)
def good(_: Request, photo: Photo) -> Answer:
    """Serve the image."""
    return picture(photo)


@host_behaviour(Verdict.KEPT)
def plain(_: Request, photo: Photo) -> Answer:
    """Serve the image, without TLS."""
    return picture(photo)


@host_behaviour(Verdict.KEPT)
def slow(_: Request, photo: Photo) -> Answer:
    """Take a second, and send the image in pieces."""
    body = photo.body
    middle = len(body) // 2
    return Answer([body[:middle], 0.5, body[middle:]], kind="image/jpeg", length=len(body), wait=0.5)


@host_behaviour(Verdict.KEPT)
def redirect(request: Request, photo: Photo) -> Answer:
    """Redirect once."""
    if "moved" in request.fields:
        return picture(photo)
    return Answer(status=302, headers={"Location": f"{request.route}?moved=1"})


@host_behaviour(Verdict.KEPT)
def flaky(request: Request, photo: Photo) -> Answer:
    """Answer 503 at the first attempt, then serve the image."""
    return Answer(b"try again", status=503) if request.attempt == 1 else picture(photo)


@host_behaviour(Verdict.KEPT)
def limited(request: Request, photo: Photo) -> Answer:
    """Answer 429 with a second to wait at the first attempt, then serve the image."""
    if request.attempt == 1:
        return Answer(b"slow down", status=429, headers={"Retry-After": "1"})
    return picture(photo)


@host_behaviour(Verdict.KEPT)
def mislabelled(_: Request, photo: Photo) -> Answer:
    """Serve the image with the content type of text."""
    return Answer(photo.body, kind="text/plain")


@host_behaviour(Verdict.KEPT)
def animated(_: Request, photo: Photo) -> Answer:
    """Serve an animated GIF."""
    first = Image.open(io.BytesIO(photo.body)).quantize(32)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[first.rotate(90), first.rotate(180)])
    return Answer(file.getvalue(), kind="image/gif")


# ---- images that are not usable


@host_behaviour(Verdict.TOO_SMALL)
def tiny(_: Request, photo: Photo) -> Answer:
    """Serve a thumbnail of 90 pixels."""
    return drawn(Image.open(io.BytesIO(photo.body)).resize((90, 72)))


@host_behaviour(Verdict.BLANK)
def blank(_: Request, photo: Photo) -> Answer:
    """Serve an image of one colour."""
    return drawn(Image.new("RGB", photo.size, (photo.number % 256, 90, 90)))


@host_behaviour(Verdict.ASPECT)
def thin(_: Request, photo: Photo) -> Answer:
    """Serve a banner, twelve times as wide as it is high."""
    return drawn(Image.open(io.BytesIO(photo.body)).resize((2880, 240)))


@host_behaviour(Verdict.PLACEHOLDER)
def placeholder(_: Request, photo: Photo) -> Answer:
    """Serve the same "image removed" placeholder at every URL."""
    return picture(Photo(0, photo.size))


@host_behaviour(Verdict.OPTED_OUT)
def noai(_: Request, photo: Photo) -> Answer:
    """Ask not to be used for training."""
    return picture(photo, X_Robots_Tag="noai, noimageai")


@host_behaviour(Verdict.OPTED_OUT)
def prohibited(_: Request, photo: Photo) -> Answer:
    """Serve an image whose owner prohibits data mining, in its XMP."""
    return _with_xmp(photo, statements.data_mining("DMI-PROHIBITED"))


@host_behaviour(Verdict.KEPT)
def generated(_: Request, photo: Photo) -> Answer:
    """Serve an image that was made with AI, as its XMP states."""
    return _with_xmp(photo, statements.source_type("trainedAlgorithmicMedia"))


def _with_xmp(photo: Photo, packet: bytes) -> Answer:
    xmp = pictures.segment(0xE1, statements.XMP_HEAD + packet)
    return Answer(pictures.jpeg_with(photo.body, xmp), kind="image/jpeg")
