"""Images drawn in code, valid and unusual; `bombs` has the malicious ones. The repository contains no binaries."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

CORNERS = {"left top": "red", "right top": "lime", "right bottom": "blue", "left bottom": "yellow"}
GPS = b"51 deg 28' 38\""


@cache
def photo(width: int = 320, height: int = 240, seed: int = 0) -> Image.Image:
    """Draw something like a photograph: soft colours, shapes with edges, grain. Each seed gives another one."""
    rng = np.random.default_rng(seed)
    sky = Image.fromarray(rng.integers(20, 236, (6, 6, 3), dtype=np.uint8))
    image = sky.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(9):
        x, y = rng.integers(width), rng.integers(height)
        size = rng.integers(min(width, height) // 12 + 1, min(width, height) // 3 + 2)
        pen.ellipse((x, y, x + size, y + size), fill=tuple(int(level) for level in rng.integers(0, 256, 3)))
    grain = rng.normal(0, 3, (height, width, 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def corners(width: int = 320, height: int = 240) -> Image.Image:
    """Paint each corner in a colour of `CORNERS`, so that the orientation is visible."""
    image = Image.new("RGB", (width, height))
    for place, colour in CORNERS.items():
        left, top = "left" in place, "top" in place
        box = (0 if left else width // 2, 0 if top else height // 2)
        image.paste(colour, (*box, box[0] + width // 2, box[1] + height // 2))
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return an image as a file of that kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return one PNG chunk with its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(body: bytes, *chunks: bytes) -> bytes:
    """Insert chunks into a PNG, after its header."""
    return body[:33] + b"".join(chunks) + body[33:]


# Colours


def ycck() -> tuple[bytes, Image.Image]:
    """Return a JPEG in YCCK, as Photoshop writes CMYK, and the RGB image that it shows."""
    image = photo()
    luma, blue, red = image.convert("YCbCr").split()
    inverted = [channel.point(lambda level: 255 - level) for channel in (luma, blue, red)]
    body = encoded(Image.merge("CMYK", (*inverted, Image.new("L", image.size))), quality=95, subsampling=0)
    # Pillow writes CMYK inverted and says "as it is" in the Adobe segment; 2 there says YCCK.
    at = body.index(b"Adobe") + 11
    shown = image.point(lambda level: 255 - level)
    return body[:at] + b"\2" + body[at + 1 :], shown


def ramp_16_bit() -> bytes:
    """Return a grey PNG of 16 bits with a linear ramp from black to white."""
    ramp = np.linspace(0, 65535, 512).astype(np.uint16)
    return encoded(Image.fromarray(np.tile(ramp, (256, 1))), "PNG")


def hidden_colour(mode: str = "RGBA") -> bytes:
    """Return a PNG of a green ring on transparent pixels whose hidden colour is bright red."""
    image = Image.new("RGBA", (256, 256), (255, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((48, 48, 208, 208), fill=(255, 0, 0, 0), outline=(0, 128, 0, 255), width=30)
    if mode == "LA":
        return encoded(image.convert("LA"), "PNG")
    if mode == "P":
        flat = Image.new("P", image.size, 0)
        flat.putpalette([255, 0, 0, 0, 128, 0, 9, 9, 9])
        flat.paste(1, mask=image.getchannel("A"))
        return encoded(flat, "PNG", transparency=0)
    return encoded(image, "PNG")


def profile(red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...], gamma: float) -> bytes:
    """Return an ICC profile with three primaries (XYZ under D50) and a gamma."""

    def numbers(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = (0.9642, 1.0, 0.8249)
    tags = {b"wtpt": white, b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}
    contents = {tag: b"XYZ " + bytes(4) + numbers(*value) for tag, value in tags.items()}
    contents |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    contents |= {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79)}
    table, values = struct.pack(">I", len(contents)), b""
    for tag, content in contents.items():
        table += struct.pack(">4sII", tag, 128 + 4 + 12 * len(contents) + len(values), len(content))
        values += content + bytes(-len(content) % 4)
    length = 128 + len(table) + len(values)
    head = struct.pack(">I4sI4s4s4s", length, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + numbers(*white)
    return head.ljust(128, b"\0") + table + values


ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 2.2)


# Metadata


def segment(marker: int, content: bytes) -> bytes:
    """Return one JPEG segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def jpeg_with(body: bytes, *segments: bytes) -> bytes:
    """Insert segments into a JPEG, before all others."""
    return body[:2] + b"".join(segments) + body[2:]


def turned(orientation: int, kind: str = "JPEG") -> bytes:
    """Return `corners` stored so that this EXIF orientation turns them upright."""
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    if orientation in stored:
        image = image.transpose(stored[orientation])
    return encoded(image, kind, exif=exif)


def private() -> bytes:
    """Return a JPEG with the place, the camera and comments in every kind of metadata."""
    exif = Image.Exif()
    exif[0x010F] = "A Camera"
    exif[0x8825] = {1: "N", 2: (51.0, 28.0, 38.0), 29: GPS.decode()}
    body = encoded(photo(), exif=exif, comment=b"a private comment", icc_profile=profile(*ADOBE_RGB))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>private</x:xmpmeta>")
    return jpeg_with(body, xmp, segment(0xED, b"Photoshop 3.0\0private"))


# Other formats


def others() -> dict[str, bytes]:
    """Return a file of each known format that is not supported."""
    image = photo()
    svg = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"/>'
    psd = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 240, 320, 8, 3) + bytes(12)
    saved = {kind: encoded(image, kind) for kind in ("PDF", "EPS", "TIFF", "ICO", "JPEG2000")}
    return {"SVG": svg, "PSD": psd, **saved}


def heic() -> bytes:
    """Return the start of a HEIC image of 4032 x 3024, as a phone writes it."""
    size = struct.pack(">I4s4xII", 20, b"ispe", 4032, 3024)
    meta = struct.pack(">I4s4x", 12 + len(size), b"meta") + size
    return struct.pack(">I4s4s4x8s", 24, b"ftyp", b"heic", b"mif1heic") + meta
