"""Google Images: known, and said to be unavailable, until one of its dependable ways is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harvest.errors import Unavailable
from harvest.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Hit, Query
    from harvest.web.pages import Pages


class Google(Provider):
    """Google Images has no dependable keyless endpoint: in 2026 each one lived for two to ten weeks."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "unavailable: no dependable keyless endpoint"
    in_all: ClassVar = False

    def check(self) -> None:
        """Raise `Unavailable`, with the reason."""
        raise Unavailable(
            "Google is unavailable: it has no dependable keyless endpoint, and we neither disguise ourselves"
            " nor solve captchas.",
            "The other providers go on; leave GOOGLE out to be rid of this message.",
        )

    def search(self, query: Query, pages: Pages) -> Iterator[Hit]:  # noqa: ARG002 - the seam's form
        """Raise `Unavailable` at the first hit asked for."""
        self.check()
        yield from ()
