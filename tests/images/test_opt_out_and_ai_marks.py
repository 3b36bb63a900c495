"""What image files say about themselves: read in every format, and never more than that."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from harvest import images
from harvest.images.detect_format import detect_format
from harvest.images.opt_out_and_ai_marks import read_statements
from harvest.models import Hit, Picture, Recipe, Refusal, StatementRules
from harvest.verdicts import Verdict
from tests import pictures
from tests.images import statements
from tests.images.statements import PLUS, actions, avif, data_mining, gif, jpeg, png, training, webp, xmp

if TYPE_CHECKING:
    from harvest.images.opt_out_and_ai_marks import FileStatements

HIT = Hit("https://example.org/a.jpg", "BING", "x")


def read(body: bytes) -> FileStatements:
    kind = detect_format(body)
    assert isinstance(kind, str)
    return read_statements(body, kind)


PROHIBITED = data_mining("DMI-PROHIBITED-AIMLTRAINING")
NOT_ALLOWED = training("notAllowed")
OPTED_OUT = {
    "jpeg xmp": jpeg(PROHIBITED),
    "png xmp": png(PROHIBITED),
    "png xmp compressed": png(PROHIBITED, compressed=True),
    "webp xmp": webp(PROHIBITED),
    "gif xmp": gif(PROHIBITED),
    "avif xmp": avif(PROHIBITED),
    "jpeg c2pa": jpeg(store=NOT_ALLOWED),
    "jpeg c2pa in pieces": jpeg(store=NOT_ALLOWED, piece=50),
    "png c2pa": png(store=NOT_ALLOWED),
    "webp c2pa": webp(store=NOT_ALLOWED),
    "avif c2pa": avif(store=NOT_ALLOWED),
}


@pytest.mark.parametrize("body", OPTED_OUT.values(), ids=OPTED_OUT)
def test_the_word_of_the_owner_is_read_in_every_format(body: bytes) -> None:
    """An image whose file forbids training is refused with the words of the file, and is kept on request."""
    refusal = images.process_image(body, HIT, Recipe())

    assert isinstance(refusal, Refusal)
    assert refusal.verdict is Verdict.OPTED_OUT
    assert refusal.detail in {
        "XMP of the image: plus:DataMining DMI-PROHIBITED-AIMLTRAINING",
        "Content Credentials of the image: cawg.ai_training notAllowed",
    }
    assert isinstance(images.process_image(body, HIT, Recipe(), StatementRules(obey_opt_out=False)), Picture)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("DMI-PROHIBITED", True),
        ("DMI-PROHIBITED-GENAIMLTRAINING", True),
        ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", True),
        ("DMI-PROHIBITED-SEECONSTRAINT", True),
        ("DMI-ALLOWED", False),
        ("DMI-UNSPECIFIED", False),
        ("", False),
        ("DMI-PROHIBITED" + "X" * 5000, False),
    ],
)
def test_the_vocabulary_of_plus(term: str, expected: bool) -> None:
    """Every term that prohibits data mining is an opt-out, and no other."""
    assert (read(jpeg(data_mining(term))).opt_out is not None) == expected


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (xmp(elements=f"<plus:DataMining>{PLUS}DMI-PROHIBITED</plus:DataMining>"), True),
        (xmp(elements=f"<plus:DataMining>\n {PLUS}DMI-PROHIBITED \n</plus:DataMining>"), True),
        (xmp(elements=f'<plus:DataMining rdf:resource="{PLUS}DMI-PROHIBITED"/>'), True),
        (xmp(elements="<plus:DataMining>DMI-PROHIBITED</plus:DataMining>"), True),
        (PROHIBITED.replace(b"plus:", b"p:").replace(b":plus=", b":p="), True),
        (PROHIBITED[:-200], True),
        (PROHIBITED.decode().encode("utf-16"), True),
        # Of a part or an ancestor of the image.
        (xmp(elements=f'<rdf:li><rdf:Description plus:DataMining="{PLUS}DMI-PROHIBITED"/></rdf:li>'), False),
        (xmp(elements=f"<rdf:li><plus:DataMining>{PLUS}DMI-PROHIBITED</plus:DataMining></rdf:li>"), False),
        (PROHIBITED.replace(b"useplus.org/ldf/xmp", b"example.org/ldf/xmp"), False),
        (b"<!DOCTYPE a [<!ENTITY b 'DMI-PROHIBITED'>]>" + PROHIBITED[PROHIBITED.index(b"<x:") :], False),
        (b"<?xml version='1.0' encoding='nonsense'?>" + PROHIBITED[PROHIBITED.index(b"<x:") :], False),
        (b"DataMining" * 1000, False),
        (b"<DataMining>" * 5000, False),
    ],
)
def test_the_forms_of_xmp(packet: bytes, expected: bool) -> None:
    """The property is read in each form of RDF, under any prefix, and only where it is about the image itself."""
    assert (read(jpeg(packet)).opt_out is not None) == expected


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (training("notAllowed", "cawg.data_mining"), True),
        (training("notAllowed", "cawg.ai_generative_training"), True),
        (training("notAllowed", "c2pa.ai_training", "c2pa.training-mining"), True),
        (training("notAllowed", label="cawg.training-mining__1"), True),
        (training("notAllowed", "cawg.ai_inference"), False),
        (training("notAllowed", "a" * 9000 + ".ai_training"), False),
        (training("allowed"), False),
        (training("constrained"), False),
        (training("notAllowed", label="com.example.training-mining"), False),
        (statements.credentials(statements.assertion("cawg.training-mining", [1, "notAllowed"])), False),
        (statements.credentials(statements.assertion("cawg.training-mining", {"entries": ["notAllowed"]})), False),
        (b"\0\0\0\x08jumb" * 5000, False),
        (statements.box(b"jumb", *([b"\0\0\0\x08jumd"] * 5000)), False),
    ],
)
def test_the_assertions_of_cawg(store: bytes, expected: bool) -> None:
    """Only `notAllowed` for a use that a dataset is for is an opt-out."""
    assert (read(png(store=store)).opt_out is not None) == expected


def test_an_assertion_in_json_is_read() -> None:
    """An assertion may be in JSON."""
    data = statements.box(b"json", b'{"entries": {"cawg.ai_training": {"use": "notAllowed"}}}')
    store = statements.credentials(statements.superbox("cawg.training-mining", data))

    assert read(png(store=store)).opt_out == "Content Credentials of the image: cawg.ai_training notAllowed"


@pytest.mark.parametrize(
    "data",
    [b"\x9f" * 50_000, b"\x81" * 50_000, b"\xbb" + b"\xff" * 8, b"\x5f" * 10, b"\x7b" + b"\xff" * 8, b"\xff", b"",
     b"\x62\xff\xff", b"\xf9", b"\xdf" * 9, b"\x1c", b"\x9a\0\xff\xff\xff" + bytes(100_000), b"\xa1\x01\x02"],
)  # fmt: skip
def test_hostile_cbor_is_no_statement(data: bytes) -> None:
    """CBOR that is nested, endless, cut off or invalid says nothing, and takes no time."""
    began = time.process_time()
    store = statements.credentials(statements.superbox("cawg.training-mining", statements.box(b"cbor", data)))

    assert read(png(store=store)) == (None, None)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("body", OPTED_OUT.values(), ids=OPTED_OUT)
def test_damaged_files_are_read_without_an_error(body: bytes) -> None:
    """A file that is cut off or changed anywhere raises nothing."""
    rng = random.Random(7)
    kind = str(detect_format(body))
    for _ in range(60):
        damaged = bytearray(body[: rng.randrange(20, len(body))])
        for _ in range(rng.randrange(4)):
            damaged[rng.randrange(12, len(damaged))] = rng.randrange(256)
        read_statements(bytes(damaged), kind)


def test_a_file_without_statements_says_nothing() -> None:
    """Ordinary files, and formats that cannot hold statements, say nothing."""
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"):
        assert read(pictures.encoded(pictures.photo(), kind)) == (None, None)
    assert read(pictures.private()) == (None, None)


def test_the_source_type_is_read() -> None:
    """The digital source type is read from XMP and from Content Credentials; one that names AI counts first."""
    assert read(jpeg(statements.source_type("digitalCapture"))).source_type == "digitalCapture"
    assert read(webp(statements.source_type("trainedAlgorithmicMedia"))).source_type == "trainedAlgorithmicMedia"
    assert read(png(store=actions("trainedAlgorithmicMedia"))).source_type == "trainedAlgorithmicMedia"
    both = jpeg(statements.source_type("digitalCapture"), actions("compositeWithTrainedAlgorithmicMedia"))
    assert read(both).source_type == "compositeWithTrainedAlgorithmicMedia"
    assert read(jpeg(statements.source_type("no such term!"))).source_type is None


@pytest.mark.parametrize("term", ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"])
def test_images_made_with_ai_are_refused_on_request(term: str) -> None:
    """An image that states that it was made with AI is kept with its source type, or refused on request."""
    body = jpeg(statements.source_type(term))
    picture = images.process_image(body, HIT, Recipe())

    assert isinstance(picture, Picture)
    assert picture.source_type == term
    assert b"trained" not in picture.data
    refusal = images.process_image(body, HIT, Recipe(), StatementRules(accept_ai=False))
    assert refusal == Refusal(Verdict.AI_GENERATED, f"digital source type {term}")


@pytest.mark.parametrize("term", ["digitalCapture", "algorithmicMedia", "compositeSynthetic", "minorHumanEdits"])
def test_other_source_types_are_kept(term: str) -> None:
    """Photographs, drawings by a formula and other images are not refused as made with AI."""
    picture = images.process_image(jpeg(statements.source_type(term)), HIT, Recipe(), StatementRules(accept_ai=False))

    assert isinstance(picture, Picture)
    assert picture.source_type == term
