"""Detect the format of a file by its first bytes. The content type and the URL are ignored."""

from __future__ import annotations

import importlib.util

from harvest.models import Refusal
from harvest.verdicts import Verdict

# The supported formats, as Pillow names them. Anything else is refused before a decoder sees a byte.
_SUPPORTED = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
# Known formats that are refused: documents that can run code or fetch URLs, and files that browsers do not show.
_UNSUPPORTED = (
    (b"%PDF", "a PDF"),
    (b"%!PS", "an EPS"),
    (b"\xc5\xd0\xd3\xc6", "an EPS"),
    (b"8BPS", "a PSD"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"II+\0", "a TIFF"),
    (b"MM\0+", "a TIFF"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\2\0", "a cursor"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"gimp xcf", "an XCF"),
    (b"\xd7\xcd\xc6\x9a", "a WMF"),
    (b"DDS ", "a DDS"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # many texts start with "BM" too


def detect_format(body: bytes) -> str | Refusal:
    """Return the name of the format, or a refusal if it is not a supported image format.

    >>> detect_format(b"GIF89a...")
    'GIF'
    >>> detect_format(b"<!doctype html>")
    Refusal(verdict=<Verdict.NOT_AN_IMAGE: 'not_an_image'>, detail='a web page')
    """
    for magic, name in _SUPPORTED:
        if body.startswith(magic):
            return name
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return "WEBP"
    if body.startswith(b"BM") and int.from_bytes(body[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if body[4:8] == b"ftyp":
        return _iso(body)
    for magic, what in _UNSUPPORTED:
        if body.startswith(magic):
            return Refusal(Verdict.UNSUPPORTED, what)
    return _text(body)


def _iso(body: bytes) -> str | Refusal:
    """Distinguish AVIF, HEIC and videos, which share one container, by the brands that it lists."""
    names = body[8 : min(int.from_bytes(body[:4], "big"), 256)]
    brands = {names[at : at + 4] for at in range(0, len(names), 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if not brands & _HEIC_BRANDS:
        return Refusal(Verdict.NOT_AN_IMAGE, "a video or audio file")
    if importlib.util.find_spec("pillow_heif") is None:
        return Refusal(Verdict.NEEDS_HEIF_EXTRA, "a HEIC image: pip install pillow-heif")
    return "HEIF"


def _text(body: bytes) -> Refusal:
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\0").lower()
    if not start:
        return Refusal(Verdict.NOT_AN_IMAGE, "only zero bytes" if body else "an empty body")
    if not start.startswith(b"<"):
        return Refusal(Verdict.NOT_AN_IMAGE, "not a known image format")
    before, svg, _ = start.partition(b"<svg")
    if svg and b"html" not in before:
        return Refusal(Verdict.UNSUPPORTED, "an SVG")
    return Refusal(Verdict.NOT_AN_IMAGE, "a web page")
