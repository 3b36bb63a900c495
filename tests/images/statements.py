"""Images that say something about themselves: XMP and Content Credentials, in every format that can hold them."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from tests import pictures

PLUS = "http://ns.useplus.org/ldf/vocab/"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"'
    ' xmlns:iptcExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
)


def xmp(attributes: str = "", elements: str = "") -> bytes:
    """Return an XMP packet with these attributes and elements of the image."""
    description = f'<rdf:Description rdf:about="" {attributes}>{elements}</rdf:Description>'
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_NAMESPACES}>{description}</rdf:RDF></x:xmpmeta>'
    return f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{packet}{" " * 200}<?xpacket end="w"?>'.encode()


def data_mining(term: str) -> bytes:
    """Return an XMP packet with the owner's word on data mining."""
    return xmp(f'plus:DataMining="{PLUS}{term}"')


def source_type(term: str) -> bytes:
    """Return an XMP packet with the digital source type."""
    return xmp(f'iptcExt:DigitalSourceType="{SOURCE_TYPES}{term}"')


def cbor(value: Any) -> bytes:
    """Encode a value as CBOR."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value)
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(each) for key, each in value.items())


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    return bytes([major << 5 | 25]) + number.to_bytes(2, "big")


def box(kind: bytes, *content: bytes) -> bytes:
    """Return one box of an ISO file or of JUMBF."""
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def superbox(label: str, *content: bytes) -> bytes:
    """Return a JUMBF box with a label."""
    return box(b"jumb", box(b"jumd", bytes(16), b"\x03", label.encode(), b"\0"), *content)


def credentials(*assertions: bytes) -> bytes:
    """Return Content Credentials with these assertions."""
    return superbox("c2pa", superbox("urn:c2pa:1", superbox("c2pa.assertions", *assertions)))


def assertion(label: str, data: Any) -> bytes:
    """Return one assertion in CBOR."""
    return superbox(label, box(b"cbor", cbor(data)))


def training(use: str, name: str = "cawg.ai_training", label: str = "cawg.training-mining") -> bytes:
    """Return Content Credentials with the owner's word on one use."""
    return credentials(assertion(label, {"entries": {name: {"use": use}}}))


def actions(term: str) -> bytes:
    """Return Content Credentials with the digital source type of the action that made an image."""
    made = {"action": "c2pa.created", "digitalSourceType": f"{SOURCE_TYPES}{term}"}
    return credentials(assertion("c2pa.actions.v2", {"actions": [{"action": "c2pa.opened"}, made]}))


# Images with these blocks


def jpeg(packet: bytes = b"", store: bytes = b"", *, piece: int = 60_000) -> bytes:
    """Return a JPEG; its Content Credentials are in segments of `piece` bytes."""
    parts = [pictures.segment(0xE1, XMP_HEAD + packet)] if packet else []
    head, rest = store[:8], store[8:]
    for number, start in enumerate(range(0, len(rest), piece), 1):
        content = b"JP" + struct.pack(">HI", 1, number) + head + rest[start : start + piece]
        parts.append(pictures.segment(0xEB, content))
    return pictures.jpeg_with(pictures.encoded(pictures.photo()), *parts)


def png(packet: bytes = b"", store: bytes = b"", *, compressed: bool = False) -> bytes:
    """Return a PNG."""
    text = zlib.compress(packet) if compressed else packet
    itxt = b"XML:com.adobe.xmp\0" + bytes([compressed]) + b"\0\0\0" + text
    chunks = [pictures.chunk(b"iTXt", itxt)] if packet else []
    chunks += [pictures.chunk(b"caBX", store)] if store else []
    return pictures.png_with(pictures.encoded(pictures.photo(), "PNG"), *chunks)


def webp(packet: bytes = b"", store: bytes = b"") -> bytes:
    """Return a WebP."""
    body = pictures.encoded(pictures.photo(), "WEBP", xmp=packet or b"<x/>")
    extra = b"C2PA" + struct.pack("<I", len(store)) + store + bytes(len(store) % 2) if store else b""
    body += extra
    return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]


def gif(packet: bytes) -> bytes:
    """Return a GIF."""
    body = pictures.encoded(pictures.photo(), "GIF")
    at = 13 + (3 << ((body[10] & 7) + 1) if body[10] & 0x80 else 0)
    trailer = bytes([1, *range(255, -1, -1), 0])
    return body[:at] + b"!\xff\x0bXMP DataXMP" + packet + trailer + body[at:]


def avif(packet: bytes = b"", store: bytes = b"") -> bytes:
    """Return an AVIF; its XMP is written by Pillow, its Content Credentials are in a box at its end."""
    body = pictures.encoded(pictures.photo(), "AVIF", **({"xmp": packet} if packet else {}))
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    return body + (box(b"uuid", uuid, bytes(4), b"manifest\0", bytes(8), store) if store else b"")
