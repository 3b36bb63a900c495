"""Pictures that are broken, huge, odd or not pictures at all (I01 to I14)."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms

from harvest import images
from harvest.images import colour
from harvest.models import Recipe, Refusal, Verdict
from tests import bombs, pictures
from tests.images.darkroom import AS_IT_IS, HIT, developed, near, opened, shown, verdict

ROOT = Path(__file__).parents[2]
WHITE = (255, 255, 255)
KINDS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_I01_a_truncated_picture_is_broken(kind, share):
    """A file that was cut is refused, however little is missing: it is decoded to its end."""
    assert verdict(bombs.cut(pictures.encoded(pictures.photo(), kind), share)) is Verdict.BROKEN_IMAGE


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_I01_the_last_bytes_count(kind):
    """A picture that lacks nothing but its end mark came from a broken transfer."""
    assert verdict(pictures.encoded(pictures.photo(), kind)[:-2]) is Verdict.BROKEN_IMAGE


def test_I01_a_wrong_checksum_is_broken():
    """A PNG whose pixels do not match their checksum is refused, though Pillow loads it."""
    body = bombs.wrong_checksum()
    assert opened(body).size == (320, 240)
    assert verdict(body) is Verdict.BROKEN_IMAGE


@pytest.mark.parametrize("body", [b"", bytes(5000)], ids=["empty", "zeros"])
def test_I01_nothing_is_not_an_image(body):
    """An empty body and one of zeros are no pictures."""
    assert verdict(body) is Verdict.NOT_AN_IMAGE


@pytest.mark.parametrize("bomb", [bombs.bomb, bombs.webp_bomb, bombs.gif_bomb])
def test_I02_a_bomb_is_refused_by_its_header(bomb):
    """A hundred bytes that claim thousands of megapixels are refused before a decoder sees them."""
    assert verdict(bomb()) is Verdict.TOO_MANY_PIXELS
    assert images.memory_needed(bomb()) == 0


@pytest.mark.parametrize(("width", "height", "fits"), [(10_000, 5_000, True), (10_001, 5_000, False)])
def test_I02_the_limit_is_fifty_megapixels(width, height, fits):
    """50 megapixels are decoded (and found broken here), one column more is not."""
    expected = Verdict.BROKEN_IMAGE if fits else Verdict.TOO_MANY_PIXELS
    assert verdict(bombs.bomb(width, height)) is expected


@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured the POSIX way")
def test_I02_a_bomb_takes_no_memory():
    """Refusing bombs makes the process grow by less than 20 MB."""
    script = """if True:
        import resource
        from harvest import images
        from tests import bombs, pictures
        from tests.images.darkroom import HIT, AS_IT_IS
        images.develop(pictures.encoded(pictures.photo()), HIT, AS_IT_IS)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for bomb in (bombs.bomb(), bombs.webp_bomb(), bombs.gif_bomb()):
            images.develop(bomb, HIT, AS_IT_IS)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    child = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(child.stdout) * unit < 20e6


