"""How many changed pictures are known again, and how many others are taken for them: ours beside imagededup.

    python tests/bench/duplicates.py

Takes photographs from ../shared/data where they are, and cuts some to come to a thousand; else draws them.
Each is changed as the web changes pictures; a rule is good when it knows the changed from the original
(recall) and joins no two different pictures (false pairs). imagededup's own rule, a pHash distance of at most
10, is asked through imagededup where it imports (it needs torchvision), else through its documented formula.
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
# The same picture twice, or the same thing a moment later: pairs found by eye in those folders.
TWICE = {
    "clean/000011", "clean/000047.png", "dirty/000069", "dirty/000071", "dirty/000073", "dirty/000074",
    "dandelion/19437710780", "tulips/12916441224",
}  # fmt: skip
COUNT = 1001  # 500,500 pairs


def photographs() -> Iterator[Image.Image]:
    """Yield whole photographs and then thirds of some, no two of the same thing."""
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
    """Yield pictures of scattered forms, in a manner of its own each."""
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
    """Cut shares of the sides off."""
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(w - right * w), round(h - bottom * h)))


def cropped_anywhere(image: Image.Image, share: float) -> Image.Image:
    """Cut a share of both sides off, more of it here or there by the picture's own chance."""
    left, top = np.random.default_rng(int(np.asarray(image).sum())).random(2) * share
    return cropped(image, left, top, share - left, share - top)


def bordered(image: Image.Image, share: float, colour: str) -> Image.Image:
    return ImageOps.expand(image, (round(share * image.width), round(share * image.height)), colour)


def marked(image: Image.Image) -> Image.Image:
    """Write an address into the lower right corner."""
    image, height = image.copy(), max(8, image.height // 16)
    pen = ImageDraw.Draw(image, "RGBA")
    place = (image.width - 7 * height, image.height - 1.5 * height)
    pen.text(place, "example.com", (255, 255, 255, 180), ImageFont.load_default(height))
    return image


# Change, the recall to reach, and what is done.
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
    """Return imagededup's hash, and what computes it here."""
    try:
        from imagededup.methods import PHash  # noqa: PLC0415 - a rival need not be installed

        rival = PHash(verbose=False)
        return "imagededup itself", lambda image: int(rival.encode_image(image_array=np.asarray(image)), 16)
    except (ImportError, OSError, RuntimeError) as why:
        from scipy.fftpack import dct  # noqa: PLC0415 - only without the rival

        def phash(image: Image.Image) -> int:
            pixels = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS).convert("L"))
            waves = dct(dct(pixels, axis=0), axis=1)[:8, :8]
            bits = waves >= np.median(waves.ravel()[1:])
            return int.from_bytes(np.packbits(bits).tobytes(), "big")

        return f"imagededup's formula ({why})", phash


class Rule:
    """Ours at some radius, with the second look or without."""

    def __init__(self, radius: int, *, second_look: bool = True) -> None:
        self.name = f"radius {radius}" if second_look else "hashes alone"
        self.radius, self.second_look = radius, second_look

    def twins(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Tell of each look in one whether its counterpart in two is a twin."""
        row, part, other = np.nonzero(
            np.bitwise_count(one["hashes"][:, :, None] ^ two["hashes"][:, None]) <= self.radius
        )
        if self.second_look:
            row = row[similarity(one[row], part, two[row], other) > 0]
        return np.isin(np.arange(len(one)), row)

    def false(self, looks: np.ndarray) -> int:
        """Count the twins among looks of which no two are of one picture."""
        return sum(int(self.twins(np.repeat(looks[[row]], row), looks[:row]).sum()) for row in range(1, len(looks)))


def main() -> None:
    real = (DATA / "flowers").is_dir()
    images = [image for image, _ in zip(photographs() if real else drawings(), range(COUNT), strict=False)]
    how, phash = theirs()
    looks = unpack([compute_fingerprint(image) for image in images])
    hashes = np.array([phash(image) for image in images], np.uint64)
    rules = [Rule(6), Rule(RADIUS), Rule(10), Rule(RADIUS, second_look=False)]

    print(f"{len(images)} {'photographs and cuts of them' if real else 'drawings'}; {how}\n")
    heads = "".join(f"{rule.name:>14}" for rule in rules)
    print(f"{'recall, %':28}{'to reach':>9}{'imagededup <= 10':>18}{heads}")
    for name, wanted, change in CHANGES:
        changed = [change(image) for image in images]
        found = np.bitwise_count(hashes ^ np.array([phash(image) for image in changed], np.uint64)) <= 10
        new = unpack([compute_fingerprint(image) for image in changed])
        ours = "".join(f"{100 * rule.twins(looks, new).mean():14.1f}" for rule in rules)
        print(f"{name:28}{wanted:9}{100 * found.mean():18.1f}{ours}", flush=True)
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= 10
    ours = "".join(f"{rule.false(looks):14}" for rule in rules)
    pairs = len(images) * (len(images) - 1) // 2
    print(f"{f'false pairs of {pairs:,}':28}{1:9}{int(np.triu(near, 1).sum()):18}{ours}")


if __name__ == "__main__":
    main()
