"""The ids of licences: those of the SPDX License List, and `LicenseRef-` ids for all others."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

REFERENCE = "LicenseRef-"
_LONGEST = 100  # characters of the name of a licence that is not listed
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9.]+")  # in a `LicenseRef-` id, besides the hyphen


@lru_cache(maxsize=1024)
def licence_id(text: str) -> str | None:
    """Return the SPDX id for the id or name of a licence, or `None` if the text has no letter or digit.

    >>> licence_id("cc-by-sa-2.0-uk"), licence_id("CC-BY-SA-2.0-FR")
    ('CC-BY-SA-2.0-UK', 'LicenseRef-CC-BY-SA-2.0-FR')
    >>> licence_id("LicenseRef-Public-Domain"), licence_id("© Ada, 2024"), licence_id("©")
    ('LicenseRef-Public-Domain', 'LicenseRef-Ada-2024', None)
    """
    if listed := _listed_ids().get(text.strip().casefold()):
        return listed
    name = _NOT_ALLOWED.sub("-", text.strip().removeprefix(REFERENCE)[:_LONGEST]).strip("-.")
    return f"{REFERENCE}{name}" if name else None


@cache
def _listed_ids() -> dict[str, str]:
    """Return the listed ids by their lower-case form: SPDX compares ids without regard to case."""
    lines = Path(__file__).with_name("spdx_ids.txt").read_text("ascii").splitlines()
    return {word.casefold(): word for line in lines if not line.startswith("#") for word in line.split()}