def test_I02_a_lower_limit_of_the_host_program_holds(monkeypatch):
    """Where a notebook has lowered Pillow's own limit, a picture above it is refused, with no exception."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert verdict(pictures.encoded(pictures.photo())) is Verdict.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    "animation", [bombs.gif(10_000), bombs.apng(10_000), bombs.webp(10_000)], ids=["gif", "apng", "webp"]
)
def test_I03_the_first_frame_of_an_animation(animation):
    """Of ten thousand frames the first is taken, within a second."""
    start = time.monotonic()
    image = shown(animation)
    assert time.monotonic() - start < 1
    difference = np.asarray(ImageChops.difference(image, pictures.photo()))
    assert difference.mean() < 20  # a GIF has 64 colours; another photograph differs by 60


@pytest.mark.parametrize(
    "flood",
    [
        bombs.exif_flood(300_000),
        bombs.comment_flood(2_000_000),
        bombs.scan_flood(20_000),
        bombs.chunk_flood(200_000),
    ],
    ids=["exif", "comment", "scans", "chunks"],
)
def test_a_flood_is_refused_at_once(flood):
    """A picture whose parts would keep its reader busy for seconds to hours is refused within one."""
    start = time.monotonic()
    assert verdict(flood) is Verdict.BROKEN_IMAGE
    assert time.monotonic() - start < 1


def test_I04_cmyk_shows_its_colours():
    """A CMYK JPEG comes out in the colours it was made of, not in their negative."""
    image = pictures.corners()
    out = shown(pictures.encoded(image.convert("CMYK"), quality=95))
    assert out.mode == "RGB"
    for place in [(10, 10), (310, 10), (310, 230), (10, 230)]:
        assert near(out, place, image.getpixel(place))


def test_I04_ycck_shows_its_colours():
    """A YCCK JPEG, as Photoshop writes them, comes out in its colours."""
    body, expected = pictures.ycck()
    difference = np.asarray(ImageChops.difference(shown(body), expected))
    assert difference.mean() < 3


def test_I05_sixteen_bits_are_scaled():
    """An even ramp of 16 bits is an even ramp of 8 bits, from black to white."""
    row = np.asarray(shown(pictures.ramp_16_bit()).convert("L"))[128].astype(int)
    assert len(np.unique(row)) >= 200
    assert row[0] < 5
    assert row[-1] > 250
    assert np.abs(row - np.linspace(0, 255, 512)).max() < 5


@pytest.mark.parametrize("mode", ["I", "F"])
def test_I05_deeper_numbers_are_scaled(mode):
    """Pixels that are whole or real numbers of any range are scaled to 8 bits, not clipped."""
    ramp = np.tile(np.linspace(-5000, 90_000, 512), (8, 1)).astype(np.int32 if mode == "I" else np.float32)
    out = np.asarray(colour.on_white(Image.fromarray(ramp)))
    assert out.dtype == np.uint8
    assert (out.min(), out.max()) == (0, 255)
    assert len(np.unique(out)) >= 200


def test_I05_one_number_everywhere_is_no_division_by_zero():
    """A deep picture of one number, or of none at all, becomes one grey."""
    for number in (7.0, float("nan"), float("inf")):
        flat = Image.fromarray(np.full((8, 8), number, np.float32))
        assert len(np.unique(np.asarray(colour.on_white(flat)))) == 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_I06_transparency_becomes_white(mode):
    """What is transparent is white, whatever colour it hides; what is not keeps its own."""
    image = shown(pictures.hidden_colour(mode))
    for place in [(5, 5), (128, 128), (250, 250)]:
        assert near(image, place, WHITE)
    ring = {"LA": (75, 75, 75)}.get(mode, (0, 128, 0))
    assert near(image, (60, 128), ring)


def test_I06_one_transparent_grey_of_sixteen_bits():
    """A 16-bit grey that a PNG declares transparent is white."""
    ramp = opened(pictures.ramp_16_bit())
    body = pictures.png_with(pictures.encoded(ramp, "PNG"), pictures.chunk(b"tRNS", b"\0\0"))
    assert near(shown(body), (0, 128), WHITE, tolerance=40)  # one column of it, beside black


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [0, 100])
def test_I07_pictures_come_out_upright(kind, orientation, size):
    """Each of the eight orientations is undone, and the tag is gone."""
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
    """Exif that cannot be read changes nothing."""
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
    assert near(out, (200, 128), (66, 151, 97), 8)  # by the primaries of both, computed by hand


def test_I08_srgb_under_any_name_changes_nothing():
    """A picture that says it is sRGB comes out as one that says nothing."""
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
    """A profile that cannot be used changes nothing."""
    photo = pictures.photo()
    plain = shown(pictures.encoded(photo, kind))
    assert shown(pictures.encoded(photo, kind, icc_profile=profile)).tobytes() == plain.tobytes()


def test_I08_a_damaged_segment_is_ignored():
    """A profile's segment too short for its own numbers, or its chunk not compressed, changes nothing."""
    jpeg, png = (pictures.encoded(pictures.photo(), kind) for kind in ("JPEG", "PNG"))
    short = pictures.jpeg_with(jpeg, pictures.segment(0xE2, b"ICC_PROFILE\0"))
    raw = pictures.png_with(png, pictures.chunk(b"iCCP", b"name\0\0not compressed"))
    assert shown(short).tobytes() == shown(jpeg).tobytes()
    assert shown(raw).tobytes() == shown(png).tobytes()


def test_I08_a_profile_for_other_pixels_is_ignored():
    """A profile of RGB on a grey picture changes nothing."""
    grey = pictures.photo().convert("L")
    odd = pictures.encoded(grey, icc_profile=pictures.profile(*pictures.ADOBE_RGB))
    assert shown(odd).tobytes() == shown(pictures.encoded(grey)).tobytes()


def test_I09_nothing_private_survives():
    """Of GPS, camera, comments, XMP and ICC nothing reaches the file."""
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
    """A GIF's comment, which Pillow would carry into the JPEG, is gone."""
    assert bombs.SCRIPT not in developed(bombs.gif_and_script()).data


