"""Tempers of hosts that mean well: a picture comes, sooner or later, though not always a wanted one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from harvest.verdicts import Verdict
from tests.internet.drawing import Photo
from tests.internet.host_behaviour import drawn, host_behaviour, picture
from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from tests.internet.proxy_server import Request


# ---- pictures come, sooner or later


@host_behaviour(Verdict.KEPT)
def good(_: Request, photo: Photo) -> Answer:
    """Serve the picture."""
    return picture(photo)


@host_behaviour(Verdict.KEPT)
def plain(_: Request, photo: Photo) -> Answer:
    """Serve the picture, without TLS."""
    return picture(photo)


@host_behaviour(Verdict.KEPT)
def slow(_: Request, photo: Photo) -> Answer:
    """Take a second, and send the picture in pieces."""
    body = photo.body
    middle = len(body) // 2
    return Answer([body[:middle], 0.5, body[middle:]], kind="image/jpeg", length=len(body), wait=0.5)


@host_behaviour(Verdict.KEPT)
def redirect(request: Request, photo: Photo) -> Answer:
    """Send visitors once around the corner."""
    if "moved" in request.fields:
        return picture(photo)
    return Answer(status=302, headers={"Location": f"{request.route}?moved=1"})


@host_behaviour(Verdict.KEPT)
def flaky(request: Request, photo: Photo) -> Answer:
    """Be overloaded at the first try: 503, then the picture."""
    return Answer(b"try again", status=503) if request.attempt == 1 else picture(photo)


@host_behaviour(Verdict.KEPT)
def limited(request: Request, photo: Photo) -> Answer:
    """Ask for a second's patience at the first try: 429, then the picture."""
    if request.attempt == 1:
        return Answer(b"slow down", status=429, headers={"Retry-After": "1"})
    return picture(photo)


@host_behaviour(Verdict.KEPT)
def mislabelled(_: Request, photo: Photo) -> Answer:
    """Call the picture text."""
    return Answer(photo.body, kind="text/plain")


@host_behaviour(Verdict.KEPT)
def animated(_: Request, photo: Photo) -> Answer:
    """Serve a GIF that moves."""
    first = Image.open(io.BytesIO(photo.body)).quantize(32)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[first.rotate(90), first.rotate(180)])
    return Answer(file.getvalue(), kind="image/gif")


# ---- what comes is not wanted


@host_behaviour(Verdict.TOO_SMALL)
def tiny(_: Request, photo: Photo) -> Answer:
    """Serve a thumbnail of 90 pixels."""
    return drawn(Image.open(io.BytesIO(photo.body)).resize((90, 72)))


@host_behaviour(Verdict.BLANK)
def blank(_: Request, photo: Photo) -> Answer:
    """Serve flat colour."""
    return drawn(Image.new("RGB", photo.size, (photo.number % 256, 90, 90)))


@host_behaviour(Verdict.ASPECT)
def thin(_: Request, photo: Photo) -> Answer:
    """Serve a banner, twelve times as wide as high."""
    return drawn(Image.open(io.BytesIO(photo.body)).resize((2880, 240)))


@host_behaviour(Verdict.PLACEHOLDER)
def placeholder(_: Request, photo: Photo) -> Answer:
    """Say "picture removed" at every address, with the very same bytes."""
    return picture(Photo(0, photo.size))


@host_behaviour(Verdict.OPTED_OUT)
def noai(_: Request, photo: Photo) -> Answer:
    """Ask not to be used for training."""
    return picture(photo, X_Robots_Tag="noai, noimageai")
