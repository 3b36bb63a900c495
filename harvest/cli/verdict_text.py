"""The result of a URL as text."""

from __future__ import annotations

from harvest.models import Verdict

_WORDS = {
    Verdict.KEPT: "gave the image",
    Verdict.BETTER: "gave a better copy, which replaced the earlier one",
    Verdict.HAD: "downloaded earlier",
    Verdict.DUPLICATE: "duplicate of another image",
    Verdict.CONFLICT: "duplicate of an image of another class",
    Verdict.REJECTED: "skipped: you rejected this image",
    Verdict.TOO_SMALL: "too small",
    Verdict.BLANK: "blank image",
    Verdict.ASPECT: "too elongated",
    Verdict.PLACEHOLDER: "a placeholder that its host serves for many URLs",
    Verdict.NOT_AN_IMAGE: "not an image, but a web page for example",
    Verdict.BROKEN_IMAGE: "a damaged image",
    Verdict.UNSUPPORTED: "an image in an unsupported format",
    Verdict.NEEDS_HEIF_EXTRA: "a HEIC image, which needs pillow-heif: pip install pillow-heif",
    Verdict.TOO_MANY_PIXELS: "more pixels than can safely be decoded",
    Verdict.DECODER_DIED: "crashed the decoder",
    Verdict.INTERNAL_ERROR: "internal error in harvest; please report it",
    Verdict.DNS: "the host name does not resolve",
    Verdict.UNREACHABLE: "the host is unreachable",
    Verdict.TIMEOUT: "timed out",
    Verdict.BROKEN_TRANSFER: "the transfer broke off",
    Verdict.TLS: "the TLS certificate of the host is not valid",
    Verdict.GONE: "refused by the host, or no longer there",
    Verdict.SERVER_ERROR: "the host reported a server error",
    Verdict.TOO_MANY_REDIRECTS: "too many redirects",
    Verdict.HOST_PARKED: "the host asks for a longer wait than one run allows",
    Verdict.BAD_ADDRESS: "not a valid image URL",
    Verdict.BLOCKED_ADDRESS: "a private address found on a public page: not contacted",
    Verdict.ENCODED: "sent with an unexpected content encoding",
    Verdict.TOO_BIG: "the file is too large",
    Verdict.OPTED_OUT: "the host opts out of datasets",
    Verdict.LICENCE: "not known to have the requested licence",
}


def describe_verdict(verdict: Verdict | None, detail: str = "") -> str:
    """Return the result of a URL as text, with details.

    >>> describe_verdict(Verdict.TOO_SMALL, "120 × 90")
    'too small (120 × 90)'
    >>> describe_verdict(None)
    'left for the next run'
    """
    if verdict is None:
        return "left for the next run"
    again = "; a later run retries it" if verdict.is_transient else ""
    return _WORDS[verdict] + (f" ({detail})" if detail else "") + again
