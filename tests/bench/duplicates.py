"""Measure how many changed images are recognised, and how many others are confused with them: harvest and imagededup.

    python tests/bench/duplicates.py

Uses the photographs in ../shared/data if there are any, and parts of some to get a thousand; otherwise drawings.
Each is changed as copies on the web are. A rule is good if it matches the changed image with the original
(recall), and no two different images (false pairs). imagededup's own rule, a pHash distance of at most 10, is
computed by imagededup if it can be imported (it needs torchvision), otherwise by its documented formula.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.duplicates.fingerprint import compute_fingerprint, similarity, unpack
from harvest.duplicates.hamming import RADIUS
from harvest.providers.sample_drawing import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(__file__).parents[3] / "shared" / "data"
# The same image twice, or the same object a moment later: pairs found by eye in those folders.
TWICE = {
    "clean/000011", "clean/000047.png", "dirty/000069", "dirty/000071", "dirty/000073", "dirty/000074",
    "dandelion/19437710780", "tulips/12916441224",
}  # fmt: skip
COUNT = 1001  # 500,500 pairs


def photographs() -> Iterator[Image.Image]:
    """Yield whole photographs, then thirds of some; no two show the same object."""
    paths = sorted((*DATA.glob("flowers/*/*"), *DATA.glob("kitchen/*/*")))
    paths = [path for path in paths if not any(name in str(path) for name in TWICE)]
    for path in paths:
        yield loaded(path)
    for path in paths:
        image = loaded(path)
        for third in range(3):
            yield image.crop((image.width * third // 3, 0, image.width * (third + 1) // 3, image.height))


def loaded(path: Path) -> Image.Image:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    white.thumbnail((700, 700))
    return white.convert("RGB")


def drawings() -> Iterator[Image.Image]:
    """Yield drawings of scattered shapes, each in a style of its own."""
    number = 0
    while True:
        yield draw(f"scattered {number}", number)
        number += 1


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


# The change, the recall to reach, and the function that makes it.
CHANGES: list[tuple[str, float, Callable[[Image.Image], Image.Image]]] = [
    ("resized to 50 %", 99.5, lambda image: scaled(image, 0.5)),
    ("resized to 25 %", 99.5, lambda image: scaled(image, 0.25)),
    ("JPEG quality 30", 99.5, lambda image: encoded(image, "JPEG", 30)),
    ("WebP quality 75", 99.5, lambda image: encoded(image, "WEBP", 75)),
    ("small watermark", 99.5, marked),
    ("grey", 99.5, lambda image: image.convert("L").convert("RGB")),
    ("colour +30 %", 99.5, lambda image: ImageEnhance.Color(image).enhance(1.3)),
    ("colour -30 %", 99.5, lambda image: ImageEnhance.Color(image).enhance(0.7)),
    ("contrast +20 %", 99.5, lambda image: ImageEnhance.Contrast(image).enhance(1.2)),
    ("contrast -20 %", 99.5, lambda image: ImageEnhance.Contrast(image).enhance(0.8)),
    ("brightness +15 %", 99.5, lambda image: ImageEnhance.Brightness(image).enhance(1.15)),
    ("white border of 4 %", 98, lambda image: bordered(image, 0.04, "white")),
    ("the same, JPEG quality 30", 98, lambda image: encoded(bordered(image, 0.04, "white"), "JPEG", 30)),
    ("black border of 10 %", 98, lambda image: bordered(image, 0.1, "black")),
    ("5 % crop (2.5 % a side)", 98, lambda image: cropped(image, 0.025, 0.025, 0.025, 0.025)),
    ("5 % crop, at one corner", 98, lambda image: cropped(image, 0.05, 0.05, 0, 0)),
    ("5 % crop, anywhere", 98, lambda image: cropped_anywhere(image, 0.05)),
    ("10 % crop (5 % a side)", 85, lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05)),
    ("10 % crop, at the bottom", 85, lambda image: cropped(image, 0, 0, 0, 0.1)),
    ("10 % crop, at the left", 85, lambda image: cropped(image, 0.1, 0, 0, 0)),
    ("10 % crop, at one corner", 85, lambda image: cropped(image, 0, 0, 0.1, 0.1)),
    ("10 % crop, anywhere", 85, lambda image: cropped_anywhere(image, 0.1)),
    ("20 % crop (10 % a side)", 85, lambda image: cropped(image, 0.1, 0.1, 0.1, 0.1)),
    ("20 % crop, left and right", 0, lambda image: cropped(image, 0.1, 0, 0.1, 0)),
    (
        "5 % crop, 50 %, JPEG 50",
        98,
        lambda image: encoded(scaled(cropped(image, *[0.025] * 4), 0.5), "JPEG", 50),
    ),
]


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


class Rule:
    """Our rule with some radius, with or without confirming by thumbnail."""

    def __init__(self, radius: int, *, confirm: bool = True) -> None:
        self.name = f"radius {radius}" if confirm else "hashes alone"
        self.radius, self.confirm = radius, confirm

    def match(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Return which fingerprints in one are duplicates of those at the same position in two."""
        row, part, other = np.nonzero(
            np.bitwise_count(one["hashes"][:, :, None] ^ two["hashes"][:, None]) <= self.radius
        )
        if self.confirm:
            row = row[similarity(one[row], part, two[row], other) > 0]
        return np.isin(np.arange(len(one)), row)

    def count_false(self, known: np.ndarray) -> int:
        """Count the duplicates among the fingerprints of different images."""
        return sum(int(self.match(np.repeat(known[[row]], row), known[:row]).sum()) for row in range(1, len(known)))


def main() -> None:
    real = (DATA / "flowers").is_dir()
    images = [image for image, _ in zip(photographs() if real else drawings(), range(COUNT), strict=False)]
    how, phash = theirs()
    known = unpack([compute_fingerprint(image) for image in images])
    hashes = np.array([phash(image) for image in images], np.uint64)
    rules = [Rule(6), Rule(RADIUS), Rule(10), Rule(RADIUS, confirm=False)]

    print(f"{len(images)} {'photographs and parts of them' if real else 'drawings'}; {how}\n")
    heads = "".join(f"{rule.name:>14}" for rule in rules)
    print(f"{'recall, %':28}{'goal':>9}{'imagededup <= 10':>18}{heads}")
    for name, wanted, change in CHANGES:
        changed = [change(image) for image in images]
        found = np.bitwise_count(hashes ^ np.array([phash(image) for image in changed], np.uint64)) <= 10
        new = unpack([compute_fingerprint(image) for image in changed])
        ours = "".join(f"{100 * rule.match(known, new).mean():14.1f}" for rule in rules)
        print(f"{name:28}{wanted:9}{100 * found.mean():18.1f}{ours}", flush=True)
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= 10
    ours = "".join(f"{rule.count_false(known):14}" for rule in rules)
    pairs = len(images) * (len(images) - 1) // 2
    print(f"{f'false pairs of {pairs:,}':28}{1:9}{int(np.triu(near, 1).sum()):18}{ours}")


if __name__ == "__main__":
    main()
