"""The images that are written: size, shape, name, and what does not depend on the recipe."""

import dataclasses
import hashlib
import itertools
import pickle
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageChops, JpegImagePlugin

from harvest import images
from harvest.duplicates.index import DuplicateIndex
from harvest.duplicates.stored_fingerprints import unpack
from harvest.models import Recipe
from tests import pictures
from tests.images.processing import AS_IT_IS, HIT, developed, near, opened, shown

LOSSLESS = ["PNG", "BMP", "GIF", "WEBP"]


@cache
def large(kind="JPEG"):
    """Draw a photograph of two megapixels, once."""
    return pictures.encoded(pictures.photo(1600, 1200), kind, quality=92)


def lossless(image, kind):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    return pictures.encoded(image, kind, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [50, 64, 299, 500, 799, 800, 801, 1599])
def test_the_longest_side_is_the_size(kind, size):
    """Without padding the longest side is exactly the size, and the aspect ratio is kept."""
    picture = developed(large(kind), Recipe(size=size, pad=False))
    assert (picture.width, picture.height) == (size, round(size * 3 / 4)) == opened(picture.data).size
    assert (picture.original_width, picture.original_height) == (1600, 1200)
    assert picture.original_format == kind


def test_a_padded_picture_is_a_white_square():
    """With padding the image is in the middle of a white square."""
    image = shown(pictures.encoded(pictures.corners(640, 320), "PNG"), Recipe(size=200))
    assert image.size == (200, 200)
    assert near(image, (100, 40), (255, 255, 255))
    assert near(image, (100, 160), (255, 255, 255))
    assert near(image, (20, 60), (255, 0, 0), 30)
    assert near(image, (180, 140), (0, 0, 255), 30)


def test_a_small_picture_is_not_enlarged():
    """An image smaller than the size keeps its pixels, padded or not."""
    body = pictures.encoded(pictures.photo(), "PNG")
    assert shown(body, Recipe(size=500, pad=False)).size == (320, 240)
    square = shown(body, Recipe(size=500, quality=95))
    assert square.size == (500, 500)
    inside = square.crop((90, 130, 410, 370))
    assert np.asarray(ImageChops.difference(inside, pictures.photo())).mean() < 4


@pytest.mark.parametrize("pad", [True, False])
def test_size_zero_keeps_size_and_shape(pad):
    """Size 0 neither scales nor pads."""
    assert shown(large(), Recipe(size=0, pad=pad)).size == (1600, 1200)


def test_a_thin_picture_keeps_a_line():
    """However small the size is, each side keeps at least one pixel."""
    body = pictures.encoded(pictures.photo(1000, 200))
    assert shown(body, Recipe(size=2, pad=False)).size == (2, 1)


def test_scaled_decoding_shows_the_same():
    """A JPEG decoded at a reduced scale looks like one decoded completely and then scaled."""
    full = pictures.photo(1600, 1200).resize((500, 375), Image.Resampling.LANCZOS)
    difference = np.asarray(ImageChops.difference(shown(large(), Recipe(size=500, pad=False)), full))
    assert difference.mean() < 4


def test_the_file_is_a_plain_jpeg():
    """The file is a baseline JPEG in RGB with 4:2:0, at the given quality."""
    rough, fine = (developed(large(), Recipe(size=299, quality=quality)).data for quality in (30, 90))
    image = opened(fine)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert JpegImagePlugin.get_sampling(image) == 2
    assert "progressive" not in image.info
    assert len(rough) < len(fine) / 2


def test_the_names_are_hashes():
    """`content` is the hash of the file, `body` that of the download; the original is kept on request."""
    picture = developed(large(), Recipe())
    assert picture.content == hashlib.sha256(picture.data).hexdigest()
    assert picture.body == hashlib.sha256(large()).hexdigest()
    assert picture.original is None
    assert developed(large(), Recipe(keep_original=True)).original == large()
    assert pickle.loads(pickle.dumps(picture)) == picture


