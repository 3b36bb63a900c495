"""What a temper of a picture host is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.internet.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from harvest.verdicts import Verdict
    from tests.internet.drawing import Photo
    from tests.internet.wire import Request

    Behaviour = Callable[[Request, Photo], Answer]

JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Temper:
    """How a host behaves, and what a sound program makes of it."""

    name: str
    verdict: Verdict
    answer: Behaviour


def temper(verdict: Verdict) -> Callable[[Behaviour], Temper]:
    """Make a behaviour a temper of its name."""
    return lambda answer: Temper(answer.__name__, verdict, answer)


def picture(photo: Photo, **headers: str) -> Answer:
    """Serve a photo as a good host does."""
    return Answer(photo.body, kind=JPEG, headers={name.replace("_", "-"): v for name, v in headers.items()})


def drawn(image: Image.Image) -> Answer:
    """Serve an image as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=86)
    return Answer(file.getvalue(), kind=JPEG)
