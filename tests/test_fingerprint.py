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

from harvest.duplicates.compare import Likeness, compare
from harvest.duplicates.fingerprint import PACKED, PARTS, WHOLE, compute_fingerprint
from harvest.duplicates.hamming_search import RADIUS
from harvest.duplicates.index import find_duplicates
from harvest.duplicates.stored_fingerprints import unpack
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


def likeness(first: Image.Image, second: Image.Image) -> Likeness:
    """Return how two images are related, by all parts with near hashes."""
    return compare_fingerprints(compute_fingerprint(first), compute_fingerprint(second))


def compare_fingerprints(first: Fingerprint, second: Fingerprint) -> Likeness:
    one, two = unpack([first, second])
    part, other = np.nonzero(np.bitwise_count(one["hashes"][:, None] ^ two["hashes"]) <= RADIUS)
    pair = np.zeros(len(part), np.intp)
    found, _ = compare(np.repeat(one, len(part)), part, np.repeat(two, len(part)), other, pair)
    return Likeness(max(found, default=0))


def letterboxed(image: Image.Image, aspect: float, colour: str = "black") -> Image.Image:
    """Add bars on two sides."""
    size = max(image.width, round(image.height * aspect)), max(image.height, round(image.width / aspect))
    return ImageOps.pad(image, size, color=colour)


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
    "letterbox": lambda image: letterboxed(image, 16 / 9),
    "white square": lambda image: letterboxed(image, 1, "white"),
    "caption": lambda image: ImageOps.expand(image, (0, 0, 0, image.height // 10), "white"),
    "squashed": lambda image: image.resize((image.width * 4 // 5, image.height)),
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
def test_a_changed_picture_is_a_copy(change: Change) -> None:
    """An image with a change that is common on the web is certainly or probably a copy of the original."""
    assert [number for number in range(20) if not likeness(scene(number), change(scene(number)))] == []


@pytest.mark.parametrize(
    "name",
    ["half as large", "coarse JPEG", "grey", "darker", "white border", "letterbox", "white square", "squashed"],
)
def test_a_copy_that_is_complete_is_certain(name: str) -> None:
    """An image that was not cropped is certainly a copy: it is dropped."""
    found = [likeness(scene(number), CHANGES[name](scene(number))) for number in range(20)]
    assert found.count(Likeness.CERTAIN) >= 19


def test_other_pictures_are_not_copies() -> None:
    """Of 60 similar drawings no two are copies."""
    assert find_duplicates([compute_fingerprint(scene(number)) for number in range(60)]).pairs.tolist() == []


def shot(seed: int, *, moved: float = 0.0) -> Image.Image:
    """Draw the same field behind another animal; `moved` is how far the camera turned, in shares of the image."""
    rng = np.random.default_rng(7)
    grass = Image.fromarray(rng.integers(40, 200, (60, 80, 3)).astype(np.uint8)).resize((640, 480))
    pen = ImageDraw.Draw(grass)
    for x, y, w, h, *colour in np.random.default_rng(seed).integers(0, 100, (8, 7)).tolist():
        pen.ellipse((200 + x, 120 + y, 240 + x + w, 160 + y + h), fill=tuple(2 * each for each in colour))
    return cropped(grass, moved, 0, 0.05 - moved, 0)


def test_another_thing_on_the_same_background_is_not_certainly_a_copy() -> None:
    """Two photographs of different things in one place are both kept: what they share is only the background."""
    pairs = [likeness(shot(seed), shot(seed + 1, moved=0.02)) for seed in range(1, 20)]
    assert Likeness.CERTAIN not in pairs


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
    """A red disc is not certainly a blue one, nor one elsewhere or of another size, nor a square."""
    assert likeness(disc("red", "white"), disc("red", "white").resize((300, 300))) is Likeness.CERTAIN
    assert likeness(disc("red", "white"), other) is not Likeness.CERTAIN


def test_brightness_and_contrast_distinguish_drawings() -> None:
    """A light disc on grey is not a duplicate of a grey one on black, nor of a fainter one on grey."""
    assert Likeness.CERTAIN is not likeness(disc("#ffffff", "#909090"), disc("#6f6f6f", "#000000"))
    assert Likeness.CERTAIN is not likeness(disc("#ffffff", "#909090"), disc("#c0c0c0", "#909090"))


def test_I14_flat_pictures_share_a_hash_and_are_no_twins() -> None:
    """White, red and grey have the same hash, and comparing their thumbnails finds no duplicate."""
    colours = [Image.new("RGB", (300, 200), colour) for colour in ("white", "red", "grey")]
    assert len({unpack([compute_fingerprint(colour)])["hashes"].tobytes() for colour in colours}) == 1
    assert not any(likeness(colours[a], colours[b]) for a in range(3) for b in range(3))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (7, 7), (9000, 3), (3, 9000), (127, 128)])
def test_every_size_has_a_fingerprint(size: tuple[int, int]) -> None:
    """An image of one pixel has a fingerprint, and so has a line of 9,000."""
    assert len(compute_fingerprint(Image.radial_gradient("L").resize(size).convert("RGB")).data) == PACKED.itemsize


def test_a_fingerprint_is_small() -> None:
    """A fingerprint has less than 2 kB, so that those of a million images fit into memory."""
    assert len(compute_fingerprint(scene(1)).data) < 2000


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


def test_bars_have_any_width() -> None:
    """The thumbnail of a letterboxed image is that of the image; its bars are not in it."""
    bare, boxed = unpack([compute_fingerprint(scene(5)), compute_fingerprint(letterboxed(scene(5), 2))])
    assert boxed["bars"].tolist() == pytest.approx([255 / 6, 0, 255 / 6, 0], abs=3)
    assert np.abs(bare["luma"].astype(int) - boxed["luma"]).mean() < 4


def test_the_same_picture_always_has_the_same_fingerprint() -> None:
    """Two fingerprints of one image are equal, so that they can be compared as bytes."""
    assert compute_fingerprint(scene(8)) == compute_fingerprint(scene(8))


def test_a_fingerprint_of_another_version_is_refused() -> None:
    """Fingerprints of unknown length are refused."""
    with pytest.raises(ValueError, match="bytes, not 5"):
        unpack([compute_fingerprint(scene(1)), Fingerprint(b"short")])


def test_importing_fingerprint_does_not_import_scipy() -> None:
    """The hash library and scipy are loaded with the first image, not with the module."""
    code = "import sys, harvest.duplicates.fingerprint; sys.exit('scipy' in sys.modules or 'imagehash' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="no photographs next to the repository")
def test_changed_photographs_are_duplicates() -> None:
    """At most one change in a hundred hides one of 25 photographs, and no two of them are duplicates."""
    images = [Image.open(path).convert("RGB") for path in sorted(PHOTOGRAPHS.glob("*/*.jpg"))[::24]]
    lost = [(name, n) for name, change in CHANGES.items() for n, i in enumerate(images) if not likeness(i, change(i))]
    assert len(lost) <= len(images) * len(CHANGES) / 100, lost
    assert not any(likeness(one, two) for n, one in enumerate(images) for two in images[:n])


CLOTHING = PHOTOGRAPHS.parent / "clothing"


@pytest.mark.skipif(not CLOTHING.is_dir(), reason="no photographs next to the repository")
def test_like_things_on_like_backgrounds_are_kept() -> None:
    """Of 160 photographs of single garments, all distinct, none is certainly a copy of another."""
    images = [Image.open(path).convert("RGB") for path in sorted(CLOTHING.glob("*/*.jpg"))[::2]]
    found = find_duplicates([compute_fingerprint(image) for image in images])
    assert found.pairs[found.is_certain].tolist() == []


def earlier(image: Image.Image) -> Fingerprint:
    """Return a fingerprint as the version before packed it: 12 hashes, 16 x 16 pixels of the whole image."""
    now = unpack([compute_fingerprint(image)])[0]
    inside, half, tenth, eighth = now["hashes"][:4]
    hashes = np.array([now["hashes"][WHOLE], inside, half, tenth, eighth, *[inside] * 7], "<u8")
    luma, *chroma = image.convert("YCbCr").split()
    small = [np.asarray(luma.resize((16, 16), Image.Resampling.BOX))]
    small += [np.asarray(channel.resize((8, 8), Image.Resampling.BOX)) for channel in chroma]
    return Fingerprint(hashes.tobytes() + now["frame"].tobytes() + b"".join(each.tobytes() for each in small))


@pytest.mark.parametrize("name", ["half as large", "coarse JPEG", "WebP", "darker", "white border"])
def test_an_earlier_fingerprint_finds_complete_copies(name: str) -> None:
    """A rejected image without a file, of which only a fingerprint of the version before is left, is recognised."""
    found = [compare_fingerprints(earlier(scene(n)), compute_fingerprint(CHANGES[name](scene(n)))) for n in range(20)]
    assert found.count(Likeness.CERTAIN) >= 18


def test_an_earlier_fingerprint_is_not_that_of_another_image() -> None:
    """Fingerprints of the version before find no copies among other images."""
    old, new = ([make(scene(n)) for n in range(30)] for make in (earlier, compute_fingerprint))
    assert not any(compare_fingerprints(old[a], new[b]) for a in range(30) for b in range(30) if a != b)


@pytest.mark.parametrize("share", [0.08, 0.12, 0.2])
def test_an_image_with_something_added_is_not_certainly_a_copy(share: float) -> None:
    """An image that differs in one place, as two cards or two moments of one camera do, is kept."""
    changed = []
    for number in range(20):
        image = scene(number)
        x, y, width = 0.3 * image.width, 0.3 * image.height, share * image.width
        there = np.asarray(image.resize((1, 1), box=(x, y, x + width, y + width)))[0, 0].astype(int)
        colour = tuple((there + (70 if there.mean() < 128 else -70)).clip(0, 255).tolist())
        ImageDraw.Draw(image).ellipse((x, y, x + width, y + width), fill=colour)
        changed.append(likeness(scene(number), image))
    assert Likeness.CERTAIN not in changed
