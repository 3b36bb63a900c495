"""Colours, orientation and privacy of the images that are written (I04-I09)."""

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms

from harvest.images import colour
from harvest.models import Recipe
from tests import bombs, pictures
from tests.images.processing import developed, near, opened, shown

WHITE = (255, 255, 255)


def test_I04_cmyk_shows_its_colours():
    """A CMYK JPEG keeps its colours, and does not become a negative."""
    image = pictures.corners()
    out = shown(pictures.encoded(image.convert("CMYK"), quality=95))
    assert out.mode == "RGB"
    for place in [(10, 10), (310, 10), (310, 230), (10, 230)]:
        assert near(out, place, image.getpixel(place))


def test_I04_ycck_shows_its_colours():
    """A YCCK JPEG, as Photoshop writes it, keeps its colours."""
    body, expected = pictures.ycck()
    difference = np.asarray(ImageChops.difference(shown(body), expected))
    assert difference.mean() < 3


def test_I05_sixteen_bits_are_scaled():
    """A linear ramp of 16 bits becomes a linear ramp of 8 bits, from black to white."""
    row = np.asarray(shown(pictures.ramp_16_bit()).convert("L"))[128].astype(int)
    assert len(np.unique(row)) >= 200
    assert row[0] < 5
    assert row[-1] > 250
    assert np.abs(row - np.linspace(0, 255, 512)).max() < 5


@pytest.mark.parametrize("mode", ["I", "F"])
def test_I05_deeper_numbers_are_scaled(mode):
    """Integer or floating-point pixels of any range are scaled to 8 bits, not clipped."""
    ramp = np.tile(np.linspace(-5000, 90_000, 512), (8, 1)).astype(np.int32 if mode == "I" else np.float32)
    out = np.asarray(colour.flatten_on_white(Image.fromarray(ramp)))
    assert out.dtype == np.uint8
    assert (out.min(), out.max()) == (0, 255)
    assert len(np.unique(out)) >= 200


def test_I05_one_number_everywhere_is_no_division_by_zero():
    """A deep image of a single value, or without any number, becomes a single grey."""
    for number in (7.0, float("nan"), float("inf")):
        flat = Image.fromarray(np.full((8, 8), number, np.float32))
        assert len(np.unique(np.asarray(colour.flatten_on_white(flat)))) == 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_I06_transparency_becomes_white(mode):
    """Transparent pixels become white, whatever their colour; other pixels keep theirs."""
    image = shown(pictures.hidden_colour(mode))
    for place in [(5, 5), (128, 128), (250, 250)]:
        assert near(image, place, WHITE)
    ring = {"LA": (75, 75, 75)}.get(mode, (0, 128, 0))
    assert near(image, (60, 128), ring)


def test_I06_one_transparent_grey_of_sixteen_bits():
    """A 16-bit grey that a PNG declares transparent becomes white."""
    ramp = opened(pictures.ramp_16_bit())
    body = pictures.png_with(pictures.encoded(ramp, "PNG"), pictures.chunk(b"tRNS", b"\0\0"))
    assert near(shown(body), (0, 128), WHITE, tolerance=40)  # one column of it, next to black


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [0, 100])
def test_I07_pictures_come_out_upright(kind, orientation, size):
    """Each of the eight orientations is undone, and the tag is removed."""
    picture = developed(pictures.turned(orientation, kind), Recipe(size=size, pad=False, min_size=1))
    image = opened(picture.data)
    assert (picture.original_width, picture.original_height) == (320, 240)
    assert image.size == ((100, 75) if size else (320, 240))
    assert 0x0112 not in image.getexif()
    right, bottom = image.width - 5, image.height - 5
    assert near(image, (5, 5), (255, 0, 0), 30)
    assert near(image, (right, 5), (0, 255, 0), 30)
    assert near(image, (right, bottom), (0, 0, 255), 30)
    assert near(image, (5, bottom), (255, 255, 0), 30)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"MM",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\x09\0\0",  # turned by nine
        b"MM\0*\0\0\0\x08\0\1\x01\x12\0\2\0\0\0\1\0\6\0\0",  # turned by a text
        b"garbage" * 1000,
    ],
)
def test_I07_corrupt_exif_is_ignored(block):
    """An unreadable EXIF block changes nothing."""
    plain = pictures.encoded(pictures.corners(), quality=95)
    body = pictures.jpeg_with(plain, pictures.segment(0xE1, b"Exif\0\0" + block))
    assert shown(body).tobytes() == shown(plain).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_I08_a_wide_gamut_is_converted(kind):
    """A colour in Adobe RGB becomes the sRGB colour that looks the same."""
    image = Image.new("RGB", (256, 256), (100, 150, 100))
    image.paste((90, 90, 90), (0, 0, 128, 256))
    image.paste((100, 150, 100), (128, 0, 256, 256))
    out = shown(pictures.encoded(image, kind, icc_profile=pictures.profile(*pictures.ADOBE_RGB)))
    assert near(out, (200, 128), (66, 151, 97), 8)  # computed by hand from the primaries of both


def test_I08_srgb_under_any_name_changes_nothing():
    """An image with an sRGB profile is the same as one without a profile."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = pictures.photo()
    with_profile = shown(pictures.encoded(photo, icc_profile=srgb))
    assert with_profile.tobytes() == shown(pictures.encoded(photo)).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    "profile",
    [b"garbage" * 50, pictures.profile(*pictures.ADOBE_RGB)[:200], bytes(4000)],
    ids=["garbage", "cut", "zeros"],
)
def test_I08_a_damaged_profile_is_ignored(kind, profile):
    """An unusable profile changes nothing."""
    photo = pictures.photo()
    plain = shown(pictures.encoded(photo, kind))
    assert shown(pictures.encoded(photo, kind, icc_profile=profile)).tobytes() == plain.tobytes()


def test_I08_a_damaged_segment_is_ignored():
    """A profile segment that is too short, or a chunk that is not compressed, changes nothing."""
    jpeg, png = (pictures.encoded(pictures.photo(), kind) for kind in ("JPEG", "PNG"))
    short = pictures.jpeg_with(jpeg, pictures.segment(0xE2, b"ICC_PROFILE\0"))
    raw = pictures.png_with(png, pictures.chunk(b"iCCP", b"name\0\0not compressed"))
    assert shown(short).tobytes() == shown(jpeg).tobytes()
    assert shown(raw).tobytes() == shown(png).tobytes()


def test_I08_a_profile_for_other_pixels_is_ignored():
    """An RGB profile in a grey image changes nothing."""
    grey = pictures.photo().convert("L")
    odd = pictures.encoded(grey, icc_profile=pictures.profile(*pictures.ADOBE_RGB))
    assert shown(odd).tobytes() == shown(pictures.encoded(grey)).tobytes()


def test_I09_nothing_private_survives():
    """GPS, camera, comments, XMP and ICC are not written to the file."""
    body = pictures.private()
    assert pictures.GPS in body
    picture = developed(body)
    image = opened(picture.data)
    assert pictures.GPS not in picture.data
    assert b"private" not in picture.data
    assert b"A Camera" not in picture.data
    assert not image.getexif().get_ifd(0x8825)
    assert not {"icc_profile", "comment", "xmp", "photoshop"} & set(image.info)


def test_I09_a_comment_of_a_gif_does_not_survive():
    """A GIF comment, which Pillow would copy into the JPEG, is removed."""
    assert bombs.SCRIPT not in developed(bombs.gif_and_script()).data
