"""The Exif block: ours is written; others' are read for how a picture is turned and where it is from.

Written here by hand, for two reasons measured with Pillow 13: its own writer stores a user comment as BYTE,
which piexif, and so FastClass, cannot read; and a file's name is its content, which another version of a
library must not change.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

from harvest import source_keys
from harvest.images import containers
from harvest.licences import Evidence, Licence
from harvest.models import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE, _TITLE, _ORIENTATION, _AUTHOR, _RIGHTS = 0x010D, 0x010E, 0x0112, 0x013B, 0x8298
_MORE, _COMMENT = 0x8769, 0x9286  # the second directory, and the user comment in it
_BYTE, _ASCII, _SHORT, _LONG, _UNDEFINED = 1, 2, 3, 4, 7
_HEAD = b"MM\0*\0\0\0\x08"  # big-endian, and the first directory follows
_INLINE = 4  # a value of up to four bytes stands in its entry, a longer one elsewhere
_MOST_ENTRIES = 500

_MOST_TEXT = 1_000  # characters of a title; all texts together stay far below the 64 kB of a segment
_MOST_ADDRESS = 4_000  # a longer address is left out: a part of one leads elsewhere
_MOST_COMMENT = 4 * _MOST_ADDRESS + 64  # bytes, whatever the encoding
_SOURCE = "source: "
_CLAIM = " (as claimed by the search engine)"
_SCHEMES = ("http://", "https://")


def build_exif(hit: Hit) -> bytes:
    """Return the Exif block that says where a picture comes from, as FastClass does and a bit more."""
    texts = {
        _PAGE: _address(hit.page),
        _TITLE: _printable(hit.title, _MOST_TEXT),
        _AUTHOR: _printable(hit.author, _MOST_TEXT),
        _RIGHTS: _rights(hit.licence),
    }
    # Exif knows ASCII only; UTF-8, which programs of today write and read there, is the same for ASCII.
    entries = {tag: (_ASCII, text.encode() + b"\0") for tag, text in texts.items() if text}
    source = _address(hit.url)
    if not source:
        return b"Exif\0\0" + _HEAD + _directory(entries, len(_HEAD))
    comment = {_COMMENT: (_UNDEFINED, _comment(_SOURCE + source))}
    entries[_MORE] = (_LONG, bytes(4))  # how long the first directory is does not depend on what stands here
    second = len(_HEAD) + len(_directory(entries, len(_HEAD)))
    entries[_MORE] = (_LONG, second.to_bytes(4, "big"))
    return b"Exif\0\0" + _HEAD + _directory(entries, len(_HEAD)) + _directory(comment, second)


def _rights(licence: Licence) -> str:
    name = " ".join(part for part in (licence.id, licence.url) if part)
    claimed = _CLAIM if name and licence.evidence is Evidence.CLAIMED else ""
    return _printable(name, _MOST_TEXT) + claimed


def _address(text: str | None) -> str:
    clean = _printable(text, _MOST_ADDRESS + 1)
    return clean if len(clean) <= _MOST_ADDRESS else ""


def _printable(text: str | None, most: int) -> str:
    """Keep what can be printed, on one line: no NUL, control, bidirectional mark or half of a character."""
    printable = (letter if letter.isprintable() else " " for letter in (text or "")[: 4 * most])
    return " ".join("".join(printable).split())[:most]


def _comment(text: str) -> bytes:
    r"""Write a user comment as piexif does: eight bytes name the encoding.

    >>> _comment("source: http://example.org/a.jpg")
    b'ASCII\x00\x00\x00source: http://example.org/a.jpg'
    """
    return b"ASCII\0\0\0" + text.encode() if text.isascii() else b"UNICODE\0" + text.encode("utf-16-be")


def _directory(entries: dict[int, tuple[int, bytes]], offset: int) -> bytes:
    """Write one directory as it stands at `offset`, with its values behind it."""
    table, values = struct.pack(">H", len(entries)), b""
    start = offset + len(table) + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        count = 1 if kind == _LONG else len(value)
        place = value.ljust(_INLINE, b"\0")
        if len(value) > _INLINE:
            place = struct.pack(">I", start + len(values))
            values += value + b"\0" * (len(value) % 2)
        table += struct.pack(">HHI", tag, kind, count) + place
    return table + bytes(4) + values


def orientation(exif: bytes) -> int:
    """Tell how a picture is turned, 1 to 8; 1 is upright, and so is everything damaged.

    >>> orientation(b"garbage")
    1
    """
    for tag, kind, value in _entries(exif, None):
        if tag == _ORIENTATION and kind == _SHORT:
            turned = int.from_bytes(value[:2], _order(exif))
            return turned if 1 <= turned <= 8 else 1  # noqa: PLR2004 - there are eight ways
    return 1


def source_of(data: bytes) -> str | None:
    """Tell the address that this program or FastClass wrote into a JPEG, or `None`."""
    return _source(_exif_of(data))


def read_hit(data: bytes, provider: str) -> Hit | None:
    """Read the hit back that `written` wrote into a JPEG; `None` where there is no address in it.

    `data` may end anywhere behind the Exif block. The block may have been written by anybody: its texts are
    cleaned and limited as ours are, and only web addresses are taken.
    """
    exif = _exif_of(data)
    url = _source(exif)
    if url is None or not url.startswith(_SCHEMES):
        return None
    texts = {tag: _text(value) for tag, kind, value in _entries(exif, None) if kind == _ASCII}
    page = _address(texts.get(_PAGE))
    return Hit(
        url=url,
        provider=provider,
        source=source_keys.source_key(url),
        page=page if page.startswith(_SCHEMES) else None,
        title=_printable(texts.get(_TITLE), _MOST_TEXT) or None,
        author=_printable(texts.get(_AUTHOR), _MOST_TEXT) or None,
        licence=_licence(texts.get(_RIGHTS, "")),
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def _licence(rights: str) -> Licence:
    """Read a licence back as `_rights` wrote it.

    >>> _licence("CC-BY-2.0 https://creativecommons.org/licenses/by/2.0/").id
    'CC-BY-2.0'
    """
    name = _printable(rights, _MOST_TEXT + len(_CLAIM))
    evidence = Evidence.CLAIMED if name.endswith(_CLAIM) else Evidence.STATED
    *words, last = name.removesuffix(_CLAIM).split() or [""]
    if not last.startswith(_SCHEMES):
        words, last = [*words, last], ""
    identifier = " ".join(words)
    return Licence(identifier, last or None, evidence) if identifier else Licence()


def _exif_of(data: bytes) -> bytes:
    """Return the Exif block of a JPEG without its name; empty where there is none."""
    if not data.startswith(b"\xff\xd8\xff"):
        return b""
    try:
        for part in containers.segments(data):
            if part.kind == b"\xe1" and data.startswith(b"Exif\0\0", part.content):
                return data[part.content + 6 : part.end]
    except containers.BrokenContainer:
        pass
    return b""


def _source(exif: bytes) -> str | None:
    for tag, _, place in _entries(exif, None):
        if tag == _MORE:
            for inner, kind, value in _entries(exif, int.from_bytes(place[:4], _order(exif))):
                if inner == _COMMENT and kind in {_BYTE, _ASCII, _UNDEFINED}:
                    return _source_in(value)
    return None


def _source_in(comment: bytes) -> str | None:
    encoding = "utf-16-be" if comment.startswith(b"UNICODE\0") else "utf-8"
    text = comment[8:].decode(encoding, "replace").rstrip("\0 ")
    if not text.startswith(_SOURCE):
        return None
    return _address(text.removeprefix(_SOURCE)) or None


def _entries(exif: bytes, at: int | None) -> Iterator[tuple[int, int, bytes]]:
    """Yield tag, type and value of a directory's entries, as far as they can be read: it may be anything."""
    order = ">" if _order(exif) == "big" else "<"
    try:
        if at is None:
            at = struct.unpack_from(order + "4xI", exif)[0]
        count = min(struct.unpack_from(order + "H", exif, at)[0], _MOST_ENTRIES)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", exif, entry)
            if kind in {_BYTE, _ASCII, _UNDEFINED} and length > _INLINE:
                start = struct.unpack_from(order + "I", exif, entry + 8)[0]
                yield tag, kind, exif[start : start + min(length, _MOST_COMMENT)]
            else:
                yield tag, kind, exif[entry + 8 : entry + 12]
    except struct.error:
        return


def _order(exif: bytes) -> Literal["big", "little"]:
    return "little" if exif.startswith(b"II") else "big"
