"""The size that an AVIF or HEIC announces must equal the coded size of its frames; checked before decoding."""

from __future__ import annotations

import struct

import pytest

from harvest import images
from harvest.images import headers
from harvest.images.containers import BrokenContainer
from harvest.images.heif_coded_size import av1_sizes, check_sizes, hevc_size
from harvest.images.heif_items import items
from harvest.images.memory_budget import AllocationTooLarge, check_allocation
from harvest.models import Refusal
from harvest.verdicts import Verdict
from tests.command import run_code
from tests.images.processing import AS_IT_IS, HIT, developed, verdict
from tests.peak_memory import linux_only
from tests.pictures import encoded, photo


def avif(width: int = 320, height: int = 240, **options: object) -> bytes:
    return encoded(photo(width, height), "AVIF", speed=10, **options)


def announce(body: bytes, width: int, height: int) -> bytes:
    """Write another size into every `ispe` of a file."""
    parts = body.split(b"ispe")
    size = struct.pack(">II", width, height)
    return b"ispe".join([parts[0], *(part[:4] + size + part[12:] for part in parts[1:])])


class Bits:
    """Writes unsigned integers of any number of bits."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, *numbers: tuple[int, int]) -> Bits:
        """Write pairs of a number and its number of bits."""
        self.text += "".join(f"{number:0{count}b}" if count else "" for number, count in numbers)
        return self

    def exp_golomb(self, *numbers: int) -> Bits:
        """Write Exp-Golomb numbers."""
        self.text += "".join("0" * ((number + 1).bit_length() - 1) + f"{number + 1:b}" for number in numbers)
        return self

    @property
    def data(self) -> bytes:
        """All bytes; the last one is padded."""
        text = self.text + "1" + "0" * (-(len(self.text) + 1) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


# ---- AVIF


@pytest.mark.parametrize("size", [(320, 240), (301, 203), (1, 1), (65, 4000)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_X10_an_honest_avif_is_read(size, mode):
    """Files that Pillow writes announce their coded size, whatever their size or channels are."""
    header = headers.read_header(encoded(photo(*size).convert(mode), "AVIF", speed=10))
    assert (header.width, header.height) == size


def test_X10_an_animation_is_read_as_its_still_image():
    """Of an animation the still image is read; its tracks, which may contain frames of any size, are hidden."""
    body = avif(save_all=True, append_images=[photo(seed=1)], duration=100)
    assert b"moov" in body
    at = body.index(b"stsz")
    damaged = body[:at] + b"\xff" * 60 + body[at + 60 :]

    assert developed(damaged).data == developed(body).data


@pytest.mark.parametrize("size", [(300, 240), (320, 241), (20, 20), (640, 480)])
def test_X10_a_frame_of_another_size_is_broken(size):
    """A frame larger or smaller than announced is refused, in downloads and in files on disk."""
    body = announce(avif(), *size)

    assert verdict(body) is Verdict.BROKEN_IMAGE
    assert images.inspect_image(body).verdict is Verdict.BROKEN_IMAGE
    assert "320 x 240, which is not announced" in images.inspect_image(body).detail


@linux_only
def test_X10_a_frame_over_the_pixel_limit_takes_no_memory(tmp_path):
    """A frame of 8,192 x 8,192 that is announced as 300 x 300 is refused before it is decoded."""
    script = """if True:
        import sys
        from PIL import Image
        from harvest import images
        from harvest.verdicts import Verdict
        from tests.peak_memory import peak_memory
        from tests.images.processing import AS_IT_IS, HIT
        from tests.images.test_announced_size import announce, avif
        images.process_image(avif(), HIT, AS_IT_IS)
        body = open(sys.argv[1], "rb").read()
        before = peak_memory()
        lie = announce(body, 300, 300)
        assert images.memory_needed(lie) == 0
        assert images.process_image(lie, HIT, AS_IT_IS).verdict is Verdict.TOO_MANY_PIXELS
        assert images.inspect_image(lie).verdict is Verdict.TOO_MANY_PIXELS
        print(peak_memory() - before)
    """
    from PIL import Image  # noqa: PLC0415

    body = encoded(Image.new("RGB", (8192, 8192), "teal"), "AVIF", quality=1, speed=10)
    (tmp_path / "body.avif").write_bytes(body)
    printed = run_code(script, tmp_path, tmp_path / "body.avif")
    assert int(printed) < 20e6


@pytest.mark.parametrize("which", [0, 1])
def test_X10_each_image_of_a_file_counts(which):
    """The transparency of an AVIF is an image of its own, and its size is checked too."""
    image = photo().copy()
    image.putalpha(photo(seed=1).convert("L"))
    body = encoded(image, "AVIF", speed=10)
    stream = [item.data for item in items(body) if item.kind == b"av01"][which]
    at = stream.index(b"\x0a") + 2  # the sequence header; its width ends with bit 26
    changed = bytearray(stream)
    changed[at + 3] ^= 1 << 5

    assert verdict(body.replace(stream, bytes(changed))) is Verdict.BROKEN_IMAGE
    assert list(av1_sizes(bytes(changed))) == [(319, 240)]


def sequence(width: int, height: int, bits: int = 16) -> bytes:
    """Return a sequence header of AV1 for more than one frame."""
    writer = Bits().write((0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (4, 5))
    writer.write((bits - 1, 4), (bits - 1, 4), (width - 1, bits), (height - 1, bits))
    writer.write((0, 1), (0, 7), (0, 1), (1, 1), (1, 1), (0, 3))
    return b"\x0a" + bytes([len(writer.data)]) + writer.data


def frame(override: int) -> bytes:
    """Return the start of a key frame, which may have a size of its own."""
    writer = Bits().write((0, 1), (0, 2), (1, 1), (0, 1), (0, 1), (override, 1), (65535, 16), (65535, 16))
    return b"\x32" + bytes([len(writer.data)]) + writer.data


def test_X10_a_frame_with_a_size_of_its_own_is_broken():
    """A frame in AV1 may override the size of its sequence: up to 65,536 where the sequence has 300."""
    assert list(av1_sizes(sequence(300, 200) + frame(0))) == [(300, 200)]
    with pytest.raises(BrokenContainer, match="size of its own"):
        list(av1_sizes(sequence(300, 200) + frame(1)))


def test_X10_every_sequence_counts():
    """A second sequence header in the same image is checked too."""
    data = sequence(300, 200) + frame(0) + sequence(9000, 9000) + frame(0)
    assert list(av1_sizes(data)) == [(300, 200), (9000, 9000)]


def test_X10_frames_without_a_sequence_are_broken():
    """A frame that relies on the sequence header of another image is refused."""
    with pytest.raises(BrokenContainer, match="before its sequence"):
        list(av1_sizes(frame(0)))


# ---- HEIC: the container is built here, since no encoder is installed


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + kind + content


def sps(width: int, height: int, layers: int = 0) -> bytes:
    """Return a sequence parameter set of HEVC."""
    writer = Bits().write((0, 4), (layers, 3), (1, 1), (0, 88), (93, 8))
    writer.write(*[(3, 2)] * layers, *[(0, 2)] * (8 - layers if layers else 0), *[(0, 96)] * layers)
    data = writer.exp_golomb(0, 1, width, height).write((0, 1)).data
    return b"\x42\x01" + data.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1")


def heic(shown: tuple[int, int], config: bytes, data: bytes = b"", kind: bytes = b"hvc1") -> bytes:
    """Return a HEIC of one item."""
    hvcc = bytes(21) + b"\x03" + b"\x01" + b"\xa1\0\1" + struct.pack(">H", len(config)) + config
    info = box(b"iinf", bytes(4), b"\0\1", box(b"infe", b"\2\0\0\0", b"\0\1", b"\0\0", kind, b"\0"))
    location = bytes.fromhex("01000000 4400 0001 0001 0001 0000 0001 00000000") + struct.pack(">I", len(data))
    props = box(b"iprp", box(b"ipco", box(b"ispe", bytes(4), struct.pack(">II", *shown)), box(b"hvcC", hvcc)))
    meta = box(b"meta", bytes(4), info, box(b"iloc", location), box(b"idat", data), props)
    return box(b"ftyp", b"heic", bytes(4), b"heicmif1") + meta


@pytest.mark.parametrize("layers", [0, 2])
def test_X10_the_size_in_a_parameter_set_of_hevc(layers):
    """The coded size is read after profiles and layers, and after the bytes that HEVC escapes."""
    assert hevc_size(sps(4032, 3024, layers)) == (4032, 3024)


def test_X10_hevc_may_code_its_padding():
    """HEVC codes whole blocks: a few columns more than announced are normal."""
    assert check_sizes(heic((300, 200), sps(304, 200)), {(300, 200)}) is None
    assert check_sizes(heic((300, 200), sps(296, 200)), {(300, 200)}) == (296, 200)
    assert check_sizes(heic((300, 200), sps(364, 200)), {(300, 200)}) == (364, 200)


def test_X10_a_parameter_set_among_the_data_counts():
    """A second parameter set, in the image data, is checked as well as that of the configuration."""
    unit = sps(16384, 16384)
    body = heic((300, 200), sps(304, 200), struct.pack(">I", len(unit)) + unit)
    assert check_sizes(body, {(300, 200)}) == (16384, 16384)


@pytest.mark.parametrize(("kind", "start"), [(b"grid", bytes(4)), (b"iovl", bytes(10))])
def test_X10_an_image_made_of_others_counts(kind, start):
    """The canvas of a grid or an overlay is checked too."""
    body = heic((300, 200), sps(304, 200), start + struct.pack(">HH", 16384, 16384), kind)
    assert check_sizes(body, {(300, 200)}) == (16384, 16384)


@pytest.mark.parametrize("kind", [b"unci", b"j2k1"])
def test_X10_a_codec_that_is_not_read_is_refused(kind):
    """An image coded by another codec than HEVC or AV1 is refused, because its size cannot be read."""
    with pytest.raises(BrokenContainer, match="coded as"):
        check_sizes(heic((300, 200), sps(304, 200), kind=kind), {(300, 200)})


# ---- what an image may allocate


def test_the_limit_on_what_an_operation_allocates():
    """The largest allowed image passes, with transparency; a larger one raises, with a verdict."""
    check_allocation(10_000, 5_000, 4)
    with pytest.raises(AllocationTooLarge) as error:
        check_allocation(256, 16_777_216)
    assert error.value.refusal.verdict is Verdict.TOO_MANY_PIXELS
    assert not isinstance(images.process_image(avif(), HIT, AS_IT_IS), Refusal)
