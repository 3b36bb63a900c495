"""The behaviour of an image host: what it answers, and the verdict that a correct program gives."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.internet.proxy_server import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from harvest.verdicts import Verdict
    from tests.internet.drawing import Photo
    from tests.internet.proxy_server import Request

    Respond = Callable[[Request, Photo], Answer]

JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class HostBehaviour:
    """How a host answers, and the verdict a correct program gives."""

    name: str
    verdict: Verdict
    answer: Respond


def host_behaviour(verdict: Verdict) -> Callable[[Respond], HostBehaviour]:
    """Return a decorator that makes a function the behaviour of its name."""
    return lambda answer: HostBehaviour(answer.__name__, verdict, answer)


def picture(photo: Photo, **headers: str) -> Answer:
    """Serve a photo as a good host does."""
    return Answer(photo.body, kind=JPEG, headers={name.replace("_", "-"): v for name, v in headers.items()})


def drawn(image: Image.Image) -> Answer:
    """Serve an image as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=86)
    return Answer(file.getvalue(), kind=JPEG)
