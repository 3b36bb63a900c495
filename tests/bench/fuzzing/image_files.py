"""Small images of each format, made in code, and damage that follows their structure."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, features

from tests import bombs, pictures
from tests.bench.fuzzing.mutations import damage

if TYPE_CHECKING:
    from random import Random

SIDES = (0, 1, 2, 255, 256, 4096, 16384, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**32 - 1)
PNG = b"\x89PNG\r\n\x1a\n"


@cache
def images() -> dict[str, bytes]:
    """Return a valid image of each format and mode, by a name with the right suffix."""
    small = pictures.photo(160, 120)
    alpha = small.copy()
    alpha.putalpha(small.getchannel(0))
    profile = pictures.profile(*pictures.ADOBE_RGB)
    frames = {"save_all": True, "append_images": [pictures.photo(160, 120, 1)]}
    found = {
        "camera.jpg": pictures.private(),
        "progressive.jpg": pictures.encoded(small, progressive=True),
        "cmyk.jpg": pictures.encoded(small.convert("CMYK")),
        "ycck.jpg": pictures.ycck()[0],
        "grey.jpg": pictures.encoded(small.convert("L")),
        "turned.jpg": pictures.turned(6),
        "several.jpg": pictures.encoded(small, "MPO", **frames),
        "profile.png": pictures.encoded(small, "PNG", icc_profile=profile),
        "alpha.png": pictures.encoded(alpha, "PNG"),
        "palette.png": pictures.hidden_colour("P"),
        "grey_alpha.png": pictures.hidden_colour("LA"),
        "bits.png": pictures.encoded(small.convert("1"), "PNG"),
        "deep.png": pictures.ramp_16_bit(),
        "animated.png": bombs.apng(3),
        "thin.png": pictures.encoded(Image.new("L", (1, 400)), "PNG"),
        "animated.gif": bombs.gif(3),
        "photo.webp": pictures.encoded(small, "WEBP", icc_profile=profile),
        "lossless.webp": pictures.encoded(alpha, "WEBP", lossless=True),
        "animated.webp": bombs.webp(3),
        "photo.bmp": pictures.encoded(small.resize((40, 30)), "BMP"),
        "palette.bmp": pictures.encoded(small.quantize(16), "BMP"),
        "head.heic": pictures.heic(),
    }
    if features.check("avif"):
        found["photo.avif"] = pictures.encoded(alpha, "AVIF", icc_profile=profile, speed=10)
        found["animated.avif"] = pictures.encoded(small, "AVIF", speed=10, **frames)
    return found


def damaged_image(rng: Random) -> tuple[str, bytes]:
    """Return one of the valid images, damaged; its name keeps the suffix."""
    name = rng.choice(sorted(images()))
    body = images()[name]
    by_structure = next((change for head, change in _CHANGES.items() if head in body[:12]), None)
    if by_structure is None or rng.random() < 0.3:
        return name, damage(body, rng, near=300)
    for _ in range(rng.choice((1, 1, 2, 3))):
        body = by_structure(body, rng)
    return name, damage(body, rng) if rng.random() < 0.1 else body


def _shuffle(parts: list[bytes], rng: Random) -> None:
    """Drop, duplicate, swap or damage one of the parts of a file."""
    if not parts:
        return
    here, there = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(4):
        case 0:
            del parts[here]
        case 1:
            parts[there:there] = [parts[here]] * rng.choice((1, 2, 200))
        case 2:
            parts[here], parts[there] = parts[there], parts[here]
        case _:
            parts[here] = damage(parts[here], rng, near=40)


# PNG: chunks, with corrected checksums.


def _png(body: bytes, rng: Random) -> bytes:
    chunks = _chunks(body)
    header = next((n for n, (kind, _) in enumerate(chunks) if kind == b"IHDR"), None)
    choice = rng.randrange(4)
    if choice == 0 and header is not None and len(chunks[header][1]) == 13:
        width, height, *rest = struct.unpack(">IIBBBBB", chunks[header][1])
        sides = [rng.choice((side, rng.choice(SIDES))) for side in (width, height)]
        rest = [rng.choice((value, value, rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)))) for value in rest]
        chunks[header] = (b"IHDR", struct.pack(">IIBBBBB", *sides, *rest))
    elif choice == 1:
        kinds = (
            b"PLTE",
            b"tRNS",
            b"iCCP",
            b"eXIf",
            b"gAMA",
            b"cHRM",
            b"acTL",
            b"fcTL",
            b"fdAT",
            b"IDAT",
            b"zTXt",
        )
        contents = (b"", bytes(1), rng.randbytes(26), b"x\0\0" + zlib.compress(bytes(1 << 20)), bytes(800))
        chunks.insert(rng.randrange(len(chunks) + 1), (rng.choice(kinds), rng.choice(contents)))
    elif choice == 2 and chunks:
        number = rng.randrange(len(chunks))
        chunks[number] = (chunks[number][0], damage(chunks[number][1], rng, near=40))
    else:
        parts = [kind + content for kind, content in chunks]
        _shuffle(parts, rng)
        chunks = [(part[:4].ljust(4, b"x"), part[4:]) for part in parts]
    return PNG + b"".join(pictures.chunk(kind, content) for kind, content in chunks)


def _chunks(body: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 12 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        found.append((body[at + 4 : at + 8], body[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


# JPEG: segments up to the first scan, mostly with corrected lengths.


def _jpeg(body: bytes, rng: Random) -> bytes:
    segments, at = [], 2
    while at + 4 <= len(body) and body[at] == 0xFF:
        end = at + 2 + int.from_bytes(body[at + 2 : at + 4], "big")
        segments.append(body[at + 1 : at + 2] + body[at + 4 : end])
        at = end
        if segments[-1][:1] == b"\xda":
            break
    frames = [n for n, part in enumerate(segments) if part[:1] in {b"\xc0", b"\xc1", b"\xc2"} and len(part) > 7]
    if frames and rng.random() < 0.3:
        frame = bytearray(segments[frames[0]])
        frame[2 + rng.randrange(2) * 2 :][:2] = b""
        place = rng.choice((2, 4))
        frame[place : place + 2] = (rng.choice(SIDES) & 0xFFFF).to_bytes(2, "big")
        frame[rng.choice((1, 6, 8))] = rng.randrange(256)
        segments[frames[0]] = bytes(frame)
    else:
        _shuffle(segments, rng)
    out = b"\xff\xd8"
    for part in segments:
        length = (len(part) + 1) & 0xFFFF if rng.random() < 0.98 else rng.randrange(65536)
        out += b"\xff" + part[:1] + length.to_bytes(2, "big") + part[1:]
    return out + body[at:]


# GIF: screen, frame and the fields that give the length of what follows.


def _gif(body: bytes, rng: Random) -> bytes:
    data = bytearray(body)
    frame = data.find(b",", 13)
    places = [6, 8] + ([frame + 1, frame + 3, frame + 5, frame + 7] if frame > 0 else [])
    if rng.random() < 0.5:
        place = rng.choice(places)
        data[place : place + 2] = (rng.choice(SIDES) & 0xFFFF).to_bytes(2, "little")
    else:
        place = rng.choice([10, 11, *([frame, frame + 9, frame + 10, frame + 11] if frame > 0 else [])])
        if place < len(data):
            data[place] = rng.choice((0, 1, 8, 12, 13, 0x80, 0xFF, rng.randrange(256)))
    return bytes(data)


# WebP: RIFF chunks.


def _webp(body: bytes, rng: Random) -> bytes:
    parts, at = [], 12
    while at + 8 <= len(body):
        length = int.from_bytes(body[at + 4 : at + 8], "little")
        parts.append(body[at : at + 4] + body[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    if parts and parts[0][:4] == b"VP8X" and len(parts[0]) >= 14 and rng.random() < 0.4:
        head = bytearray(parts[0])
        place = rng.choice((4, 8, 11))
        value = (
            rng.randrange(256).to_bytes(3, "little")
            if place == 4
            else (rng.choice(SIDES) & 0xFFFFFF).to_bytes(3, "little")
        )
        head[place : place + 3] = value
        parts[0] = bytes(head)
    else:
        _shuffle(parts, rng)
    out = b""
    for part in parts:
        content = part[4:]
        length = len(content) if rng.random() < 0.97 else rng.choice(SIDES)
        out += part[:4].ljust(4, b"x") + struct.pack("<I", length) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(out) + 4) + b"WEBP" + out


# AVIF and HEIF: boxes; the announced size is in `ispe`, independent of the frame.


def _boxes(body: bytes, rng: Random) -> bytes:
    data = bytearray(body)
    size = data.find(b"ispe")
    if size > 0 and rng.random() < 0.3:
        place = size + 8 + rng.choice((0, 4))
        data[place : place + 4] = struct.pack(">I", rng.choice(SIDES))
        return bytes(data)
    if rng.random() < 0.4:
        names = [
            n
            for name in (
                b"meta",
                b"iloc",
                b"iinf",
                b"infe",
                b"iprp",
                b"ipco",
                b"ipma",
                b"pitm",
                b"av1C",
                b"colr",
                b"irot",
            )
            if (n := data.find(name)) > 3
        ]
        if names:
            place = rng.choice(names) + rng.choice((-4, -3, -2, -1, 4, 5, 6, 7, 8, 9, 12))
            data[place] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        return bytes(data)
    parts, at = [], 0
    while at + 8 <= len(data):
        length = max(8, int.from_bytes(data[at : at + 4], "big"))
        parts.append(bytes(data[at : at + length]))
        at += length
    _shuffle(parts, rng)
    return b"".join(parts)


_CHANGES = {PNG: _png, b"\xff\xd8\xff": _jpeg, b"GIF8": _gif, b"WEBP": _webp, b"ftyp": _boxes}
