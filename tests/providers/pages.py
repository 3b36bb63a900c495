"""A fake search session: a function answers each requested URL, and requests are recorded."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from harvest.web.request_search_pages import SearchPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harvest.providers.base import PageResults

FIXTURES = Path(__file__).parent / "fixtures"
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"


class FakePages:
    """Replaces `SearchSession`; `answer` returns the text for a URL, optionally with a status."""

    def __init__(self, answer: Callable[[str], str | tuple[int, str]]) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.forms: list[Mapping[str, object]] = []
        self.pauses: list[float] = []
        self.messages: list[str] = []

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        patient: bool = True,  # noqa: ARG002 - no page here asks to wait
    ) -> SearchPage:
        """Return the page of a URL."""
        if params:
            url += "?" + urlencode(params)
        self.asked.append(url)
        self.headers.append(dict(headers or {}))
        answer = self._answer(url)
        status, text = answer if isinstance(answer, tuple) else (200, answer)
        return SearchPage(url, status, text, {})

    def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SearchPage:
        """Return the page of a URL that a form or the fields of a JSON object are posted to."""
        self.forms.append(dict(form or fields or {}))
        return self.get(url, headers=headers)

    def pause(self, seconds: float) -> None:
        """Record how long a provider waits."""
        self.pauses.append(seconds)

    def report(self, message: str) -> None:
        """Record a message to the user."""
        self.messages.append(message)

    def arguments(self, ask: int) -> dict[str, str]:
        """Return the URL parameters of a request."""
        return dict(parse_qsl(urlsplit(self.asked[ask]).query))


def serving(*texts: str | tuple[int, str]) -> FakePages:
    """Return fake pages that answer with each text in turn, and with the last one forever."""
    left = list(texts)
    return FakePages(lambda _: left.pop(0) if len(left) > 1 else left[0])


def plain(found: PageResults) -> object:
    """Return the result of a parser as plain JSON values."""
    return json.loads(json.dumps(asdict(found)))
