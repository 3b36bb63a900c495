"""Read what a request asks for; anything else than what the page sends is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harvest.dataset import Action
from harvest.files.check_names_and_cells import check_component
from harvest.http_server.http_errors import HttpError
from harvest.review.image_queues import ORDERS, QUEUES, ItemFilter

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 2 << 20  # of a request: the ids of 200,000 images
_LARGEST = (1 << 53) - 1  # the largest integer of a JSON number in a browser
_LONGEST = 1000  # characters of a filter
_MOST_RATING = 9
_MOST_DECISIONS = 100
_ACTIONS = {name: Action(name) for name in ("reject", "restore", "keep", "move", "rate", "distinct", "settle")}


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A decision that the page sends."""

    action: Action
    ids: tuple[int, ...]
    value: str | int | None
    keep: tuple[int, ...]


def read_filter(request: Request) -> ItemFilter:
    """Return the filter of a list of images."""
    asked = request.query_params
    queue, order = asked.get("queue", "all"), asked.get("order", "suspicious")
    if queue not in QUEUES or order not in ORDERS:
        raise HttpError(400, "There is no such queue or order.", "Reload the page.")
    names = ("source", "query", "licence", "reason", "text", "predicted")
    texts = {name: asked.get(name, "")[:_LONGEST] for name in names}
    like, size = (read_number(asked.get(name, "") or "0") for name in ("like", "min_size"))
    class_name = asked.get("class", "")[:_LONGEST]
    return ItemFilter(queue=queue, order=order, class_name=class_name, like=like, min_size=size, **texts)


def read_group_queue(request: Request) -> str:
    """Return which groups are asked for."""
    queue = request.query_params.get("queue", "duplicates")
    if queue not in ("duplicates", "conflicts"):
        raise HttpError(400, "There is no such queue.", "Reload the page.")
    return queue


def read_number(text: str) -> int:
    """Return a number of the address."""
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and int(text) <= _LARGEST):  # noqa: PLR2004
        raise HttpError(400, "This is not a number.", "Reload the page.")
    return int(text)


async def read_document(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpError(403, "Only the page itself may send decisions.", "Send them as application/json.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HttpError(413, "This is too much for one decision.", "Decide about fewer images at a time.")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(400, "This is not JSON.", "Reload the page.") from None
    if not isinstance(document, dict):
        raise HttpError(400, "This is not a JSON object.", "Reload the page.")
    return document


def read_since(document: dict[str, Any]) -> int:
    """Return the number of the last change that the page has."""
    return _integers([document.get("since", 0)])[0]


def read_decision(document: dict[str, Any]) -> DecisionRequest:
    """Return the decision in a document."""
    action = _ACTIONS.get(str(document.get("action")))
    if action is None:
        raise HttpError(400, "There is no such decision.", "Reload the page.")
    ids, keep = _integers(document.get("ids", [])), _integers(document.get("keep") or [])
    if action is Action.SETTLE and not set(keep) <= set(ids):
        raise HttpError(400, "The images to keep are not in the group.", "Reload the page.")
    return DecisionRequest(action, ids, _read_value(action, document.get("value")), keep)


def read_decisions(document: dict[str, Any]) -> list[DecisionRequest]:
    """Return the decisions in a document, in the order in which a person made them."""
    decisions = document.get("decisions")
    if not isinstance(decisions, list) or not 1 <= len(decisions) <= _MOST_DECISIONS:
        raise HttpError(400, "This is not a list of decisions.", "Reload the page.")
    if not all(isinstance(each, dict) for each in decisions):
        raise HttpError(400, "This is not a decision.", "Reload the page.")
    return [read_decision(each) for each in decisions]


def _integers(values: object) -> tuple[int, ...]:
    if not isinstance(values, list):
        raise HttpError(400, "This is not a list of ids.", "Reload the page.")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
            raise HttpError(400, "This is not an id.", "Reload the page.")
    return tuple(dict.fromkeys(values))


def _read_value(action: Action, value: object) -> str | int | None:
    if action is Action.MOVE or (action is Action.SETTLE and value is not None):
        if not isinstance(value, str):
            raise HttpError(400, "This is not the name of a class.", "Choose a class.")
        try:
            return check_component(value)
        except ValueError as error:
            raise HttpError(400, f"This cannot be the name of a class: {error}.", "Choose another name.") from None
    if action is Action.RATE:
        if value is None or value == 0:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_RATING:
            return value
        raise HttpError(400, "A rating is a number from 1 to 9.", "Use 0 to remove a rating.")
    return None
