"""The memory reserved for a decode, compared with what it takes."""

import sys

import pytest

from harvest import images
from harvest.verdicts import Verdict
from tests import bombs, pictures
from tests.command import run_code
from tests.peak_memory import linux_only

MB = 1_000_000


def test_nothing_is_reserved_for_what_is_refused():
    """An image that is refused by its header is never decoded, so nothing is reserved."""
    assert images.memory_needed(b"<html>") == images.memory_needed(b"") == 0
    assert images.memory_needed(bombs.bomb()) == 0


def test_a_jpeg_of_fifty_megapixels_is_small_at_a_small_size():
    """A huge JPEG takes little memory when it is decoded at an eighth, and all of it at full size."""
    body = pictures.encoded(pictures.photo(64, 48)).replace(b"\0\x30\0\x40", b"\x17\x70\x1f\x40", 1)
    assert images.memory_needed(body, 500) < 10 * MB
    assert images.memory_needed(body) > 200 * MB


def test_a_progressive_jpeg_is_kept_as_a_whole():
    """A progressive JPEG needs its coefficients, at whatever scale it is decoded."""
    plain, progressive = (pictures.encoded(pictures.photo(1600, 1200), progressive=way) for way in (False, True))
    assert images.memory_needed(progressive, 299) > images.memory_needed(plain, 299) + 10 * MB


def test_a_png_of_fifty_megapixels_takes_hundreds_of_megabytes():
    """The reservation for a huge PNG is what decoding it takes."""
    assert 375 * MB < images.memory_needed(bombs.bomb(10_000, 5_000)) < 600 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_too_little_memory_is_a_verdict(tmp_path):
    """An image that does not fit into the memory of the process is refused; the process continues."""
    script = """if True:
        import resource
        from harvest import images
        from tests import bombs, pictures
        from tests.images.processing import HIT, AS_IT_IS, developed
        developed(pictures.encoded(pictures.photo()))
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 100_000_000,) * 2)
        print(images.process_image(bombs.bomb(10_000, 5_000), HIT, AS_IT_IS).verdict)
        developed(pictures.encoded(pictures.photo()))
    """
    printed = run_code(script, tmp_path)
    assert printed.strip() == Verdict.DECODER_DIED


@linux_only
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "RGBA", "GIF", "BMP", "WEBP", "AVIF"])
def test_a_decode_takes_no_more_than_is_reserved(tmp_path, kind):
    """The process grows by no more than the reservation, apart from what the allocator keeps."""
    script = f"""if True:
        from harvest import images
        from tests import pictures
        from tests.peak_memory import peak_memory
        from tests.images.processing import HIT, AS_IT_IS
        kind, options = {kind!r}, {{'compress_level': 1, 'speed': 10, 'method': 0}}
        small, image = pictures.photo(), pictures.photo().resize((2400, 1600))
        if kind == "progressive":
            kind, options = "JPEG", {{"progressive": True}}
        if kind == "RGBA":
            kind = "PNG"
            image.putalpha(image.getchannel(0))
        for each in ("JPEG", "PNG", "GIF", "WEBP", "AVIF"):
            images.process_image(pictures.encoded(small, each), HIT, AS_IT_IS)
        body = pictures.encoded(image, kind, **options)
        del image
        before = peak_memory()
        images.process_image(body, HIT, AS_IT_IS)
        grown = peak_memory() - before
        print(grown, images.memory_needed(body))
    """
    printed = run_code(script, tmp_path)
    grown, reserved = (int(number) for number in printed.split())
    assert grown < reserved + 8 * MB
