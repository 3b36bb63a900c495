"""Read what an image file says about itself: whether its owner forbids training, and how it was made.

The owner's word is the property DataMining of PLUS, which IPTC recommends, and the CAWG assertion on training and
data mining. The making is the IPTC digital source type, in XMP or in the actions of Content Credentials.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from harvest.images import xmp
from harvest.images.content_credentials import read_assertions
from harvest.images.find_xmp_and_c2pa import find_metadata
from harvest.models import AI_SOURCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.images.content_credentials import Assertion

_DATA_MINING = "http://ns.useplus.org/ldf/xmp/1.0/ DataMining"
_SOURCE_TYPE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ DigitalSourceType"
_NAMES = (b"DataMining", b"DigitalSourceType")
_PROHIBITED = re.compile(r"(?:https?://ns\.useplus\.org/ldf/vocab/)?(DMI-PROHIBITED(?:-[A-Z]{1,40})?)")
_TERM = re.compile(r"(?:https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/)?([A-Za-z]{1,64})/?")
_TRAINING = ("cawg.training-mining", "c2pa.training-mining")  # the latter until C2PA 2.0
_ACTIONS = "c2pa.actions"
# The uses that a dataset is for; inference is not one.
_USES = frozenset(
    f"{prefix}.{use}" for prefix in ("cawg", "c2pa") for use in ("data_mining", "ai_training", "ai_generative_training")
)


class FileStatements(NamedTuple):
    """The statement that forbids training, and the IPTC digital source type; each `None` where the file has none."""

    opt_out: str | None = None
    source_type: str | None = None


def read_statements(body: bytes, kind: str) -> FileStatements:
    """Return the statements of an image file of a format, as Pillow names it."""
    blocks = find_metadata(body, kind)
    if not any(blocks):
        return FileStatements()
    is_stated = any(name in blocks.xmp.replace(b"\0", b"") for name in _NAMES)  # without the zeros of UTF-16
    properties = xmp.read_properties(blocks.xmp, (_DATA_MINING, _SOURCE_TYPE)) if is_stated else {}
    assertions = list(read_assertions(blocks.c2pa, (*_TRAINING, _ACTIONS)))
    found = [_TERM.fullmatch(value) for value in (properties.get(_SOURCE_TYPE, ""), *_action_types(assertions))]
    terms = [term[1] for term in found if term]
    made_by_ai = [term for term in terms if term in AI_SOURCE_TYPES]
    return FileStatements(_find_opt_out(properties, assertions), next(iter(made_by_ai or terms), None))


def _find_opt_out(properties: dict[str, str], assertions: list[Assertion]) -> str | None:
    if prohibited := _PROHIBITED.fullmatch(properties.get(_DATA_MINING, "")):
        return f"XMP of the image: plus:DataMining {prohibited[1]}"
    for label, data in assertions:
        for name, entry in _dict(data.get("entries")).items() if label.startswith(_TRAINING) else ():
            if name in _USES and _dict(entry).get("use") == "notAllowed":
                return f"Content Credentials of the image: {name} notAllowed"
    return None


def _action_types(assertions: list[Assertion]) -> Iterator[str]:
    """Yield the digital source types of the actions that made an image, and of those that made its ingredients."""
    for label, data in assertions:
        actions = data.get("actions") if label.startswith(_ACTIONS) else None
        for action in actions if isinstance(actions, list) else ():
            if isinstance(value := _dict(action).get("digitalSourceType"), str):
                yield value


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
