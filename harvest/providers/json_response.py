"""Read the JSON responses of services: an object with a list in it, or the error they report."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harvest.errors import ASK_THE_DOCTOR, Blocked, PageChanged, Unanswerable
from harvest.providers import parsing

if TYPE_CHECKING:
    from harvest.web.search_session import SearchPage

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_REASONS = ("detail", "error", "message", "info")  # fields in which services state why they refuse


def read_object(page: SearchPage, label: str) -> dict[str, Any]:
    """Return the JSON object of a response; raise `Blocked`, `Unanswerable` or `PageChanged` for anything else."""
    if page.status in _REFUSED:
        raise Blocked(
            f"{label} answers {page.status} instead of results.",
            f"harvest stopped searching {label} and keeps what was found. Try again in some hours "
            "or from another connection.",
        )
    answer = page.json()
    if not isinstance(answer, dict):
        raise page_changed(page, label, "a response that is not a JSON object")
    if page.status != HTTPStatus.OK:
        said = next(filter(None, (parsing.parse_text(answer.get(name)) for name in _REASONS)), "no reason given")
        raise Unanswerable(
            f"{label} refuses this search ({page.status}): {said}", f"Change the query, or leave {label} out."
        )
    return answer


def read_list(page: SearchPage, label: str, answer: dict[str, Any], name: str = "results") -> list[dict[str, Any]]:
    """Return the objects of a list in a response; raise `PageChanged` if the list is missing or holds none."""
    found = answer.get(name)
    objects = parsing.as_objects(found)
    if not isinstance(found, list) or (found and not objects):
        raise page_changed(page, label, f"a response without {name}")
    return objects


def page_changed(page: SearchPage, label: str, what: str) -> PageChanged:
    """Return the error for a response in an unknown format."""
    return PageChanged(
        f"{label} sent {what}.",
        f"Its response format may have changed. {ASK_THE_DOCTOR}",
        page.text,
    )
