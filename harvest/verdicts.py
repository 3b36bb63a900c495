"""The verdict of a hit, with everything that is known per verdict: column, wording, and what may follow."""

from __future__ import annotations

from enum import Flag, StrEnum, auto
from typing import Self

# The columns of the summary, in their order; with `left`, the hits without a verdict, they add up to the hits found.
COLUMNS = {
    "new": "downloaded by this run",
    "had": "downloaded earlier",
    "dup": "duplicate of another image",
    "small": "too small, blank or too elongated",
    "bad": "not an image, or damaged",
    "dead": "download failed",
    "refused": "blocked by policy",
    "before": "rejected earlier",
}


class Followup(Flag):
    """What may still give another verdict for the same photograph."""

    NONE = 0
    NEXT_RUN = auto()  # the network or the host had a temporary problem: another run may succeed
    NEXT_RENDITION = auto()  # a smaller rendition of the same photograph may succeed
    OTHER_FILTERS = auto()  # final only for searches with the same filters
    OTHER_OPTIONS = auto()  # final only for one run: the options of the next may differ


_RUN, _RENDITION = Followup.NEXT_RUN, Followup.NEXT_RENDITION


class Verdict(StrEnum):
    """What happened to a hit; every hit gets exactly one."""

    column: str  # the summary's column that counts this verdict
    wording: str  # the verdict as text, for people
    followup: Followup

    # The defaults are for the type checker alone, which takes the lookup `Verdict("kept")` for a call.
    def __new__(cls, value: str, column: str = "", wording: str = "", followup: Followup = Followup.NONE) -> Self:
        """Make a member whose value is the word alone: it is what the ledger and JSON contain."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.column, member.wording, member.followup = column, wording, followup
        return member

    KEPT = "kept", "new", "gave the image"
    BETTER = "better", "dup", "gave a better copy, which replaced the earlier one"
    HAD = "had", "had", "downloaded earlier"  # or by another query; nothing was fetched
    DUPLICATE = "duplicate", "dup", "duplicate of another image"
    CONFLICT = "conflict", "dup", "duplicate of an image of another class"
    REJECTED = "rejected", "before", "skipped: you rejected this image"
    # The image is not wanted.
    TOO_SMALL = "too_small", "small", "too small", Followup.OTHER_FILTERS
    BLANK = "blank", "small", "blank image"
    ASPECT = "aspect", "small", "too elongated"
    CHANGED = "changed", "bad", "no longer the image that a recipe describes"
    PLACEHOLDER = "placeholder", "bad", "a placeholder that its host serves for many URLs"
    # The bytes are not an image that can be used.
    NOT_AN_IMAGE = "not_an_image", "bad", "not an image, but a web page for example", _RENDITION
    BROKEN_IMAGE = "broken_image", "bad", "a damaged image", _RENDITION
    UNSUPPORTED = "unsupported_format", "bad", "an image in an unsupported format", _RENDITION
    NEEDS_HEIF_EXTRA = (
        "needs_heif_extra",
        "bad",
        "a HEIC image, which needs pillow-heif: pip install pillow-heif",
        _RUN | _RENDITION,
    )
    TOO_MANY_PIXELS = "too_many_pixels", "refused", "more pixels than can safely be decoded", _RENDITION
    DECODER_DIED = "decoder_died", "bad", "crashed the decoder", _RUN
    # A bug of ours: the next version may be without it.
    INTERNAL_ERROR = "internal_error", "bad", "internal error in harvest; please report it", _RUN | _RENDITION
    # The download failed.
    DNS = "dns", "dead", "the host name does not resolve", _RUN
    UNREACHABLE = "unreachable", "dead", "the host is unreachable", _RUN
    TIMEOUT = "timeout", "dead", "timed out", _RUN | _RENDITION
    BROKEN_TRANSFER = "broken_transfer", "dead", "the transfer broke off", _RUN | _RENDITION
    TLS = "tls", "dead", "the TLS certificate of the host is not valid"
    GONE = "gone", "dead", "refused by the host, or no longer there", _RENDITION  # any final 4xx
    SERVER_ERROR = "server_error", "dead", "the host reported a server error", _RUN | _RENDITION  # 5xx, all attempts
    TOO_MANY_REDIRECTS = "too_many_redirects", "dead", "too many redirects", _RENDITION
    RATE_LIMITED = "rate_limited", "dead", "the host refuses more requests for now", _RUN
    # No request was sent. The pipeline leaves such a hit for the next run; earlier versions recorded this verdict.
    HOST_PARKED = "host_parked", "dead", "not requested: its host gets no more requests in this run", _RUN
    # A rule of ours forbids the download.
    BAD_ADDRESS = "bad_address", "refused", "not a valid image URL"
    BLOCKED_ADDRESS = (
        "blocked_address",
        "refused",
        "a private address found on a public page: not contacted",
        Followup.OTHER_OPTIONS,
    )
    ENCODED = "encoded", "refused", "sent with an unexpected content encoding", _RENDITION
    TOO_BIG = "too_big", "refused", "the file is too large", _RENDITION
    OPTED_OUT = "opted_out", "refused", "its host or owner opts out of datasets", Followup.OTHER_OPTIONS
    DISALLOWED = "disallowed", "refused", "robots.txt of the host disallows crawlers", Followup.OTHER_OPTIONS
    AI_GENERATED = "ai_generated", "refused", "made with AI, as its file states", Followup.OTHER_OPTIONS
    LICENCE = "licence", "refused", "not known to have the requested licence", Followup.OTHER_FILTERS

    @property
    def is_transient(self) -> bool:
        """Whether another run may get another verdict, because the network or the host had a problem."""
        return Followup.NEXT_RUN in self.followup
