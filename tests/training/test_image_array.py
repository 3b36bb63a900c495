"""The image array that a network receives for a file."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor, ImageOps
from transformers import AutoImageProcessor

from harvest.models import Refusal
from harvest.training import image_array
from harvest.verdicts import Verdict
from tests.bombs import bomb
from tests.pictures import CORNERS, corners, encoded, photo
from tests.training.tiny import network

# The transformation that a camera applies to an upright image before storing it with this orientation.
BACK = {
    1: lambda image: image,
    2: ImageOps.mirror,
    3: lambda image: image.rotate(180),
    4: ImageOps.flip,
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.rotate(90, expand=True),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.rotate(270, expand=True),
}
SIZES = [(320, 240), (240, 320), (300, 300), (50, 37), (20, 31), (1, 500), (333, 64)]


def shown(picture, size):
    return image_array.centre_crop(image_array.load_image(picture, size), size)


@pytest.fixture(scope="module")
def processor(run):
    return AutoImageProcessor.from_pretrained(run)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_same_as_transformers(processor, size):
    """Transformers' processor gives the same numbers for our preprocessor_config.json."""
    tiny, image = network(), photo(*size)

    ours = image_array.to_tensor(shown(encoded(image, "PNG"), tiny.size), tiny.mean, tiny.std)

    theirs = processor(image, return_tensors="pt")["pixel_values"][0]
    assert (ours - theirs).abs().max() < 0.06  # one level is 0.018: some pixels differ by three
    assert (ours - theirs).abs().mean() < 0.006


def test_a_large_jpeg_is_nearly_the_same(processor):
    """A JPEG decoded at a quarter is nearly equal to the full one."""
    tiny, body = network(), encoded(photo(1600, 1200), quality=95)

    ours = image_array.to_tensor(shown(body, tiny.size), tiny.mean, tiny.std)

    with Image.open(io.BytesIO(body)) as image:
        theirs = processor(image, return_tensors="pt")["pixel_values"][0]
    assert (ours - theirs).abs().mean() < 0.03


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_any_picture_becomes_a_square(size, kind):
    """Any shape and format becomes an RGB square, from an image no larger than needed."""
    seen = image_array.load_image(encoded(photo(*size), kind), 32)

    assert min(seen.size) == min(*size, image_array.resize_side(32))
    assert image_array.centre_crop(seen, 32).size == (32, 32)
    assert seen.mode == "RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(orientation):
    """An image is rotated by its Exif orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = corners(48, 64) if orientation >= 5 else corners(64, 48)
    turned = BACK[orientation](lying)

    seen = image_array.load_image(encoded(turned, quality=95, subsampling=0, exif=exif), 28)

    assert seen.size == ((32, 42) if orientation >= 5 else (42, 32))
    for place, colour in CORNERS.items():
        at = (3 if "left" in place else seen.width - 4, 3 if "top" in place else seen.height - 4)
        assert np.abs(np.subtract(seen.getpixel(at), ImageColor.getrgb(colour))).max() < 30, place


def test_transparent_pixels_become_white():
    """Transparent pixels become white."""
    assert shown(encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0)), "PNG"), 32).getcolors() == [
        (32 * 32, (255, 255, 255))
    ]


def test_a_file_is_read_as_its_bytes(tmp_path):
    """A path and its bytes give the same image."""
    path = tmp_path / "picture"
    path.write_bytes(encoded(photo()))

    assert image_array.load_image(path, 64) == image_array.load_image(path.read_bytes(), 64)


@pytest.mark.parametrize("body", [b"", b"no picture", encoded(photo())[:400], encoded(photo(), "PNG")[:-900]])
def test_T02_a_broken_file_gives_a_refusal(body):
    """A file that does not decode gives a refusal with a reason, not an exception."""
    assert isinstance(image_array.load_image(body, 32), Refusal)


def test_a_bomb_is_refused_by_its_header():
    """An image of too many pixels is not decoded."""
    assert image_array.load_image(bomb(), 32).verdict == Verdict.TOO_MANY_PIXELS


def test_a_deleted_file_gives_a_refusal(tmp_path):
    """A deleted file gives a refusal, not an exception."""
    assert "cannot be read" in image_array.load_image(tmp_path / "gone.jpg", 32).detail


def test_batches_have_channels_last():
    """A batch keeps the order of its images, in the channels-last memory layout."""
    levels = np.stack([np.asarray(photo(32, 32, seed)) for seed in (1, 2)])
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)

    batch = image_array.normalize(torch.from_numpy(levels), mean, std)

    assert batch.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(batch[1], image_array.to_tensor(photo(32, 32, 2), mean, std))


@pytest.fixture
def resized(monkeypatch):
    """List the sizes that images are resized to."""
    sizes = []
    resize = Image.Image.resize

    def noted(image, size, *more, **named):
        sizes.append(tuple(size))
        return resize(image, size, *more, **named)

    monkeypatch.setattr(Image.Image, "resize", noted)
    return sizes


@pytest.mark.parametrize("size", [(1, 65_535), (65_535, 1), (2, 40_000), (1, 1_000_000)], ids=str)
def test_X09_a_thin_image_is_cropped_before_it_is_resized(resized, size):
    """Of an image one pixel wide, only the cropped part is enlarged."""
    levels = np.zeros((size[1], size[0], 3), np.uint8)
    middle = tuple(slice(side // 2 - 2, side // 2 + 3) if side > 2 else slice(None) for side in size[::-1])
    levels[middle] = (200, 100, 50)
    body = encoded(Image.fromarray(levels), "PNG")
    resized.clear()

    view = shown(body, 224)

    assert view.getcolors() == [(224 * 224, (200, 100, 50))]
    assert all(across * down <= 2 * max(size) + 256 * 256 for across, down in resized)


@pytest.mark.parametrize("size", [(50, 37), (20, 31), (200, 255), (3, 90)], ids=str)
def test_cropping_first_changes_no_more_than_rounding(size):
    """Cropping before enlarging a small image changes it by rounding only."""
    image = photo(*size)
    wide, high = (side * 256 // min(size) for side in size)
    left, top = (wide - 224) // 2, (high - 224) // 2
    whole = image.resize((wide, high), Image.Resampling.BILINEAR)

    expected = np.asarray(whole.crop((left, top, left + 224, top + 224)), np.int16)

    apart = np.abs(np.asarray(image_array.centre_crop(image, 224), np.int16) - expected)
    assert apart.max() <= 2
    assert apart.mean() < 0.3
