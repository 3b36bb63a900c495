"""Measure how many changed images are recognised, and how many distinct ones are taken for copies.

    python tests/bench/duplicates.py [FOLDER...]

Uses each population of photographs in ../shared/data, or of the folders given, which must have no copies in them;
without any, drawings. Each image is changed as copies on the web are. For each change it prints the share of changed
images that are found, as certain or probable copies, and that are certain, and so dropped; then the distinct images
that would be dropped, and the probable pairs. imagededup's own rule, a pHash distance of at most 10, is computed by
imagededup if it can be imported (it needs torchvision), otherwise by its documented formula.

The limits of `harvest/duplicates/compare.py` were chosen on the clothing alone, and the parts of `fingerprint.py`
on every third image of each population.
"""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.duplicates.compare import Likeness, compare
from harvest.duplicates.fingerprint import compute_fingerprint
from harvest.duplicates.hamming_search import RADIUS
from harvest.duplicates.index import find_duplicates, group_duplicates
from harvest.duplicates.stored_fingerprints import unpack
from harvest.providers.sample_drawing import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harvest.models import Fingerprint

DATA = Path(__file__).parents[3] / "shared" / "data"
POPULATIONS = ("clothing", "flowers", "kitchen")
# The same image twice, or the same object a moment later: pairs found by eye in those folders.
TWICE = {
    "clean/000011", "clean/000047.png", "dirty/000069", "dirty/000071", "dirty/000073", "dirty/000074",
    "dandelion/19437710780", "tulips/12916441224",
}  # fmt: skip
DRAWINGS = 300


def find_images(folder: Path) -> list[Path]:
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
    return [path for path in paths if not any(name in str(path) for name in TWICE)]


def loaded(path: Path) -> Image.Image:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    white.thumbnail((700, 700))
    return white.convert("RGB")


def drawn(number: int) -> Image.Image:
    """Return a drawing of scattered shapes, each in a style of its own."""
    return draw(f"scattered {number}", number)


