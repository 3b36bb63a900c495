"""Refused images: broken, huge and endless ones, other formats, useless images (I01-3, I10-14)."""

import importlib.util

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageChops, PngImagePlugin, WebPImagePlugin

from harvest import images
from harvest.models import Recipe, Refusal
from harvest.verdicts import Verdict
from tests import bombs, pictures
from tests.command import run_code
from tests.images.processing import AS_IT_IS, HIT, developed, opened, shown, verdict
from tests.peak_memory import linux_only

KINDS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_I01_a_truncated_picture_is_broken(kind, share):
    """A truncated file is refused, however little is missing: it is decoded to its end."""
    assert verdict(bombs.cut(pictures.encoded(pictures.photo(), kind), share)) is Verdict.BROKEN_IMAGE


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_I01_the_last_bytes_count(kind):
    """An image that lacks only its end marker comes from a broken transfer."""
    assert verdict(pictures.encoded(pictures.photo(), kind)[:-2]) is Verdict.BROKEN_IMAGE


def test_I01_a_wrong_checksum_is_broken():
    """A PNG whose pixels do not match their checksum is refused, though Pillow loads it."""
    body = bombs.wrong_checksum()
    assert opened(body).size == (320, 240)
    assert verdict(body) is Verdict.BROKEN_IMAGE


@pytest.mark.parametrize("body", [b"", bytes(5000)], ids=["empty", "zeros"])
def test_I01_nothing_is_not_an_image(body):
    """An empty body and one of zeros are not images."""
    assert verdict(body) is Verdict.NOT_AN_IMAGE


@pytest.mark.parametrize("bomb", [bombs.bomb, bombs.webp_bomb, bombs.gif_bomb])
def test_I02_a_bomb_is_refused_by_its_header(bomb):
    """A hundred bytes that claim thousands of megapixels are refused before they are decoded."""
    assert verdict(bomb()) is Verdict.TOO_MANY_PIXELS
    assert images.memory_needed(bomb()) == 0


@pytest.mark.parametrize(("width", "height", "fits"), [(10_000, 5_000, True), (10_001, 5_000, False)])
def test_I02_the_limit_is_fifty_megapixels(width, height, fits):
    """50 megapixels are decoded (and found broken here), one column more is not."""
    expected = Verdict.BROKEN_IMAGE if fits else Verdict.TOO_MANY_PIXELS
    assert verdict(bombs.bomb(width, height)) is expected


@linux_only
def test_I02_a_bomb_takes_no_memory(tmp_path):
    """Refusing bombs makes the process grow by less than 20 MB."""
    script = """if True:
        from harvest import images
        from tests.peak_memory import peak_memory
        from tests import bombs, pictures
        from tests.images.processing import HIT, AS_IT_IS
        images.process_image(pictures.encoded(pictures.photo()), HIT, AS_IT_IS)
        before = peak_memory()
        for bomb in (bombs.bomb(), bombs.webp_bomb(), bombs.gif_bomb()):
            images.process_image(bomb, HIT, AS_IT_IS)
        print(peak_memory() - before)
    """
    printed = run_code(script, tmp_path)
    assert int(printed) < 20e6


