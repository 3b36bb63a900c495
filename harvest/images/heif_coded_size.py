"""Read the coded size of the images in an AVIF or HEIC file: a decoder allocates it, whatever the file announces.

An AVIF that announces 300 x 300 and codes 16,384 x 16,384 in 3.5 kB took 576 MB and 1.4 s. So this module
reads the headers of the coded images: AV1's sequence and frame headers, HEVC's sequence parameter sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.images.containers import BrokenContainer
from harvest.images.heif_items import items, properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    Size = tuple[int, int]

_HEVC_PADDING = 64  # HEVC may code up to this many more pixels than are shown: its largest block
_MAX_UNITS = 10_000  # OBUs or NAL units per item; an image has a few, plus one per tile
_OBU_SEQUENCE, _OBU_FRAMES = 1, frozenset({3, 6, 7})
_SELECT = 2  # each frame says it for itself
_KEY_FRAME, _SWITCH_FRAME = 0, 3
_SPS = 33
_444 = 3
# Codecs and containers that libheif may decode, but whose headers this module does not read.
_OTHER_CODECS = frozenset({b"unci", b"j2k1", b"j2ki", b"vvc1", b"avc1", b"evc1", b"jpeg", b"mski"})


def check_sizes(body: bytes, announced: set[Size]) -> Size | None:
    """Return the largest coded size that is not among the announced ones, or `None`."""
    unannounced = [size for size in _exact_sizes(body) if size not in announced]
    unannounced += [size for size in _hevc_sizes(body) if not any(_is_padded(size, of) for of in announced)]
    return max(unannounced, key=lambda size: size[0] * size[1], default=None)


def _is_padded(coded: Size, shown: Size) -> bool:
    return all(0 <= a - b < _HEVC_PADDING for a, b in zip(coded, shown, strict=True))


def _exact_sizes(body: bytes) -> Iterator[Size]:
    for item in items(body):
        if item.kind == b"av01":
            yield from av1_sizes(item.data)
        elif item.kind == b"grid":
            yield _canvas(item.data, 4)
        elif item.kind == b"iovl":
            yield _canvas(item.data, 10)
        elif item.kind in _OTHER_CODECS:
            raise BrokenContainer(f"an image coded as {item.kind.decode('ascii')}")


def _canvas(data: bytes, at: int) -> Size:
    """Read the size of an image that consists of other images: 16 or 32 bits per side, depending on a flag."""
    side = 4 if data[1] & 1 else 2
    if len(data) < at + 2 * side:
        raise BrokenContainer("it ends within a grid")
    width, height = (int.from_bytes(data[start : start + side], "big") for start in (at, at + side))
    return width, height


# AV1


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The fields of an AV1 sequence header that are needed to read the size of its frames."""

    size: Size
    reduced: bool = True  # a still image: its only frame has the size of the sequence
    presentation_bits: int = 0
    frame_id_bits: int = 0
    screen_content: int = _SELECT
    integer_mv: int = _SELECT


def av1_sizes(data: bytes) -> Iterator[Size]:
    """Yield the sizes in the sequence headers of an AV1 image; raise `BrokenContainer` if a frame has another size."""
    sequence: _Sequence | None = None
    for kind, payload in _obus(data):
        if kind == _OBU_SEQUENCE:
            sequence = _sequence(_Bits(payload))
            yield sequence.size
        elif kind in _OBU_FRAMES:
            if sequence is None:
                raise BrokenContainer("a frame comes before its sequence header")
            _check_frame(_Bits(payload), sequence)


