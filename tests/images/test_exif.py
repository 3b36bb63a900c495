"""The EXIF data that is written into an image, and what is read back."""

import struct

import pytest
from PIL import ExifTags

from harvest.images import source_of, write_and_read_exif
from harvest.licences import Evidence, Licence
from harvest.models import Hit
from tests import bombs, pictures
from tests.images.processing import HIT, developed, opened

ADDRESS = "https://example.org/coral.jpg"
# The comment that piexif 1.1.3 writes for `source: http://example.org/a.jpg`, called as FastClass calls it.
FASTCLASS = (
    b"Exif\0\0MM\0*\0\0\0\x08\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x1a\0\0\0\0"
    b"\0\1\x92\x86\0\7\0\0\0\x28\0\0\0\x28ASCII\0\0\0source: http://example.org/a.jpg"
)


def hit(url=ADDRESS, **known):
    return Hit(url=url, provider="BING", source="url:x", **known)


def tags(some_hit):
    """Write a hit into an image, and read its EXIF with Pillow."""
    found = opened(developed(pictures.encoded(pictures.photo()), hit=some_hit).data).getexif()
    inner = found.get_ifd(ExifTags.IFD.Exif)
    return {ExifTags.TAGS[tag]: value for tag, value in (*found.items(), *inner.items())}


def with_exif(block):
    """Return a JPEG whose only EXIF block is this one."""
    return pictures.jpeg_with(pictures.encoded(pictures.photo()), pictures.segment(0xE1, block))


def test_the_source_is_written_as_fastclass_wrote_it():
    """The comment has the tag, type, length and bytes that FastClass's library writes."""
    ours = write_and_read_exif.build_exif(hit("http://example.org/a.jpg"))
    entry, comment = FASTCLASS[34:42], FASTCLASS[46:]
    assert entry in ours
    assert ours.endswith(comment)


def test_a_source_of_fastclass_is_read():
    """The source URL in an image that FastClass wrote is found."""
    assert source_of(with_exif(FASTCLASS)) == "http://example.org/a.jpg"


def test_all_that_is_known_is_written():
    """Page, title, author, and licence with its URL are in the tags that programs show."""
    licence = Licence("CC-BY-2.0", "https://creativecommons.org/licenses/by/2.0/", Evidence.STATED)
    found = tags(hit(page="https://example.org/", title="A coral snake", author="Jane Doe", licence=licence))
    assert found["UserComment"] == b"ASCII\0\0\0source: " + ADDRESS.encode()
    assert found["DocumentName"] == "https://example.org/"
    assert found["ImageDescription"] == "A coral snake"
    assert found["Artist"] == "Jane Doe"
    assert found["Copyright"] == "CC-BY-2.0 https://creativecommons.org/licenses/by/2.0/"


def test_a_claimed_licence_says_that_it_is_claimed():
    """A licence that is only claimed is not written as a fact."""
    licence = Licence("CC-BY-2.0", None, Evidence.CLAIMED)
    assert tags(hit(licence=licence))["Copyright"] == "CC-BY-2.0 (as claimed by the search engine)"


def test_what_is_not_known_is_not_written():
    """A hit with only a URL writes no other tag."""
    assert set(tags(hit())) == {"ExifOffset", "UserComment"}


@pytest.mark.parametrize("url", [ADDRESS, "https://example.org/蛇.jpg", "https://example.org/é.jpg?a=b c"])
def test_an_address_is_read_back(url):
    """A URL in any script is read back unchanged."""
    assert source_of(developed(pictures.encoded(pictures.photo()), hit=hit(url)).data) == url


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("a\0b", "a b"),
        ("  two\r\n lines\t", "two lines"),
        ("left\u202eright", "left right"),
        ("half \ud83d of one", "half of one"),
        ("a" * 100_000, "a" * 1000),
        ("\0\1\2", None),
        ("", None),
    ],
)
def test_hostile_titles_are_cleaned(title, written):
    """NULs, control and bidirectional characters, lone surrogates and endless texts are not written."""
    assert tags(hit(title=title)).get("ImageDescription") == written


def test_the_longest_texts_fit():
    """Texts of four-byte characters at every limit give an image that opens, and the URL is read back."""
    longest = "\U00020000" * 4000
    full = hit(longest, page=longest, title=longest, author=longest, licence=Licence(longest, longest))
    data = developed(pictures.encoded(pictures.photo()), hit=full).data
    assert opened(data).size == (320, 240)
    assert source_of(data) == longest


def test_an_address_that_is_too_long_is_left_out():
    """A URL that is too long is left out, because a part of it leads elsewhere."""
    assert "UserComment" not in tags(hit("https://example.org/" + "a" * 5000))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 2, 7])
def test_a_source_is_read_in_either_byte_order(order, kind):
    """Comments are found in either byte order, and with the types that other programs use."""
    comment = b"ASCII\0\0\0source: http://example.org/b.jpg\0"
    first = struct.pack(order + "HHHII4x", 1, 0x8769, 4, 1, 26)
    second = struct.pack(order + "HHHII4x", 1, 0x9286, kind, len(comment), 44)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    block = mark + struct.pack(order + "I", 8) + first + second + comment
    assert source_of(with_exif(b"Exif\0\0" + block)) == "http://example.org/b.jpg"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"not a picture",
        pictures.encoded(pictures.photo()),
        pictures.encoded(pictures.photo(), "PNG"),
        pictures.private(),
        bombs.cut(pictures.encoded(pictures.photo()), 0.01),
        bombs.exif_flood(10_000),
        with_exif(b"Exif\0\0"),
        with_exif(FASTCLASS[:40]),
        with_exif(FASTCLASS.replace(b"source: ", b"prompt: ")),
        with_exif(FASTCLASS.replace(b"\0\0\0\x1a", b"\0\0\0\x08")),  # the second directory is the first
        with_exif(FASTCLASS.replace(b"\0\0\0\x1a", b"\xff\xff\xff\xff")),
        with_exif(FASTCLASS.replace(b"\0\0\0\x28\0\0\0\x28", b"\xff\xff\xff\xff\xff\xff\xff\xff")),
    ],
)
def test_no_source_is_none(data):
    """Files without a source, and files made to confuse, return none."""
    assert source_of(data) is None


def test_our_block_sets_no_orientation():
    """Our EXIF block does not set an orientation."""
    assert write_and_read_exif.orientation(write_and_read_exif.build_exif(HIT)[6:]) == 1
