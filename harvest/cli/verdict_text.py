"""What became of an address, in a person's words."""

from __future__ import annotations

from harvest.models import Verdict

_WORDS = {
    Verdict.KEPT: "gave the picture",
    Verdict.BETTER: "gave a better copy, which took the place of the one before",
    Verdict.HAD: "known from before",
    Verdict.DUPLICATE: "the same picture again",
    Verdict.CONFLICT: "the same picture, wanted for another class",
    Verdict.REJECTED: "not taken: you threw this picture out",
    Verdict.TOO_SMALL: "too small",
    Verdict.BLANK: "blank: nothing to see in it",
    Verdict.ASPECT: "too long and thin",
    Verdict.PLACEHOLDER: "a placeholder, which its host serves under many addresses",
    Verdict.NOT_AN_IMAGE: "no picture but something else, a web page for example",
    Verdict.BROKEN_IMAGE: "a broken picture",
    Verdict.UNSUPPORTED: "a picture in a format that is not read",
    Verdict.NEEDS_HEIF_EXTRA: "a HEIC picture, which needs pillow-heif: pip install pillow-heif",
    Verdict.TOO_MANY_PIXELS: "more pixels than can safely be decoded",
    Verdict.DECODER_DIED: "its decoding failed so badly that it was given up",
    Verdict.INTERNAL_ERROR: "harvest failed on it: a bug, please report it",
    Verdict.DNS: "its host has no address",
    Verdict.UNREACHABLE: "its host could not be reached",
    Verdict.TIMEOUT: "did not come in time",
    Verdict.BROKEN_TRANSFER: "broke off on the way",
    Verdict.TLS: "its host could not prove that it is the one it says",
    Verdict.GONE: "its host does not give it out, or has it no more",
    Verdict.SERVER_ERROR: "its host failed",
    Verdict.TOO_MANY_REDIRECTS: "led from address to address without end",
    Verdict.HOST_PARKED: "its host asked for more patience than one run has",
    Verdict.BAD_ADDRESS: "no address that pictures are fetched from",
    Verdict.BLOCKED_ADDRESS: "a private address that a public page named: not contacted",
    Verdict.ENCODED: "came packed in a way that nobody asked for",
    Verdict.TOO_BIG: "too many bytes",
    Verdict.OPTED_OUT: "its host asks that it be left out of datasets",
    Verdict.LICENCE: "not known to be under the licence asked for",
}


def describe_verdict(verdict: Verdict | None, detail: str = "") -> str:
    """Say what became of an address, and what more is known of it.

    >>> describe_verdict(Verdict.TOO_SMALL, "120 × 90")
    'too small (120 × 90)'
    >>> describe_verdict(None)
    'waits for the next run'
    """
    if verdict is None:
        return "waits for the next run"
    again = "; a later run tries it again" if verdict.is_transient else ""
    return _WORDS[verdict] + (f" ({detail})" if detail else "") + again
