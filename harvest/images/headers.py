"""Read the format and the size of an image from its header, before anything is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.images import containers
from harvest.images.containers import BrokenContainer
from harvest.images.detect_format import detect_format
from harvest.images.heif_coded_size import check_sizes
from harvest.models import Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_PIXELS = 50_000_000
_MOST_SCANS = 100  # a progressive JPEG has about ten; each costs 29 ms at 49 megapixels, whatever it holds
_BITS = 8

_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # the kinds of JPEG that Pillow decodes
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
# Run-length encoded BMPs: rare, and decoded in pure Python, where 25 MB block all threads for 5 s.
_RUN_LENGTH = frozenset({1, 2})


@dataclass(frozen=True, slots=True)
class Header:
    """The format of an image, as Pillow names it, and its size as stored, before it is turned upright."""

    format: str
    width: int
    height: int
    planes: int = 3  # components of a JPEG: grey has one, CMYK four
    in_passes: bool = False  # a JPEG that must be read completely before its first line is known

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.width * self.height


@refuse_unexpected
def read_header(body: bytes) -> Header | Refusal:
    """Return the header of an image, or the reason why it is refused."""
    name = detect_format(body)
    if isinstance(name, Refusal):
        return name
    try:
        header = _READ[name](body)
    except (BrokenContainer, struct.error, IndexError) as error:
        return Refusal(Verdict.BROKEN_IMAGE, f"{name}: {error}")
    if isinstance(header, Refusal):
        return header
    if not header.pixels:
        return Refusal(Verdict.BROKEN_IMAGE, f"{name}: its size is zero")
    if header.pixels > MOST_PIXELS:
        return check_pixel_count(header.width, header.height)
    return header


def check_pixel_count(width: int, height: int) -> Refusal:
    """Return the refusal of an image with too many pixels.

    >>> check_pixel_count(50_000, 50_000).detail
    '50000 x 50000 is 2,500 megapixels; the limit is 50'
    """
    megapixels = width * height / 1e6
    detail = f"{width} x {height} is {megapixels:,.0f} megapixels; the limit is {MOST_PIXELS / 1e6:.0f}"
    return Refusal(Verdict.TOO_MANY_PIXELS, detail)


def _jpeg(body: bytes) -> Header | Refusal:
    frame, width, height, planes = 0, 0, 0, 0
    for part in containers.segments(body):
        kind = part.kind[0]
        if kind in _OTHER_FRAMES:
            return Refusal(Verdict.UNSUPPORTED, "a lossless or hierarchical JPEG")
        if kind in _FRAMES:
            frame = kind
            bits, height, width, planes = struct.unpack_from(">BHHB", body, part.content)
            if bits != _BITS:
                return Refusal(Verdict.UNSUPPORTED, f"a {bits}-bit JPEG")
        elif kind == containers.SOS:
            # The decoder reads all scans, however many, before it returns the first line.
            in_passes = frame in _PROGRESSIVE or body[part.content] < planes
            if in_passes and (scans := body.count(b"\xff\xda")) > _MOST_SCANS:
                raise BrokenContainer(f"{scans} scans")
            return Header("JPEG", width, height, planes, in_passes)
    raise AssertionError("segments end with a scan or raise")


def _png(body: bytes) -> Header:
    if body[12:16] != b"IHDR":
        raise BrokenContainer("it does not start with its header")
    return Header("PNG", *struct.unpack_from(">II", body, 16))


def _gif(body: bytes) -> Header:
    width, height = struct.unpack_from("<HH", body, 6)
    for part in containers.gif_parts(body):
        if part.kind == b",":  # a first frame larger than the screen enlarges the image
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", body, part.content)
            width, height = max(width, left + frame_width), max(height, top + frame_height)
    return Header("GIF", width, height)


def _webp(body: bytes) -> Header:
    kind = body[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", body, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 26))
    else:
        raise BrokenContainer("it has no image")
    return Header("WEBP", width, height)


def _bmp(body: bytes) -> Header | Refusal:
    if body[14] == 12:  # noqa: PLR2004 - OS/2's short header
        return Header("BMP", *struct.unpack_from("<HH", body, 18))
    if struct.unpack_from("<I", body, 30)[0] in _RUN_LENGTH:
        return Refusal(Verdict.UNSUPPORTED, "a run-length encoded BMP")
    width, height = struct.unpack_from("<ii", body, 18)  # a negative height means that the first line is at the top
    return Header("BMP", abs(width), abs(height))


def _avif(body: bytes) -> Header:
    return Header("AVIF", *_iso_size(body))


def _heif(body: bytes) -> Header:
    return Header("HEIF", *_iso_size(body))


def _iso_size(body: bytes) -> tuple[int, int]:
    """Return the largest size in an ISO file, announced or coded; raise `BrokenContainer` for one not announced."""
    announced = set(_announced_sizes(body))
    largest = max(announced, key=lambda size: size[0] * size[1], default=(0, 0))
    coded = check_sizes(body, announced)
    if coded is None:
        return largest
    if coded[0] * coded[1] > MOST_PIXELS:
        return coded
    raise BrokenContainer(f"a frame is {coded[0]} x {coded[1]}, which is not announced")


def _announced_sizes(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield every size (`ispe`) that an ISO file announces: of the image, a tile, a thumbnail."""
    for part in containers.boxes(body):
        if part.kind == b"meta":
            at = body.find(b"ispe", part.content, part.end)
            while at >= 0:
                yield struct.unpack_from(">II", body, at + 8)
                at = body.find(b"ispe", at + 4, part.end)


_READ: dict[str, Callable[[bytes], Header | Refusal]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "BMP": _bmp,
    "AVIF": _avif,
    "HEIF": _heif,
}