def _obus(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the content of each unit (OBU) of an AV1 stream."""
    at = 0
    for _ in range(_MAX_UNITS):
        if at >= len(data):
            return
        header = data[at]
        at += 2 if header & 4 else 1
        size, shift = len(data) - at, 0
        if header & 2:
            size = 0
            while True:
                if at >= len(data) or shift > 49:  # noqa: PLR2004 - 8 groups of 7 bits
                    raise BrokenContainer("it ends within a unit of AV1")
                size |= (data[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if data[at - 1] < 128:  # noqa: PLR2004 - the last group
                    break
        yield header >> 3 & 15, data[at : at + min(size, 256)]  # the headers are shorter
        at += size
    raise BrokenContainer(f"more than {_MAX_UNITS} units of AV1")


def _sequence(bits: _Bits) -> _Sequence:
    bits.read(3)  # the profile
    bits.read(1)
    reduced = bool(bits.read(1))
    presentation_bits = 0
    if reduced:
        bits.read(5)
    else:
        presentation_bits = _operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    size = (bits.read(width_bits) + 1, bits.read(height_bits) + 1)
    if reduced:
        return _Sequence(size)
    frame_id_bits = bits.read(4) + bits.read(3) + 3 if bits.read(1) else 0
    bits.read(7)  # block size, intra tools, inter tools
    if bits.read(1):  # order hints
        bits.read(2)
    screen_content = _SELECT if bits.read(1) else bits.read(1)
    integer_mv = _SELECT
    if screen_content and not bits.read(1):
        integer_mv = bits.read(1)
    return _Sequence(size, reduced, presentation_bits, frame_id_bits, screen_content, integer_mv)


def _operating_points(bits: _Bits) -> int:
    """Skip timing and operating points; return the number of bits of the presentation time of a shown frame."""
    delay_bits = presentation_bits = 0
    has_model = equal_interval = False
    if bits.read(1):
        bits.read(64)
        equal_interval = bool(bits.read(1))
        if equal_interval:
            bits.exp_golomb()
        has_model = bool(bits.read(1))
        if has_model:
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5)
            presentation_bits = bits.read(5) + 1
    has_display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:  # noqa: PLR2004 - levels from 4.0 have tiers
            bits.read(1)
        if has_model and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.read(1):
            bits.read(4)
    return 0 if equal_interval else presentation_bits


def _check_frame(bits: _Bits, sequence: _Sequence) -> None:
    """Raise `BrokenContainer` if a frame has a size of its own; the frames of still images do not."""
    if sequence.reduced or bits.read(1):  # or an earlier frame is shown again
        return
    kind, is_shown = bits.read(2), bits.read(1)
    bits.read(sequence.presentation_bits if is_shown else 1)
    if kind != _SWITCH_FRAME and not (kind == _KEY_FRAME and is_shown):
        bits.read(1)
    bits.read(1)
    screen_content = bits.read(1) if sequence.screen_content == _SELECT else sequence.screen_content
    if screen_content and sequence.integer_mv == _SELECT:
        bits.read(1)
    bits.read(sequence.frame_id_bits)
    if kind == _SWITCH_FRAME or bits.read(1):
        raise BrokenContainer("a frame has a size of its own")


# HEVC


def _hevc_sizes(body: bytes) -> Iterator[Size]:
    """Yield the sizes in all sequence parameter sets, both in the decoder configuration and in the image data."""
    length_sizes: set[int] = set()
    for config in properties(body, b"hvcC"):
        length_sizes.add((config[21] & 3) + 1)
        yield from _sizes_of(_config_units(config))
    if not length_sizes:
        return
    if len(length_sizes) > 1:
        raise BrokenContainer("its images use length fields of different sizes")
    for item in items(body):
        if item.kind in (b"hvc1", b"hev1"):
            yield from _sizes_of(_units(item.data, *length_sizes))


def _config_units(config: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an HEVC decoder configuration."""
    at = 23
    for _ in range(config[22]):
        count, at = int.from_bytes(config[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(config[at : at + 2], "big")
            yield config[at + 2 : at + 2 + length]
            at += 2 + length
        if at > len(config):
            raise BrokenContainer("it ends within its decoder configuration")


def _units(data: bytes, length_size: int) -> Iterator[bytes]:
    """Yield the start of each NAL unit of an item."""
    at = 0
    for _ in range(_MAX_UNITS):
        if at >= len(data):
            return
        length = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        yield data[at : at + min(length, 1024)]
        at += length
    raise BrokenContainer(f"more than {_MAX_UNITS} units of HEVC")


def _sizes_of(units: Iterator[bytes]) -> Iterator[Size]:
    for unit in units:
        if len(unit) > 2 and unit[0] >> 1 & 63 == _SPS:  # noqa: PLR2004 - the header of a unit
            yield hevc_size(unit)


def hevc_size(unit: bytes) -> Size:
    """Read the coded size, before cropping, from a sequence parameter set."""
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + 96)  # profile, tier and level
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    bits.read(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)
    bits.exp_golomb()
    if bits.exp_golomb() == _444:
        bits.read(1)
    return bits.exp_golomb(), bits.exp_golomb()


class _Bits:
    """Reads unsigned integers of any number of bits, most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise BrokenContainer("it ends within the header of an image")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def exp_golomb(self) -> int:
        """Read an Exp-Golomb number: as many zeros as it has bits, less one, and then the number."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:  # noqa: PLR2004 - no number is longer
                raise BrokenContainer("a number in its header is too long")
        return (1 << zeros) - 1 + self.read(zeros)