def encoded(image: Image.Image, kind: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Crop shares of the sides."""
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(w - right * w), round(h - bottom * h)))


def cropped_anywhere(image: Image.Image, share: float) -> Image.Image:
    """Crop a share of both sides, at a random position that depends on the image."""
    left, top = np.random.default_rng(int(np.asarray(image).sum())).random(2) * share
    return cropped(image, left, top, share - left, share - top)


def bordered(image: Image.Image, share: float, colour: str) -> Image.Image:
    return ImageOps.expand(image, (round(share * image.width), round(share * image.height)), colour)


def marked(image: Image.Image) -> Image.Image:
    """Write a web address into the lower right corner."""
    image, height = image.copy(), max(8, image.height // 16)
    pen = ImageDraw.Draw(image, "RGBA")
    place = (image.width - 7 * height, image.height - 1.5 * height)
    pen.text(place, "example.com", (255, 255, 255, 180), ImageFont.load_default(height))
    return image


def letterboxed(image: Image.Image, aspect: float, ground: Image.Image | str = "black") -> Image.Image:
    """Add bars on two sides, of a colour or of another image."""
    width, height = max(image.width, round(image.height * aspect)), max(image.height, round(image.width / aspect))
    canvas = Image.new("RGB", (width, height), ground if isinstance(ground, str) else None)
    if not isinstance(ground, str):
        canvas.paste(ground.resize((width, height)))
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas


def squared_in_its_own_colour(image: Image.Image) -> Image.Image:
    """Make an image square with bars of the colour of its edge, as some shops do."""
    pixels = np.asarray(image)
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    return letterboxed(image, 1, "#{:02x}{:02x}{:02x}".format(*np.median(edge, axis=0).astype(int)))


def captioned(image: Image.Image, share: float, ground: str, ink: str) -> Image.Image:
    """Add a bar with text below an image."""
    height = max(12, round(image.height * share))
    canvas = ImageOps.expand(image, (0, 0, 0, height), ground)
    place = image.width * 0.05, image.height + height * 0.2
    ImageDraw.Draw(canvas).text(place, "As seen on the web", ink, ImageFont.load_default(max(8, height * 0.5)))
    return canvas


def stretched(image: Image.Image, width: float, height: float) -> Image.Image:
    return image.resize((round(image.width * width), round(image.height * height)))


class Change(NamedTuple):
    """A change; the share of changed images to find, in percent, and of those to drop."""

    name: str
    found: float
    certain: float
    make: Callable[[Image.Image], Image.Image]


def crop(name: str, found: float, *shares: float) -> Change:
    return Change(name, found, 0, lambda image: cropped(image, *shares))


SIDES = {"left": (1, 0, 0, 0), "top": (0, 1, 0, 0), "right": (0, 0, 1, 0), "bottom": (0, 0, 0, 1)}
CORNERS = {
    "top left": (1, 1, 0, 0),
    "top right": (0, 1, 1, 0),
    "bottom left": (1, 0, 0, 1),
    "bottom right": (0, 0, 1, 1),
}
CROP = crop("5 % crop (2.5 % a side)", 98, *[0.025] * 4)
CHANGES = [
    Change("resized to 50 %", 99, 97, lambda image: scaled(image, 0.5)),
    Change("resized to 25 %", 99, 97, lambda image: scaled(image, 0.25)),
    Change("JPEG quality 30", 99, 97, lambda image: encoded(image, "JPEG", 30)),
    Change("25 %, JPEG quality 30", 99, 97, lambda image: encoded(scaled(image, 0.25), "JPEG", 30)),
    Change("WebP quality 75", 99, 97, lambda image: encoded(image, "WEBP", 75)),
    Change("grey", 99, 97, lambda image: image.convert("L").convert("RGB")),
    Change("colour +30 %", 99, 97, lambda image: ImageEnhance.Color(image).enhance(1.3)),
    Change("colour -30 %", 99, 97, lambda image: ImageEnhance.Color(image).enhance(0.7)),
    Change("contrast +20 %", 99, 97, lambda image: ImageEnhance.Contrast(image).enhance(1.2)),
    Change("contrast -20 %", 99, 97, lambda image: ImageEnhance.Contrast(image).enhance(0.8)),
    Change("brightness +15 %", 99, 97, lambda image: ImageEnhance.Brightness(image).enhance(1.15)),
    Change("brightness -15 %", 99, 97, lambda image: ImageEnhance.Brightness(image).enhance(0.85)),
    Change("white border of 4 %", 99, 97, lambda image: bordered(image, 0.04, "white")),
    Change("the same, JPEG quality 30", 99, 97, lambda image: encoded(bordered(image, 0.04, "white"), "JPEG", 30)),
    Change("black border of 10 %", 99, 97, lambda image: bordered(image, 0.1, "black")),
    Change("letterbox 4:3", 99, 97, lambda image: letterboxed(image, 4 / 3)),
    Change("letterbox 16:9", 99, 97, lambda image: letterboxed(image, 16 / 9)),
    Change("letterbox 2:1", 99, 97, lambda image: letterboxed(image, 2)),
    Change("square, white (ours)", 99, 97, lambda image: letterboxed(image, 1, "white")),
    Change("square, black", 99, 97, lambda image: letterboxed(image, 1)),
    Change("square, JPEG quality 50", 99, 97, lambda image: encoded(letterboxed(image, 1, "white"), "JPEG", 50)),
    Change("square, in its own colour", 99, 97, squared_in_its_own_colour),
    Change("square, blurred", 0, 0, lambda image: letterboxed(image, 1, image.filter(ImageFilter.GaussianBlur(20)))),
    Change("caption of 8 %, white", 99, 97, lambda image: captioned(image, 0.08, "white", "black")),
    Change("caption of 12 %, black", 99, 97, lambda image: captioned(image, 0.12, "black", "white")),
    Change("20 % narrower", 99, 97, lambda image: stretched(image, 0.8, 1)),
    Change("20 % lower", 99, 97, lambda image: stretched(image, 1, 0.8)),
    Change("small watermark", 0, 0, marked),
    Change("mirrored", 0, 0, ImageOps.mirror),
    *(crop(f"5 % off the {name}", 98, *(0.05 * side for side in sides)) for name, sides in SIDES.items()),
    CROP,
    Change("5 % crop, anywhere", 98, 0, lambda image: cropped_anywhere(image, 0.05)),
    Change("5 % crop, 50 %, JPEG 50", 98, 0, lambda image: encoded(scaled(CROP.make(image), 0.5), "JPEG", 50)),
    *(crop(f"10 % off the {name}", 97, *(0.1 * side for side in sides)) for name, sides in SIDES.items()),
    crop("10 % crop (5 % a side)", 97, *[0.05] * 4),
    Change("10 % crop, anywhere", 97, 0, lambda image: cropped_anywhere(image, 0.1)),
    *(crop(f"10 % off the {name}", 95, *(0.1 * side for side in sides)) for name, sides in CORNERS.items()),
    crop("15 % crop (7.5 % a side)", 90, *[0.075] * 4),
    *(crop(f"15 % off the {name}", 90, *(0.15 * side for side in sides)) for name, sides in SIDES.items()),
    crop("3:2 to 16:9", 90, 0, 0.078, 0, 0.078),
    crop("16:9 to 3:2", 90, 0.078, 0, 0.078, 0),
    Change("15 % crop, anywhere", 0, 0, lambda image: cropped_anywhere(image, 0.15)),
    crop("20 % crop (10 % a side)", 0, *[0.1] * 4),
]  # fmt: skip


def theirs() -> tuple[str, Callable[[Image.Image], int]]:
    """Return the name of imagededup's hash, and a function that computes it."""
    try:
        from imagededup.methods import PHash  # noqa: PLC0415 - a peer need not be installed

        rival = PHash(verbose=False)
        return "imagededup itself", lambda image: int(rival.encode_image(image_array=np.asarray(image)), 16)
    except (ImportError, OSError, RuntimeError) as why:
        from scipy.fftpack import dct  # noqa: PLC0415 - only without the peer

        def phash(image: Image.Image) -> int:
            pixels = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS).convert("L"))
            waves = dct(dct(pixels, axis=0), axis=1)[:8, :8]
            bits = waves >= np.median(waves.ravel()[1:])
            return int.from_bytes(np.packbits(bits).tobytes(), "big")

        return f"imagededup's formula ({why})", phash