@pytest.mark.parametrize("name", pictures.others())
def test_I10_other_formats_are_refused(name):
    """Documents and formats that browsers do not show are refused by their first bytes."""
    assert verdict(pictures.others()[name]) is Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"\xef\xbb\xbf\n <html><svg></svg></html>",
        b'{"error": "gone"}',
        b"Not found",
        b"BMW is a maker of cars",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    ],
)
def test_I10_what_is_no_picture_is_not_an_image(body):
    """Pages, texts and films are no pictures, whatever they were called."""
    assert verdict(body) is Verdict.NOT_AN_IMAGE


def test_I10_a_jpeg_that_nobody_decodes_is_unsupported():
    """A lossless JPEG, or one of 12 bits, is another format in the same box."""
    body = pictures.encoded(pictures.photo())
    assert verdict(body.replace(b"\xff\xc0", b"\xff\xc3")) is Verdict.UNSUPPORTED
    assert verdict(body.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")) is Verdict.UNSUPPORTED


def test_I10_a_bmp_of_runs_is_unsupported():
    """A run-length BMP, which Pillow reads byte by byte in Python, is another format in the same box."""
    body = bytearray(pictures.encoded(pictures.photo().quantize(64), "BMP"))
    body[30] = 1
    assert verdict(bytes(body)) is Verdict.UNSUPPORTED


def test_I11_avif_is_taken():
    """An AVIF comes out as what it shows."""
    difference = ImageChops.difference(shown(pictures.encoded(pictures.photo(), "AVIF")), pictures.photo())
    assert np.asarray(difference).mean() < 6


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is not None, reason="the extra is installed")
def test_I11_heic_names_the_extra():
    """Without its decoder, a HEIC picture is told by its first bytes and the extra that helps is named."""
    refusal = images.develop(pictures.heic(), HIT, AS_IT_IS)
    assert isinstance(refusal, Refusal)
    assert refusal.verdict is Verdict.NEEDS_HEIF_EXTRA
    assert "heif" in refusal.detail


def test_I11_heic_is_taken_with_the_extra():
    """With its decoder, a HEIC picture comes out as what it shows, and a damaged one is broken."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    body = pictures.encoded(pictures.photo(), "HEIF")
    difference = ImageChops.difference(shown(body), pictures.photo())
    assert np.asarray(difference).mean() < 6
    assert verdict(pictures.heic()) is Verdict.BROKEN_IMAGE


@pytest.mark.parametrize("polyglot", [bombs.jpeg_and_zip, bombs.gif_and_script])
def test_I12_only_the_picture_is_left_of_a_polyglot(polyglot):
    """What hides behind or in a picture is not in the file that is written."""
    body = polyglot()
    assert bombs.SCRIPT in body
    data = developed(body).data
    assert bombs.SCRIPT not in data
    assert b"PK\3\4" not in data
    assert data.endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", (1, 1)), Verdict.TOO_SMALL),
        (pictures.photo(320, 199), Verdict.TOO_SMALL),
        (pictures.photo(1300, 250), Verdict.ASPECT),
        (pictures.photo(250, 1300), Verdict.ASPECT),
        (Image.new("RGB", (300, 300), "teal"), Verdict.BLANK),
    ],
    ids=["pixel", "small", "banner", "skyscraper", "flat"],
)
def test_I13_pictures_of_no_use_are_refused(image, expected):
    """Tiny, flat and extremely long pictures have verdicts of their own."""
    assert verdict(pictures.encoded(image, "PNG"), Recipe()) is expected


def test_I13_the_shorter_side_counts():
    """A picture whose shorter side is just long enough is taken, at five to one too."""
    assert developed(pictures.encoded(pictures.photo(1000, 200)), Recipe(min_size=200))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flat", ["white", "black", "red", "teal"])
def test_I14_flat_pictures_are_blank(kind, flat):
    """Flat pictures, which all share a hash, never get as far as being compared."""
    body = pictures.encoded(Image.new("RGB", (300, 300), flat), kind)
    assert verdict(body, Recipe()) is Verdict.BLANK


def test_I14_grain_on_white_is_blank():
    """A flat picture stays blank under the noise of a rough JPEG."""
    grain = np.random.default_rng(0).normal(250, 1, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    assert verdict(pictures.encoded(Image.fromarray(grain), quality=30)) is Verdict.BLANK


def test_I14_a_soft_gradient_is_not_blank():
    """A sunset of few colours is a picture."""
    gradient = Image.linear_gradient("L").resize((300, 300)).point(lambda level: 100 + level // 8)
    assert developed(pictures.encoded(gradient.convert("RGB")))
