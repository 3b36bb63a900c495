"""Licences of images, and the filters that a person chooses them by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harvest import spdx


class LicenceFilter(StrEnum):
    """Which licences a person accepts; `ANY` accepts all, unknown ones too."""

    ANY = "any"
    OPEN = "open"
    COMMERCIAL = "commercial"
    PUBLIC_DOMAIN = "public-domain"


class Evidence(StrEnum):
    """How a licence is known: stated by the source, claimed by a search filter, or not at all."""

    STATED = "stated"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its SPDX id; `None` means unknown. It is never guessed.

    An id that is not on the SPDX list becomes a `LicenseRef-` id.

    >>> Licence("CC-BY-2.0-FR").id
    'LicenseRef-CC-BY-2.0-FR'
    """

    id: str | None = None
    url: str | None = None
    evidence: Evidence = Evidence.UNKNOWN

    def __post_init__(self) -> None:
        """Replace the id by one that SPDX accepts."""
        if self.id is not None:
            object.__setattr__(self, "id", spdx.licence_id(self.id))

    @classmethod
    def from_filter(cls, wanted: LicenceFilter) -> Licence:
        """Return the licence that a search filter claims for its hits: a family of licences, not one.

        >>> Licence.from_filter(LicenceFilter.OPEN).allows(LicenceFilter.COMMERCIAL)
        True
        """
        return cls() if wanted is LicenceFilter.ANY else cls(f"{_CLAIMED}{wanted}", evidence=Evidence.CLAIMED)

    @property
    def is_open(self) -> bool:
        """Whether anyone may use and share the image: public domain, CC0, BY or BY-SA, stated and not claimed."""
        return self.id is not None and self.id.startswith(_OPEN) and not self.id.startswith(_CLAIMED)

    @property
    def spdx(self) -> str:
        """The id for a published list: `NOASSERTION` where the licence is unknown, or only claimed by a search."""
        return NO_ASSERTION if self.id is None or self.id.startswith(_CLAIMED) else self.id

    @property
    def forbids_derivatives(self) -> bool:
        """Whether it is a licence that does not allow changes (ND)."""
        return self.id is not None and "-ND-" in f"{self.id}-"

    def allows(self, wanted: LicenceFilter) -> bool:
        """Return whether this licence passes a filter; an unknown licence passes only `ANY`.

        >>> Licence("CC-BY-NC-4.0").allows(LicenceFilter.OPEN)
        False
        >>> Licence("CC-BY-ND-2.0").allows(LicenceFilter.COMMERCIAL)
        True
        """
        if wanted is LicenceFilter.ANY:
            return True
        if self.id is None:
            return False
        return self.id.startswith(_ALLOWED[wanted])


NO_ASSERTION = "NOASSERTION"  # SPDX's word for a licence that is not known

# A search filter's claim is stored as an id of ours: the ledger keeps it, and a narrower filter refuses it.
_CLAIMED = f"{spdx.REFERENCE}Claimed-"


def _with_references(*prefixes: str) -> tuple[str, ...]:
    """Return the prefixes of ids, also of ids that are not listed: many ported licences are not."""
    return (*prefixes, *(f"{spdx.REFERENCE}{prefix}" for prefix in prefixes))


_PUBLIC_DOMAIN = (
    *_with_references("CC0-", "CC-PDM-", "PDDL-"),
    "LicenseRef-Public-Domain",
    "LicenseRef-US-Gov",
    "LicenseRef-No-Known-Restrictions",
    f"{_CLAIMED}{LicenceFilter.PUBLIC_DOMAIN}",
)
_OPEN = (
    *_PUBLIC_DOMAIN,
    *_with_references(*(f"CC-BY{sa}-{n}." for sa in ("", "-SA") for n in (1, 2, 3, 4))),
    f"{_CLAIMED}{LicenceFilter.OPEN}",
)
_ALLOWED = {
    LicenceFilter.PUBLIC_DOMAIN: _PUBLIC_DOMAIN,
    LicenceFilter.OPEN: _OPEN,
    LicenceFilter.COMMERCIAL: (*_OPEN, *_with_references("CC-BY-ND-"), f"{_CLAIMED}{LicenceFilter.COMMERCIAL}"),
}
