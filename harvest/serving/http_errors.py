"""Why there is no answer, as an HTTP status and a sentence for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from harvest.models import Refusal


class HttpError(Exception):
    """Ends a request; what is said of it goes to whoever asked, and so tells nothing of this machine."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = {name.replace("_", "-").title(): value for name, value in headers.items()}

    @property
    def response(self) -> JSONResponse:
        """The answer that says so; the connection ends, since nobody knows what else is on its way."""
        headers = {"Connection": "close", **self.headers}
        return JSONResponse({"error": self.words}, self.status, headers)


# Of the picture itself: the bytes decide, whatever they were called.
_PICTURE = {
    Verdict.NOT_AN_IMAGE: (415, "This is no picture"),
    Verdict.UNSUPPORTED: (415, "Pictures in this format are not read"),
    Verdict.NEEDS_HEIF_EXTRA: (415, "HEIC pictures are not read here"),
    Verdict.BROKEN_IMAGE: (422, "The picture is damaged"),
    Verdict.TOO_MANY_PIXELS: (413, "The picture is too large"),
    Verdict.DECODER_DIED: (413, "The picture is too much to decode"),
}
# Of the way to it, which is another server's. What it leads to within our own network is nobody's business.
_WAY = {
    Verdict.INTERNAL_ERROR: (500, "This picture met a bug in harvest"),
    Verdict.BAD_ADDRESS: (400, "This is no web address of a picture"),
    Verdict.BLOCKED_ADDRESS: (403, "This is no address of the public Internet, and it is not contacted"),
    Verdict.OPTED_OUT: (403, "The server of the picture asks machines to leave it alone"),
    Verdict.TOO_BIG: (413, "The picture has too many bytes"),
    Verdict.TIMEOUT: (504, "The server of the picture took too long"),
    Verdict.DNS: (502, "The server of the picture has no address"),
    Verdict.UNREACHABLE: (502, "The server of the picture cannot be reached"),
    Verdict.TLS: (502, "The server of the picture cannot prove who it is"),
    Verdict.GONE: (502, "The server of the picture does not give it out, or has it no more"),
    Verdict.TOO_MANY_REDIRECTS: (502, "The address leads from one to the next without end"),
}


def http_error_for(refusal: Refusal) -> HttpError:
    """Say why a picture cannot be had or read.

    >>> from harvest.models import Refusal
    >>> problem = http_error_for(Refusal(Verdict.NOT_AN_IMAGE, "a web page"))
    >>> problem.status, problem.words
    (415, 'This is no picture: a web page.')
    """
    if found := _PICTURE.get(refusal.verdict):
        status, words = found
        return HttpError(status, f"{words}: {refusal.detail}." if refusal.detail else f"{words}.")
    status, words = _WAY.get(refusal.verdict, (502, "The server of the picture failed"))
    return HttpError(status, f"{words}.")


def busy_error() -> HttpError:
    """Say that there is too much to do."""
    return HttpError(503, "Too many pictures are waiting. Try again in a moment.", retry_after="1")
