"""Write the EXIF block of an image, and read the orientation and the source from any EXIF block.

The writer is our own for two reasons, measured with Pillow 13: Pillow stores a user comment as BYTE, which
piexif, and so FastClass, cannot read; and a file is named by its content hash, which another version of a
library must not change.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

from harvest import photo_keys
from harvest.images import containers
from harvest.licences import Evidence, Licence
from harvest.models import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE, _TITLE, _ORIENTATION, _AUTHOR, _RIGHTS = 0x010D, 0x010E, 0x0112, 0x013B, 0x8298
_MORE, _COMMENT = 0x8769, 0x9286  # the second directory, and the user comment in it
_BYTE, _ASCII, _SHORT, _LONG, _UNDEFINED = 1, 2, 3, 4, 7
_HEAD = b"MM\0*\0\0\0\x08"  # big-endian, and the first directory follows
_INLINE = 4  # a value of up to four bytes is stored in its entry, a longer one elsewhere
_MOST_ENTRIES = 500

_MOST_TEXT = 1_000  # characters per text; all texts together stay far below the 64 kB of a segment
_MOST_ADDRESS = 4_000  # a longer URL is left out: a part of a URL leads elsewhere
_MOST_COMMENT = 4 * _MOST_ADDRESS + 64  # bytes, whatever the encoding
_SOURCE = "source: "
_CLAIM = " (as claimed by the search engine)"
_SCHEMES = ("http://", "https://")


def build_exif(hit: Hit) -> bytes:
    """Return the EXIF block with the source of an image: as FastClass, plus page, title, author and licence."""
    texts = {
        _PAGE: _address(hit.page),
        _TITLE: _printable(hit.title, _MOST_TEXT),
        _AUTHOR: _printable(hit.author, _MOST_TEXT),
        _RIGHTS: _rights(hit.licence),
    }
    # EXIF allows ASCII only. Today's programs read and write UTF-8 there, which is the same for ASCII.
    entries = {tag: (_ASCII, text.encode() + b"\0") for tag, text in texts.items() if text}
    source = _address(hit.url)
    if not source:
        return b"Exif\0\0" + _HEAD + _directory(entries, len(_HEAD))
    comment = {_COMMENT: (_UNDEFINED, _comment(_SOURCE + source))}
    entries[_MORE] = (_LONG, bytes(4))  # a placeholder: the length of the first directory does not depend on it
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
    """Return the printable text on one line: no NUL, control character, bidirectional mark or lone surrogate."""
    printable = (letter if letter.isprintable() else " " for letter in (text or "")[: 4 * most])
    return " ".join("".join(printable).split())[:most]


def _comment(text: str) -> bytes:
    r"""Return a user comment as piexif writes it: eight bytes name the encoding.

    >>> _comment("source: http://example.org/a.jpg")
    b'ASCII\x00\x00\x00source: http://example.org/a.jpg'
    """
    return b"ASCII\0\0\0" + text.encode() if text.isascii() else b"UNICODE\0" + text.encode("utf-16-be")


def _directory(entries: dict[int, tuple[int, bytes]], offset: int) -> bytes:
    """Return one directory that starts at `offset`, followed by its values."""
    table, values = struct.pack(">H", len(entries)), b""
    start = offset + len(table) + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        count = 1 if kind == _LONG else len(value)
        field = value.ljust(_INLINE, b"\0")
        if len(value) > _INLINE:
            field = struct.pack(">I", start + len(values))
            values += value + b"\0" * (len(value) % 2)
        table += struct.pack(">HHI", tag, kind, count) + field
    return table + bytes(4) + values


def orientation(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) also if the block is damaged.

    >>> orientation(b"garbage")
    1
    """
    for tag, kind, value in _entries(exif, None):
        if tag == _ORIENTATION and kind == _SHORT:
            number = int.from_bytes(value[:2], _order(exif))
            return number if 1 <= number <= 8 else 1  # noqa: PLR2004 - there are eight orientations
    return 1


def source_of(data: bytes) -> str | None:
    """Return the source URL that this program or FastClass wrote into a JPEG, or `None`."""
    return _source(_exif_of(data))


def read_hit(data: bytes, provider: str) -> Hit | None:
    """Read back the hit that `build_exif` wrote into a JPEG; return `None` if it contains no source URL.

    `data` may end anywhere after the EXIF block. Any program may have written the block: its texts are
    cleaned and limited as ours are, and only http and https URLs are accepted.
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
        source=photo_keys.source_key(url),
        page=page if page.startswith(_SCHEMES) else None,
        title=_printable(texts.get(_TITLE), _MOST_TEXT) or None,
        author=_printable(texts.get(_AUTHOR), _MOST_TEXT) or None,
        licence=_licence(texts.get(_RIGHTS, "")),
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def _licence(rights: str) -> Licence:
    """Read back a licence that `_rights` wrote.

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
    """Return the EXIF block of a JPEG without its `Exif` prefix; empty if there is none."""
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
    for tag, _, pointer in _entries(exif, None):
        if tag == _MORE:
            for inner, kind, value in _entries(exif, int.from_bytes(pointer[:4], _order(exif))):
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
    """Yield tag, type and value of the entries of a directory, as far as they can be read."""
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