def measure(make: Callable[[], Image.Image]) -> list[tuple[Fingerprint, int]]:
    """Return our fingerprint and imagededup's of an image and of each change of it."""
    image = make()
    versions = [image, *(change.make(image) for change in CHANGES)]
    return [(compute_fingerprint(version), PHASH(version)) for version in versions]


def match(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the likeness of the fingerprints at the same positions."""
    row, part, other = np.nonzero(np.bitwise_count(one["hashes"][:, :, None] ^ two["hashes"][:, None]) <= RADIUS)
    likeness = np.zeros(len(one), np.intp)
    np.maximum.at(likeness, row, compare(one[row], part, two[row], other, row)[0])
    return likeness


def report(name: str, makers: Sequence[Callable[[], Image.Image]]) -> None:
    with ProcessPoolExecutor() as pool:
        measured = list(pool.map(measure, makers, chunksize=4))
    ours, theirs = zip(*(zip(*versions, strict=True) for versions in measured), strict=True)
    hashes = np.array(theirs, np.uint64)
    print(f"\n{name}: {len(makers)} images\n")
    print(f"{'of the changed images, %':28}{'to find':>9}{'found':>8}{'to drop':>9}{'dropped':>9}{'imagededup':>12}")
    original = unpack([versions[0] for versions in ours])
    for number, change in enumerate(CHANGES, 1):
        likeness = match(original, unpack([versions[number] for versions in ours]))
        near = np.bitwise_count(hashes[:, 0] ^ hashes[:, number]) <= 10
        found, dropped = 100 * (likeness > 0).mean(), 100 * (likeness == Likeness.CERTAIN).mean()
        missed = "" if found >= change.found and dropped >= change.certain else "  missed"
        figures = f"{change.found:9}{found:8.1f}{change.certain:9}{dropped:9.1f}{100 * near.mean():12.1f}"
        print(f"{change.name:28}{figures}{missed}", flush=True)
    pairs, is_certain = find_duplicates([versions[0] for versions in ours])
    near = np.triu(np.bitwise_count(hashes[:, :1] ^ hashes[:, 0]) <= 10, 1)
    print(f"distinct images dropped: {describe(pairs[is_certain], len(makers))}")
    print(f"distinct images that are probable copies: {describe(pairs[~is_certain], len(makers))}")
    print(f"distinct images dropped by imagededup: {describe(np.argwhere(near), len(makers))}")


def describe(pairs: np.ndarray, count: int) -> str:
    """Return the number of pairs, and of the images that are left out if one of each group is kept."""
    dropped = int((group_duplicates(pairs, count) != np.arange(count)).sum())
    return f"{dropped} ({100 * dropped / count:.1f} %), in {len(pairs)} pairs of {count * (count - 1) // 2:,}"


RIVAL, PHASH = theirs()


def main(folders: Iterable[Path]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"pHash distance of at most 10: {RIVAL}")
    populations = {folder.name: find_images(folder) for folder in folders if folder.is_dir()}
    for name, paths in populations.items():
        report(name, [partial(loaded, path) for path in paths])
    if not populations:
        report("drawings", [partial(drawn, number) for number in range(DRAWINGS)])


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [DATA / name for name in POPULATIONS])
