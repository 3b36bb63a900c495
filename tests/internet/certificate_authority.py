"""Certificates of the small Internet, made once a host: good ones, and three kinds no client may accept."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class CertificateAuthority:
    """The CA that the tests' programs are told to trust, and only that one."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="The small Internet")
        self.context = cache(self._context)

    def write(self, path: Path) -> None:
        """Write the certificate that clients need, as PEM."""
        self._ca.cert_pem.write_to_path(str(path))

    def _context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._certificate(host).configure_cert(context)
        return context

    def _certificate(self, host: str) -> trustme.LeafCert:
        if host.startswith("expired."):
            return self._ca.issue_cert(host, not_after=datetime.now(UTC) - timedelta(days=1))
        if host.startswith("misnamed."):
            return self._ca.issue_cert("somebody.else.test")
        if host.startswith("selfsigned."):
            return trustme.CA().issue_cert(host)
        return self._ca.issue_cert(host)
