"""Whose certificates we believe: `REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE` where set, Mozilla's list elsewhere.

There is no switch to believe everybody.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from requests.certs import where  # type: ignore[attr-defined]  # documented, and missing in the stubs

from harvest.errors import UsageError

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def certificate_path() -> Path:
    """Return the file, or the folder, of the certificate authorities to believe; it can be read."""
    path, origin = _path_from_environment()
    if origin in _VARIABLES:
        ssl_context()
    return path


def ssl_context() -> ssl.SSLContext:
    """Return a context that verifies every server; raise `UsageError` when the list cannot be read."""
    path, origin = _path_from_environment()
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:  # SSLError is an OSError; named for the reader
        reason = "it is not there" if isinstance(error, FileNotFoundError) else "no certificate could be read"
        raise UsageError(
            f"{origin} names {path}: {reason}.",
            "Name a PEM file of certificate authorities, or unset it.",
        ) from error


def _path_from_environment() -> tuple[Path, str]:
    for variable in _VARIABLES:
        if value := os.environ.get(variable):
            return Path(value), variable
    return Path(where()), "requests"