def test_I02_a_lower_limit_of_the_host_program_holds(monkeypatch):
    """If the host program has lowered Pillow's limit, a larger image is refused without an exception."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert verdict(pictures.encoded(pictures.photo())) is Verdict.TOO_MANY_PIXELS


@pytest.mark.parametrize("kind", [bombs.gif, bombs.apng, bombs.webp])
def test_I03_the_first_frame_of_an_animation(monkeypatch, kind):
    """Of ten thousand frames only the first is decoded."""
    for plugin in (GifImagePlugin.GifImageFile, PngImagePlugin.PngImageFile, WebPImagePlugin.WebPImageFile):
        monkeypatch.setattr(plugin, "seek", lambda _, frame: pytest.fail(f"went to frame {frame}"))
    image = shown(kind(10_000))
    difference = np.asarray(ImageChops.difference(image, pictures.photo()))
    assert difference.mean() < 20  # a GIF has 64 colours; another photograph differs by 60


@pytest.mark.parametrize(
    ("flood", "count", "counted"),
    [
        (bombs.exif_flood, 300_000, "more than 2000 segments"),
        (bombs.comment_flood, 2_000_000, "more than 10000 blocks"),
        (bombs.scan_flood, 20_000, "20010 scans"),
        (bombs.chunk_flood, 200_000, "more than 100000 chunks"),
    ],
    ids=["exif", "comment", "scans", "chunks"],
)
def test_a_flood_is_refused_by_counting(flood, count, counted):
    """An image whose parts would keep its reader busy for up to hours is refused by their number."""
    refused = images.process_image(flood(count), HIT, AS_IT_IS)
    assert refused.verdict is Verdict.BROKEN_IMAGE
    assert counted in refused.detail


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
    """Web pages, texts and videos are not images, whatever their content type is."""
    assert verdict(body) is Verdict.NOT_AN_IMAGE


def test_I10_a_jpeg_that_nobody_decodes_is_unsupported():
    """A lossless JPEG, or one of 12 bits, is an unsupported format."""
    body = pictures.encoded(pictures.photo())
    assert verdict(body.replace(b"\xff\xc0", b"\xff\xc3")) is Verdict.UNSUPPORTED
    assert verdict(body.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")) is Verdict.UNSUPPORTED


def test_I10_a_bmp_of_runs_is_unsupported():
    """A run-length encoded BMP, which Pillow decodes in pure Python, is an unsupported format."""
    body = bytearray(pictures.encoded(pictures.photo().quantize(64), "BMP"))
    body[30] = 1
    assert verdict(bytes(body)) is Verdict.UNSUPPORTED


def test_I11_avif_is_taken():
    """An AVIF is decoded."""
    difference = ImageChops.difference(shown(pictures.encoded(pictures.photo(), "AVIF")), pictures.photo())
    assert np.asarray(difference).mean() < 6


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is not None, reason="the extra is installed")
def test_I11_heic_names_the_extra():
    """Without its decoder, a HEIC image is recognised by its first bytes, and the extra is named."""
    refusal = images.process_image(pictures.heic(), HIT, AS_IT_IS)
    assert isinstance(refusal, Refusal)
    assert refusal.verdict is Verdict.NEEDS_HEIF_EXTRA
    assert "heif" in refusal.detail


def test_I11_heic_is_taken_with_the_extra():
    """With its decoder, a HEIC image is decoded, and a damaged one is broken."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    body = pictures.encoded(pictures.photo(), "HEIF")
    difference = ImageChops.difference(shown(body), pictures.photo())
    assert np.asarray(difference).mean() < 6
    assert verdict(pictures.heic()) is Verdict.BROKEN_IMAGE


@pytest.mark.parametrize("polyglot", [bombs.jpeg_and_zip, bombs.gif_and_script])
def test_I12_only_the_picture_is_left_of_a_polyglot(polyglot):
    """Data hidden in or after an image is not in the file that is written."""
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
    """Tiny, plain and extremely long images have verdicts of their own."""
    assert verdict(pictures.encoded(image, "PNG"), Recipe()) is expected


def test_I13_the_shorter_side_counts():
    """An image whose shorter side is just long enough is accepted, at an aspect ratio of five to one too."""
    assert developed(pictures.encoded(pictures.photo(1000, 200)), Recipe(min_size=200))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flat", ["white", "black", "red", "teal"])
def test_I14_flat_pictures_are_blank(kind, flat):
    """Plain images, which all share a hash, are refused before the search for duplicates."""
    body = pictures.encoded(Image.new("RGB", (300, 300), flat), kind)
    assert verdict(body, Recipe()) is Verdict.BLANK


def test_I14_grain_on_white_is_blank():
    """A plain image stays blank with the noise of a coarse JPEG."""
    grain = np.random.default_rng(0).normal(250, 1, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    assert verdict(pictures.encoded(Image.fromarray(grain), quality=30)) is Verdict.BLANK


def test_I14_a_soft_gradient_is_not_blank():
    """A soft gradient, such as a sunset, is not blank."""
    gradient = Image.linear_gradient("L").resize((300, 300)).point(lambda level: 100 + level // 8)
    assert developed(pictures.encoded(gradient.convert("RGB")))
