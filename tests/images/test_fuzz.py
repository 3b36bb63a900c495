"""Valid files with random damage: each gives an image or a refusal, never an exception."""

import random
import zlib

import pytest

from harvest import images
from harvest.models import Picture, Recipe, Refusal
from tests import bombs, pictures
from tests.images.processing import HIT

SMALL = pictures.photo(160, 120)
ALPHA = SMALL.copy()
ALPHA.putalpha(SMALL.getchannel(0))
PROFILE = pictures.profile(*pictures.ADOBE_RGB)
GOOD = {
    "jpeg": pictures.private(),
    "progressive": pictures.encoded(SMALL, progressive=True),
    "cmyk": pictures.encoded(SMALL.convert("CMYK")),
    "png": pictures.encoded(SMALL, "PNG", icc_profile=PROFILE),
    "alpha": pictures.encoded(ALPHA, "PNG"),
    "palette": pictures.hidden_colour("P"),
    "deep": pictures.ramp_16_bit(),
    "apng": bombs.apng(3),
    "gif": bombs.gif(3),
    "webp": pictures.encoded(SMALL, "WEBP", icc_profile=PROFILE),
    "webp animation": bombs.webp(3),
    "bmp": pictures.encoded(SMALL.resize((40, 30)), "BMP"),
    "avif": pictures.encoded(ALPHA, "AVIF", icc_profile=PROFILE, speed=10),
}
ROUNDS = 40


def damaged(body: bytes, rng: random.Random) -> bytes:
    """Damage a file as a transfer, a disk or a user may."""
    data = bytearray(body)
    here, there = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    match rng.randrange(6):
        case 0:
            del data[here:]
        case 1:
            for _ in range(rng.choice((1, 4, 30))):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 2:  # damage in headers has the largest effect
            for _ in range(rng.choice((1, 2, 8))):
                data[rng.randrange(min(len(data), 300))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        case 3:
            del data[here : here + rng.randrange(1, 200)]
        case 4:
            data[here:here] = data[there : there + rng.randrange(1, 200)]
        case _:
            data[here:] = rng.choice(list(GOOD.values()))[there:]
    return mended(bytes(data)) if rng.random() < 0.5 else bytes(data)


def mended(body: bytes) -> bytes:
    """Correct the checksums of a damaged PNG, so that the damage reaches the decoder."""
    if not body.startswith(b"\x89PNG\r\n\x1a\n"):
        return body
    out, at = bytearray(body[:8]), 8
    while at + 12 <= len(body):
        end = at + 8 + int.from_bytes(body[at : at + 4], "big")
        out += body[at:end] + zlib.crc32(body[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


@pytest.mark.parametrize("name", GOOD)
def test_damaged_files_never_raise(name):
    """Processing and inspecting a damaged file return a result or a refusal."""
    rng = random.Random(name)
    for _ in range(ROUNDS):
        body = damaged(GOOD[name], rng)
        recipe = Recipe(size=rng.choice((0, 100)), pad=rng.random() < 0.5, min_size=1)
        assert isinstance(images.process_image(body, HIT, recipe), Picture | Refusal)
        assert isinstance(images.inspect_image(body), images.InspectedImage | Refusal)
        assert images.memory_needed(body) >= 0
        assert images.source_of(body) is None


@pytest.mark.parametrize("name", GOOD)
def test_undamaged_files_are_pictures(name):
    """The files that are damaged here are valid."""
    assert isinstance(images.process_image(GOOD[name], HIT, Recipe(size=0, min_size=1)), Picture)


def test_every_short_start_of_a_header_is_survived():
    """A file may end anywhere in its first bytes."""
    for body in GOOD.values():
        for length in range(64):
            assert isinstance(images.process_image(body[:length], HIT, Recipe()), Refusal)
            assert images.memory_needed(body[:length]) >= 0