def test_the_same_body_gives_the_same_file():
    """Processing again, and in many threads at once, gives the same bytes; another source gives others."""
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda _: images.process_image(large(), HIT, Recipe()), range(8)))
    assert set(again) == {developed(large(), Recipe())}
    other = developed(large(), Recipe(), dataclasses.replace(HIT, url="https://example.org/other.jpg"))
    assert other.content != again[0].content
    assert other.pixels == again[0].pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_pixels_and_fingerprint_do_not_depend_on_the_recipe(kind):
    """The hash of the pixels is the same for every recipe, and the fingerprint nearly so."""
    body = large(kind)
    seen = images.inspect_image(body)
    written = [developed(body, Recipe(size=size)) for size in (0, 50, 299, 500, 1000)]
    assert {picture.pixels for picture in written} == {seen.pixels}
    hashes = unpack([seen.fingerprint, *(picture.fingerprint for picture in written)])["hashes"]
    for one, other in itertools.combinations(hashes, 2):
        assert np.bitwise_count(one ^ other).max() <= 4


def test_a_jpeg_without_its_metadata_has_the_same_pixels():
    """Comments, EXIF, XMP and appended data do not change the pixel hash of a JPEG."""
    plain = pictures.encoded(pictures.photo())
    dressed = pictures.jpeg_with(
        plain,
        pictures.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        pictures.segment(0xFE, b"a comment"),
    )
    assert developed(dressed + b"more").pixels == developed(plain).pixels


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("size", [(320, 240), (1203, 807)])
def test_a_picture_saved_again_without_loss_has_the_same_pixels(kind, size):
    """All lossless formats, with any metadata, give the same pixel hash for the same pixels."""
    image = pictures.photo(*size).quantize(64)
    first = pictures.encoded(image, "PNG", dpi=(300, 300))
    image = image if kind == "GIF" else image.convert("RGB")
    assert developed(lossless(image, kind)).pixels == developed(first).pixels


def test_a_turned_picture_has_other_pixels():
    """Another orientation gives another pixel hash; the same image stored rotated has the same one."""
    upright, lying = (pictures.turned(orientation, "PNG") for orientation in (1, 6))
    assert developed(upright).pixels == developed(lying).pixels
    plain = pictures.encoded(pictures.corners())
    turn = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHxx", 0x0112, 3, 1, 6)
    turned = pictures.jpeg_with(plain, pictures.segment(0xE1, b"Exif\0\0" + turn))
    assert developed(turned).original_width == 240
    assert developed(turned).pixels != developed(plain).pixels


def test_other_pictures_have_other_pixels():
    """Two photographs have different pixel hashes, as have two images that differ in one pixel."""
    image = pictures.photo().copy()
    names = [developed(pictures.encoded(image, "PNG")).pixels]
    image.putpixel((5, 5), (0, 0, 0))
    names.append(developed(pictures.encoded(image, "PNG")).pixels)
    names.append(developed(pictures.encoded(pictures.photo(seed=1), "PNG")).pixels)
    assert len(set(names)) == 3


def test_a_file_on_disk_is_examined_as_it_is():
    """A user's own file is inspected whatever its shape; one that is not an image is refused with the same words."""
    seen = images.inspect_image(pictures.turned(6))
    assert (seen.width, seen.height, seen.format) == (320, 240, "JPEG")
    banner = images.inspect_image(pictures.encoded(pictures.photo(1300, 100)))
    assert (banner.width, banner.height) == (1300, 100)
    assert isinstance(images.inspect_image(pictures.encoded(Image.new("RGB", (1, 1)), "PNG")), images.InspectedImage)
    assert images.inspect_image(b"<html>") == images.process_image(b"<html>", HIT, AS_IT_IS)


def test_a_written_picture_is_found_by_its_fingerprint():
    """An image that was padded and written has a fingerprint like its original's."""
    picture = developed(large(), Recipe(size=299))
    seen = images.inspect_image(picture.data)
    assert (seen.width, seen.height) == (299, 299)
    first, second = unpack([picture.fingerprint, seen.fingerprint])["hashes"]
    assert min(np.bitwise_count(first ^ part).min() for part in second) <= 6


def test_nothing_is_printed_or_warned(capfd):
    """No output of Pillow or of a decoder reaches the user, whatever is wrong with the image."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for body in (pictures.private(), large()[:5000], pictures.encoded(pictures.photo(), "PNG")[:900]):
            assert not isinstance(images.process_image(body, HIT, AS_IT_IS), Exception)
    assert not caught
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(640, 360), (360, 640), (1200, 300), (240, 210)])
def test_a_padded_picture_looks_like_the_picture(shape):
    """A padded file of ours is recognised by its fingerprint."""
    picture = developed(pictures.encoded(pictures.photo(*shape)), Recipe(size=299))

    seen = images.inspect_image(picture.data)

    assert DuplicateIndex([(1, picture.fingerprint)]).find(seen.fingerprint).certain == [1]
