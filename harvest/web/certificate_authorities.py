"""Choose the certificate authorities: `REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE` where set, else Mozilla's list.

There is no option to turn verification off.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from requests.certs import where  # type: ignore[attr-defined]  # documented, and missing in the stubs

from harvest.errors import UsageError

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def certificate_path() -> Path:
    """Return the file or folder of the certificate authorities; raise `UsageError` if it cannot be read."""
    path, origin = _path_from_environment()
    if origin in _VARIABLES:
        ssl_context()
    return path


def ssl_context() -> ssl.SSLContext:
    """Return a context that verifies every server; raise `UsageError` if the certificates cannot be read."""
    path, origin = _path_from_environment()
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:  # SSLError is an OSError; named for clarity
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else "no certificate can be read from it"
        raise UsageError(
            f"{origin} is set to {path}: {reason}.",
            "Set it to a PEM file of certificate authorities, or unset it.",
        ) from error


def _path_from_environment() -> tuple[Path, str]:
    for variable in _VARIABLES:
        if value := os.environ.get(variable):
            return Path(value), variable
    return Path(where()), "requests"
