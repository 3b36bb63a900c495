"""What services that speak JSON answer: an object with a list in it, or why it cannot be had."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harvest.errors import ASK_THE_DOCTOR, Blocked, PageChanged, Unanswerable
from harvest.providers import parsing

if TYPE_CHECKING:
    from harvest.web.search_session import SearchPage

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_REASONS = ("detail", "error", "message", "info")  # where services write why they refuse


def read_object(page: SearchPage, label: str) -> dict[str, Any]:
    """Return an answer that is an object; raise `Blocked`, `Unanswerable` or `PageChanged` for any other."""
    if page.status in _REFUSED:
        raise Blocked(
            f"{label} answers {page.status} instead of results.",
            "We asked no further; what was found is kept. Try again in some hours, or from elsewhere.",
        )
    answer = page.json()
    if not isinstance(answer, dict):
        raise page_changed(page, label, "an answer of another kind than it used to")
    if page.status != HTTPStatus.OK:
        said = next(filter(None, (parsing.parse_text(answer.get(name)) for name in _REASONS)), "no reason given")
        raise Unanswerable(
            f"{label} refuses this search ({page.status}): {said}", f"Change the query, or leave {label} out."
        )
    return answer


def read_list(page: SearchPage, label: str, answer: dict[str, Any], name: str = "results") -> list[dict[str, Any]]:
    """Return the objects of an answer's list; raise `PageChanged` where there is no list, or none in it."""
    found = answer.get(name)
    objects = parsing.as_objects(found)
    if not isinstance(found, list) or (found and not objects):
        raise page_changed(page, label, f"an answer without its {name}")
    return objects


def page_changed(page: SearchPage, label: str, what: str) -> PageChanged:
    """Return the error that says what a service sent in place of what it used to."""
    return PageChanged(
        f"{label} sent {what}.",
        f"Its answers may be new. {ASK_THE_DOCTOR}",
        page.text,
    )
