"""Read the JSON responses of services: an object with a list in it, or the error they report."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harvest.errors import ASK_THE_DOCTOR, Blocked, PageChanged, Unanswerable
from harvest.providers import answer_values

if TYPE_CHECKING:
    from harvest.web.request_search_pages import SearchPage

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_REASONS = ("detail", "error", "message", "info")  # fields in which services state why they refuse
_NESTED = 3  # levels of objects and lists that a reason may be in: {"detail": {"page": ["Invalid page."]}}


def read_object(page: SearchPage, label: str) -> dict[str, Any]:
    """Return the JSON object of a response; raise `Blocked`, `Unanswerable` or `PageChanged` for anything else."""
    if page.status in _REFUSED:
        raise Blocked(
            f"{label} answers {page.status} instead of results.",
            f"harvest stopped searching {label} and keeps what was found. Try again in some hours "
            "or from another connection.",
        )
    if page.status != HTTPStatus.OK:
        raise _refusal(page, label)
    answer = page.json()
    if not isinstance(answer, dict):
        raise page_changed(page, label, "a response that is not a JSON object")
    return answer


def read_reason(page: SearchPage) -> str | None:
    """Return why a service refuses a request: a field of its JSON, or its whole response if that is plain text."""
    try:
        answer = page.json()
    except PageChanged:
        text = page.text.lstrip()
        return None if text.startswith(("<", "{", "[")) else answer_values.parse_text(text)
    fields = answer_values.as_object(answer)
    return next(filter(None, (_find_text(fields.get(name)) for name in _REASONS)), None)


def _find_text(value: object, levels: int = _NESTED) -> str | None:
    """Return the first text in a value, with the name of its field."""
    if levels and isinstance(value, list):
        return next(filter(None, (_find_text(item, levels - 1) for item in value)), None)
    if levels and isinstance(value, dict):
        found = ((answer_values.parse_text(name), _find_text(item, levels - 1)) for name, item in value.items())
        return next((f"{name}: {text}" for name, text in found if text), None)
    return answer_values.parse_text(value)


def _refusal(page: SearchPage, label: str) -> Unanswerable | PageChanged:
    """Return the error for a response with an error status; a web page is not an answer of the service."""
    reason = read_reason(page)
    if reason is None and not page.text.lstrip().startswith("{"):
        return page_changed(page, label, f"an error ({page.status}) without a reason")
    return Unanswerable(
        f"{label} refuses this search ({page.status}): {reason or 'no reason given'}",
        f"Change the query, or leave {label} out.",
    )


def read_list(page: SearchPage, label: str, answer: dict[str, Any], name: str = "results") -> list[dict[str, Any]]:
    """Return the objects of a list in a response; raise `PageChanged` if the list is missing or holds none."""
    found = answer.get(name)
    objects = answer_values.as_objects(found)
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
