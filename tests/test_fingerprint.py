"""The fingerprint of an image, and the changes that it survives."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from harvest.duplicates.fingerprint import (
    PACKED,
    PARTS,
    compute_fingerprint,
    similarity,
    unpack,
)
from harvest.duplicates.hamming import RADIUS
from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[Image.Image], Image.Image]

PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "flowers"


def scene(number: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Draw a soft field of colour with a dozen ellipses; each number gives another image."""
    rng = np.random.default_rng(number)
    field = rng.integers(30, 225, (6, 8, 3)).astype(np.uint8)
    image = Image.fromarray(field).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        w, h = rng.uniform(0.05, 0.3, 2) * min(size)
        pen.ellipse((x - w, y - h, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def encoded(image: Image.Image, kind: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def cropped(image: Image.Image, *shares: float) -> Image.Image:
    """Crop shares of the sides: left, top, right, bottom."""
    width, height = image.size
    left, top, right, bottom = shares
    return image.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


def marked(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text((image.width * 0.7, image.height * 0.93), "example.com", fill="white")
    return image


def are_duplicates(first: Image.Image, second: Image.Image) -> bool:
    one, two = unpack([compute_fingerprint(first), compute_fingerprint(second)])
    near = np.bitwise_count(one["hashes"][:, None] ^ two["hashes"]) <= RADIUS
    part, other = np.nonzero(near)
    n = len(part)
    return bool((similarity(np.repeat(one, n), part, np.repeat(two, n), other) > 0).any())


CHANGES: dict[str, Change] = {
    "half as large": lambda image: image.resize((image.width // 2, image.height // 2)),
    "a quarter as large": lambda image: image.resize((image.width // 4, image.height // 4)),
    "coarse JPEG": lambda image: encoded(image, "JPEG", 30),
    "WebP": lambda image: encoded(image, "WEBP", 60),
    "watermark": marked,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.12),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.15),
    "paler": lambda image: ImageEnhance.Color(image).enhance(0.7),
    "white border": lambda image: ImageOps.expand(image, round(0.04 * image.width), "white"),
    "black border": lambda image: ImageOps.expand(image, round(0.04 * image.width), "black"),
    "bars above and below": lambda image: ImageOps.expand(image, (0, round(0.12 * image.height)), "black"),
    "border, then coarse JPEG": lambda image: encoded(ImageOps.expand(image, 18, "white"), "JPEG", 30),
    "5 % off each side": lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05),
    "10 % off each side": lambda image: cropped(image, 0.1, 0.1, 0.1, 0.1),
    "10 % off the bottom": lambda image: cropped(image, 0, 0, 0, 0.1),
    "10 % off the left": lambda image: cropped(image, 0.1, 0, 0, 0),
    "narrower by 20 %": lambda image: cropped(image, 0.1, 0, 0.1, 0),
    "cropped, small and coarse": lambda image: encoded(
        cropped(image, 0.05, 0.05, 0.05, 0.05).resize((200, 150)), "JPEG", 50
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_picture_is_a_duplicate(change: Change) -> None:
    """An image with a change that is common on the web is a duplicate of the original."""
    assert [number for number in range(20) if not are_duplicates(scene(number), change(scene(number)))] == []


def test_other_pictures_are_not_duplicates() -> None:
    """Of 60 similar drawings no two are duplicates."""
    fingerprints = unpack([compute_fingerprint(scene(number)) for number in range(60)])
    near = (
        np.bitwise_count(fingerprints["hashes"][:, None, :, None] ^ fingerprints["hashes"][None, :, None, :]) <= RADIUS
    )
    row, other_row, part, other = np.nonzero(near & (np.arange(60)[:, None] < np.arange(60))[:, :, None, None])
    duplicates = similarity(fingerprints[row], part, fingerprints[other_row], other) > 0
    assert list(zip(row[duplicates], other_row[duplicates], strict=True)) == []


def disc(colour: str, ground: str, x: float = 0.5, y: float = 0.5, radius: float = 0.25) -> Image.Image:
    image = Image.new("RGB", (400, 400), ground)
    box = (400 * (x - radius), 400 * (y - radius), 400 * (x + radius), 400 * (y + radius))
    ImageDraw.Draw(image).ellipse(box, fill=colour)
    return image


@pytest.mark.parametrize(
    "other",
    [
        disc("blue", "white"),
        disc("red", "black"),
        disc("red", "lightblue"),
        disc("red", "white", x=0.35),
        disc("red", "white", y=0.65),
        disc("red", "white", radius=0.4),
        disc("red", "white", radius=0.15),
        ImageOps.expand(Image.new("RGB", (200, 200), "red"), 100, "white"),
    ],
    ids=["blue", "on black", "on blue", "to the left", "lower", "larger", "smaller", "square"],
)
def test_a_drawn_disc_is_not_a_duplicate_of_another(other: Image.Image) -> None:
    """A red disc differs from a blue one, from one elsewhere or of another size, and from a square."""
    assert are_duplicates(disc("red", "white"), disc("red", "white").resize((300, 300)))
    assert not are_duplicates(disc("red", "white"), other)


def test_brightness_and_contrast_distinguish_drawings() -> None:
    """A light disc on grey is not a duplicate of a grey one on black, nor of a fainter one on grey."""
    assert not are_duplicates(disc("#ffffff", "#909090"), disc("#6f6f6f", "#000000"))
    assert not are_duplicates(disc("#ffffff", "#909090"), disc("#c0c0c0", "#909090"))


def test_I14_flat_pictures_share_a_hash_and_are_no_twins() -> None:
    """White, red and grey have the same hash, and comparing their thumbnails finds no duplicate."""
    colours = [Image.new("RGB", (300, 200), colour) for colour in ("white", "red", "grey")]
    assert len({unpack([compute_fingerprint(colour)])["hashes"].tobytes() for colour in colours}) == 1
    assert not any(are_duplicates(colours[a], colours[b]) for a in range(3) for b in range(3))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (7, 7), (9000, 3), (3, 9000), (127, 128)])
def test_every_size_has_a_fingerprint(size: tuple[int, int]) -> None:
    """An image of one pixel has a fingerprint, and so has a line of 9,000."""
    assert len(compute_fingerprint(Image.radial_gradient("L").resize(size).convert("RGB")).data) == PACKED.itemsize


def test_a_fingerprint_is_small() -> None:
    """A fingerprint has less than 600 bytes, so that those of a million images fit into memory."""
    assert len(compute_fingerprint(scene(1)).data) < 600


def test_a_scaled_jpeg_has_nearly_the_same_hashes() -> None:
    """A JPEG that libjpeg scales while decoding has nearly the same hashes as the full image."""
    file = io.BytesIO()
    scene(3, (1600, 1200)).save(file, "JPEG", quality=90)
    draft = Image.open(file)
    draft.draft("RGB", (400, 300))
    full = Image.open(file).convert("RGB")
    one, two = unpack([compute_fingerprint(full), compute_fingerprint(draft.convert("RGB"))])
    assert draft.size == (400, 300)
    assert np.bitwise_count(one["hashes"] ^ two["hashes"]).max() <= 2


@pytest.mark.parametrize("number", range(5))
def test_the_hashes_are_those_of_imagehash(number: int) -> None:
    """The hash of each part is imagehash's pHash of that crop, except for a few bits because of the scaling."""
    image = scene(number)
    hashes = unpack([compute_fingerprint(image)])["hashes"][0]
    for part, shares in enumerate(PARTS.tolist()):
        theirs = int(str(imagehash.phash(cropped(image, *shares))), 16)
        assert (theirs ^ int(hashes[part])).bit_count() <= 6


def test_a_frame_has_equal_widths() -> None:
    """An object at the edge of a plain background is not a frame; a border is, and is not included in the parts."""
    bare, framed = scene(5), ImageOps.expand(scene(5), 30, "white")
    at_the_edge = disc("red", "white", x=0.33, y=0.33, radius=0.3)
    frames = unpack([compute_fingerprint(picture) for picture in (bare, framed, at_the_edge)])["frame"]
    assert frames[0].tolist() == [0, 0, 0, 0]
    assert frames[1] == pytest.approx([255 * 30 / 540, 255 * 30 / 420] * 2, abs=3)
    assert frames[2].tolist() == [0, 0, 0, 0]


def test_the_same_picture_always_has_the_same_fingerprint() -> None:
    """Two fingerprints of one image are equal, so that they can be compared as bytes."""
    assert compute_fingerprint(scene(8)) == compute_fingerprint(scene(8))


def test_a_fingerprint_of_another_version_is_refused() -> None:
    """Fingerprints of another version are refused."""
    with pytest.raises(ValueError, match="another version"):
        unpack([compute_fingerprint(scene(1)), Fingerprint(b"short")])


def test_importing_fingerprint_does_not_import_scipy() -> None:
    """The hash library and scipy are loaded with the first image, not with the module."""
    code = "import sys, harvest.duplicates.fingerprint; sys.exit('scipy' in sys.modules or 'imagehash' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="no photographs next to the repository")
def test_changed_photographs_are_duplicates() -> None:
    """At most one change in a hundred hides one of 25 photographs, and no two of them are duplicates."""
    images = [Image.open(path).convert("RGB") for path in sorted(PHOTOGRAPHS.glob("*/*.jpg"))[::24]]
    lost = [
        (name, n) for name, change in CHANGES.items() for n, i in enumerate(images) if not are_duplicates(i, change(i))
    ]
    assert len(lost) <= len(images) * len(CHANGES) / 100, lost
    assert not any(are_duplicates(one, two) for n, one in enumerate(images) for two in images[:n])
