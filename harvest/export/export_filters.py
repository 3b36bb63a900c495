"""Which images an export leaves out, each for the first reason that applies."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harvest.licences import NO_ASSERTION, Licence, LicenceFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.export.export_options import ExportOptions
    from harvest.export.records import ExportImage


def choose_images(images: Iterable[ExportImage], options: ExportOptions) -> tuple[list[ExportImage], Counter[str]]:
    """Return the images that the options allow, and the number of the others by reason."""
    left_out: Counter[str] = Counter()
    chosen = []
    for image in images:
        if reason := find_objection(image, options):
            left_out[reason] += 1
        else:
            chosen.append(image)
    return chosen, left_out


def find_objection(image: ExportImage, options: ExportOptions) -> str:
    """Return why the options leave out an image; empty if they do not."""
    licence = Licence(image.licence or None)
    # What a search filter claims is not known well enough to publish.
    if options.licence is not LicenceFilter.ANY and (
        licence.spdx == NO_ASSERTION or not licence.allows(options.licence)
    ):
        return f"not known to have a licence that is {_WORDS[options.licence]}"
    if licence.forbids_derivatives and not options.nd:
        return "licence forbids derivatives (ND)"
    if image.is_ai_generated and not options.accept_ai:
        return "made with AI"
    if image.rating < (options.min_rating or 0):
        return f"rated below {options.min_rating}, or not rated"
    if options.reviewed_only and not image.is_reviewed:
        return "not reviewed"
    return ""


_WORDS = {
    LicenceFilter.ANY: "any",
    LicenceFilter.OPEN: "open",
    LicenceFilter.COMMERCIAL: "for commercial use",
    LicenceFilter.PUBLIC_DOMAIN: "public domain",
}
