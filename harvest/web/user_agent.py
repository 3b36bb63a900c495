"""The User-Agent that is sent to every server."""

from __future__ import annotations

from importlib import metadata

NAME = "classharvest"
try:
    USER_AGENT = f"{NAME}/{metadata.version(NAME)}"
except metadata.PackageNotFoundError:  # run from a checkout that is not installed
    USER_AGENT = NAME
