"""Read single properties of an XMP packet, which is RDF in XML. No entity is expanded and nothing is loaded."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_DESCRIPTION = f"{_RDF}Description"
_MOST_DEPTH = 50
_MOST_TEXT = 1_000  # characters of a value


def read_properties(packet: bytes, names: Collection[str]) -> dict[str, str]:
    """Return the values of properties of the image itself; of those of its parts and ancestors nothing is read.

    A name is a namespace, a space and the name in it. What a damaged packet states before its damage counts.

    >>> description = b'<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="x:" a:b="c"/>'
    >>> rdf = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + description + b"</rdf:RDF>"
    >>> read_properties(rdf, {"x: b"})
    {'x: b': 'c'}
    """
    reader = _Reader(names)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    with suppress(expat.ExpatError, _Refused, ValueError, LookupError):  # the last two: an unknown encoding
        parser.Parse(packet.strip(b" \t\r\n\0"), True)  # noqa: FBT003 - expat takes no keyword here
    return {name: " ".join(value.split()) for name, value in reader.found.items()}


class _Refused(Exception):
    """The packet is not XMP."""


def _refuse_doctype(*_: object) -> None:
    raise _Refused


class _Reader:
    def __init__(self, names: Collection[str]) -> None:
        self.found: dict[str, str] = {}
        self._names = names
        self._path: list[str] = []
        self._property = ""  # that is being read

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._path) >= _MOST_DEPTH:
            raise _Refused
        if name == _DESCRIPTION and self._is_in_rdf(self._path):
            self.found.update({key: value[:_MOST_TEXT] for key, value in attributes.items() if key in self._names})
        elif name in self._names and self._path[-1:] == [_DESCRIPTION] and self._is_in_rdf(self._path[:-1]):
            self._property = name
            self.found[name] = attributes.get(f"{_RDF}resource", "")[:_MOST_TEXT]
        self._path.append(name)

    def end(self, name: str) -> None:
        self._path.pop()
        if name == self._property:
            self._property = ""

    def text(self, text: str) -> None:
        if self._property and len(self.found[self._property]) < _MOST_TEXT:
            self.found[self._property] += text[:_MOST_TEXT]

    @staticmethod
    def _is_in_rdf(path: list[str]) -> bool:
        """Return whether a path is that of the RDF of the packet, with or without an element around it."""
        return path[-1:] == [f"{_RDF}RDF"] and len(path) <= 2  # noqa: PLR2004 - x:xmpmeta and rdf:RDF
