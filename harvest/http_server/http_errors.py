"""Error responses: an HTTP status and a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from harvest.models import Refusal


class HttpError(Exception):
    """Ends a request; the message is sent to the client, so it contains nothing about this machine."""

    def __init__(self, status: int, message: str, hint: str = "", **headers: str) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status
        self.message = message
        self.headers = {name.replace("_", "-").title(): value for name, value in headers.items()}

    @property
    def response(self) -> JSONResponse:
        """The error response; it closes the connection, because more data may be on its way."""
        headers = {"Connection": "close", **self.headers}
        hint = {"hint": self.hint} if self.hint else {}
        return JSONResponse({"error": self.message, **hint}, self.status, headers)


# Problems of the image itself; its bytes decide, not its declared type.
_IMAGE_ERRORS = {
    Verdict.NOT_AN_IMAGE: (415, "This is not an image"),
    Verdict.UNSUPPORTED: (415, "This image format is not supported"),
    Verdict.NEEDS_HEIF_EXTRA: (415, "HEIC images are not supported here"),
    Verdict.BROKEN_IMAGE: (422, "The image is damaged"),
    Verdict.TOO_MANY_PIXELS: (413, "The image has too many pixels"),
    Verdict.DECODER_DIED: (413, "The image takes too much memory to decode"),
}
# Problems of the download. They say nothing about what a URL leads to in the private network.
_DOWNLOAD_ERRORS = {
    Verdict.INTERNAL_ERROR: (500, "This image causes an error in harvest, which is a bug"),
    Verdict.BAD_ADDRESS: (400, "This is not a valid http or https URL"),
    Verdict.BLOCKED_ADDRESS: (403, "This URL is not on the public Internet and is not requested"),
    Verdict.OPTED_OUT: (403, "The server of the image does not allow automated use"),
    Verdict.TOO_BIG: (413, "The image has too many bytes"),
    Verdict.TIMEOUT: (504, "The server of the image took too long"),
    Verdict.DNS: (502, "The host name of the image cannot be resolved"),
    Verdict.UNREACHABLE: (502, "The server of the image cannot be reached"),
    Verdict.TLS: (502, "The certificate of the image's server cannot be verified"),
    Verdict.GONE: (502, "The server of the image refuses it or no longer has it"),
    Verdict.TOO_MANY_REDIRECTS: (502, "The URL redirects too often"),
}


def http_error_for(refusal: Refusal) -> HttpError:
    """Return the error response for an image that cannot be downloaded or read.

    >>> from harvest.models import Refusal
    >>> error = http_error_for(Refusal(Verdict.NOT_AN_IMAGE, "a web page"))
    >>> error.status, error.message
    (415, 'This is not an image: a web page.')
    """
    if found := _IMAGE_ERRORS.get(refusal.verdict):
        status, message = found
        return HttpError(status, f"{message}: {refusal.detail}." if refusal.detail else f"{message}.")
    status, message = _DOWNLOAD_ERRORS.get(refusal.verdict, (502, "The server of the image failed"))
    return HttpError(status, f"{message}.")


def busy_error() -> HttpError:
    """Return the error response for an overloaded service."""
    return HttpError(503, "Too many requests are waiting. Try again in a moment.", retry_after="1")
