"""Images made in code that are malicious or look so: broken, huge, endless, two files in one."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from PIL import Image

from tests.pictures import chunk, encoded, jpeg_with, photo, png_with, segment

SCRIPT = b"<script>alert(1)</script>"


def cut(body: bytes, share: float = 0.6) -> bytes:
    """Return the first part of a file, as a broken transfer leaves it."""
    return body[: int(len(body) * share)]


def wrong_checksum() -> bytes:
    """Return a PNG with correct pixels and a wrong checksum."""
    body = bytearray(encoded(photo(), "PNG"))
    last_of_data = body.rindex(b"IEND") - 5
    body[last_of_data] ^= 1
    return bytes(body)


def without_palette(width: int = 300, height: int = 300) -> bytes:
    """Return a PNG whose pixels are indices into a missing palette."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((width + 1) * height)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


# Huge according to their header


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """Return a PNG of a hundred bytes that claims to be huge."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(30))) + chunk(b"IEND", b"")


def webp_bomb() -> bytes:
    """Return a WebP that claims 16,384 pixels per side: its decoder would allocate 2 GB when it is opened."""
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" * 2
    return b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas


def gif_bomb() -> bytes:
    """Return a GIF of one pixel whose first frame is 65,535 pixels wide and high."""
    body = bytearray(encoded(Image.new("P", (1, 1)), "GIF"))
    frame = body.index(b",")
    body[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    return bytes(body)


# Thousands of frames


def apng(frames: int) -> bytes:
    """Return an animated PNG: first a photograph, then very many frames of one pixel."""
    still = encoded(photo(), "PNG")
    control = struct.pack(">IIIIIHHBB", 0, 320, 240, 0, 0, 1, 25, 0, 0)
    body = png_with(still, chunk(b"acTL", struct.pack(">II", frames, 0)), chunk(b"fcTL", control))
    dot = zlib.compress(b"\0\xff\0\0")
    more = bytearray()
    for number in range(1, 2 * frames - 2, 2):
        more += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 25, 0, 0))
        more += chunk(b"fdAT", struct.pack(">I", number + 1) + dot)
    return body[:-12] + bytes(more) + body[-12:]


def gif(frames: int) -> bytes:
    """Return an animated GIF: first a photograph, then very many frames of one red pixel."""
    still = encoded(photo().quantize(64), "GIF")
    dot = encoded(Image.new("P", (1, 1)), "GIF")
    return still[:-1] + dot[dot.index(b",") : -1] * (frames - 1) + b";"


def webp(frames: int) -> bytes:
    """Return an animated WebP: first a photograph, then very many frames of another one."""
    two = [photo(), photo(seed=1)]
    body = encoded(two[0], "WEBP", save_all=True, append_images=two[1:], quality=10, method=0)
    second = body.rindex(b"ANMF")
    body += body[second:] * (frames - 2)
    return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]


# Two files in one


def jpeg_and_zip() -> bytes:
    """Return a JPEG that is also a ZIP archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as folder:
        folder.writestr("appended.txt", SCRIPT)
    return encoded(photo()) + archive.getvalue()


def gif_and_script() -> bytes:
    """Return a GIF with a script in a comment and another one after its end."""
    return encoded(photo().quantize(64), "GIF", comment=SCRIPT) + SCRIPT


# Metadata that floods a parser


def exif_flood(segments: int) -> bytes:
    """Return a JPEG of tiny Exif segments, which Pillow joins one by one."""
    return jpeg_with(encoded(photo()), segment(0xE1, b"Exif\0\0MM") * segments)


def comment_flood(blocks: int) -> bytes:
    """Return a GIF whose comment consists of blocks of one byte."""
    body = encoded(photo().quantize(64), "GIF")
    start = 13 + (3 << (body[10] & 7) + 1)
    return body[:start] + b"!\xfe" + b"\1a" * blocks + b"\0" + body[start:]


def scan_flood(scans: int) -> bytes:
    """Return a progressive JPEG that repeats its last scan, 14 bytes for a pass over all blocks, very often."""
    body = encoded(Image.new("RGB", (2000, 2000), "teal"), progressive=True)
    last = body.rindex(b"\xff\xda")
    return body[:-2] + body[last:-2] * scans + body[-2:]


def chunk_flood(chunks: int) -> bytes:
    """Return a PNG with very many empty chunks of pixels."""
    return png_with(encoded(photo(), "PNG"), chunk(b"IDAT", b"") * chunks)
