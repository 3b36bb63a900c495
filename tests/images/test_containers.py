"""The iteration over segments, chunks, blocks and boxes, and its limits."""

import struct

import pytest

from harvest.images import containers
from harvest.images.containers import BrokenContainer
from tests import pictures


def box(kind, content, size=None):
    return struct.pack(">I4s", len(content) + 8 if size is None else size, kind) + content


@pytest.mark.parametrize("before", [b"", b"\xff", b"\xff\xff\xff", b"\xff\0\xff\0", b"\xff\x01", b"\xff\xd0", b"ab"])
def test_padding_and_junk_between_segments_is_skipped(before):
    """Padding, escapes, bare markers and stray bytes do not hide a segment."""
    body = b"\xff\xd8" + before + pictures.segment(0xDB, b"table") + pictures.segment(0xDA, b"scan")
    assert [body[part.content : part.end] for part in containers.segments(body)] == [b"table", b"scan"]


@pytest.mark.parametrize(
    "rest", [b"", b"\xff\xd9", b"\xff", b"\xff\xdb", b"\xff\xdb\0\1", b"\xff\xdb\0\x09abc", b"\xff" * 5000]
)
def test_a_jpeg_without_a_scan_is_broken(rest):
    """A JPEG that ends, or whose segment ends outside the file, before its first scan is broken."""
    with pytest.raises(BrokenContainer, match="it ends"):
        list(containers.segments(b"\xff\xd8" + rest))


def test_an_animation_ends_with_its_first_frame():
    """Chunks after the pixels of the first image are not read."""
    frame = pictures.chunk(b"fcTL", b"")
    body = b"\x89PNG\r\n\x1a\n" + frame + pictures.chunk(b"IDAT", b"a") + frame + pictures.chunk(b"fdAT", b"b")
    assert [part.kind for part in containers.chunks(body)] == [b"fcTL", b"IDAT"]


def test_a_gif_without_a_frame_is_broken():
    """A GIF that ends before a frame, or within its descriptor, is broken."""
    head = b"GIF89a\1\0\1\0\0\0\0"
    for rest in (b"", b";", b"!\xfe\1a\0;", b"!", b",\0\0"):
        with pytest.raises(BrokenContainer, match=r"no frame|within its first"):
            list(containers.gif_parts(head + rest))


def test_boxes_of_every_size_are_walked():
    """A box may give its length in 32 or 64 bits, or extend to the end."""
    long = struct.pack(">I4sQ", 1, b"long", 18) + b"ab"
    body = box(b"ftyp", b"avif") + long + box(b"last", b"abc", size=0)
    parts = [(part.kind, body[part.content : part.end]) for part in containers.boxes(body)]
    assert parts == [(b"ftyp", b"avif"), (b"long", b"ab"), (b"last", b"abc")]


@pytest.mark.parametrize("wrong", [box(b"meta", b"", size=7), box(b"meta", b"", size=9), b"\0\0\0\1meta" + bytes(8)])
def test_a_box_that_ends_elsewhere_is_broken(wrong):
    """A box shorter than its own header, or longer than the file, is broken."""
    with pytest.raises(BrokenContainer, match="within a box"):
        list(containers.boxes(wrong))


def test_a_flood_of_boxes_ends():
    """Thousands of empty boxes are not iterated over."""
    with pytest.raises(BrokenContainer, match="more than"):
        list(containers.boxes(box(b"free", b"") * 100_000))
