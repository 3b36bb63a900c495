"""The ASGI application of the review page.

    GET  /?token=T     gives the cookie that everything else needs, and leads to the page
    GET  /             the page; /static/NAME its parts
    GET  /api/state    counts, filters, undo, pace
    GET  /api/items    the images of a queue, as columns
    GET  /api/groups   near-duplicates and conflicts, as groups
    GET  /api/item/ID  why an image is here
    GET  /api/changes  what changed since a number, after comparing with the folders
    GET  /thumb/ID-V   a thumbnail, by the id and the first digits of the content hash
    GET  /image/ID     the file
    GET  /api/confusion  the confusion matrix of the newest training run
    POST /api/features  computes the features of the images that have none
    GET  /api/preferences  the keys that the person chose
    POST /api/decide, /api/decisions, /api/undo, /api/redo, /api/preferences

Images are named by ids only. Every error is {"error": "…", "hint": "…"} with the matching status.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harvest.errors import HarvestError
from harvest.http_server.exception_handlers import EXCEPTION_HANDLERS
from harvest.http_server.http_errors import HttpError
from harvest.http_server.request_guard import HostRule, RequestGuard
from harvest.http_server.service_limits import ServiceLimits
from harvest.images import headers
from harvest.models import Refusal
from harvest.review import key_preferences, read_requests
from harvest.review.access import TokenGuard
from harvest.review.image_queues import HASH_DIGITS
from harvest.review.model_results import MODEL_ORDERS, NoModel
from harvest.review.review_session import ReviewSession
from harvest.review.suspect_search import SuspectSearch
from harvest.review.thumbnail_cache import ThumbnailCache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping
    from concurrent.futures import Future

    from starlette.requests import Request

    from harvest.dataset import Dataset, ReviewRow
    from harvest.review.image_queues import ItemFilter
    from harvest.review.model_results import ModelResults

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_FOREVER = "private, max-age=31536000, immutable"


def make_review_app(
    dataset: Dataset,
    token: str,
    *,
    names: Collection[str],
    port: int,
    any_address: bool = False,
    limits: ServiceLimits | None = None,
    model: ModelResults | None = None,
    frame_ancestors: str = "'none'",
) -> RequestGuard:
    """Return the ASGI application.

    `names` are the accepted hosts, with `any_address` IP addresses too. `model` has the results of training runs.
    `frame_ancestors` are the pages that may show this one in a frame, as in a Content-Security-Policy.
    """
    service = _ReviewService(dataset, model or NoModel())
    app = Starlette(
        routes=service.routes(),
        exception_handlers={**EXCEPTION_HANDLERS, HarvestError: _dataset_error},
        lifespan=service.lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header
    return RequestGuard(
        TokenGuard(app, token, port),
        HostRule(names, any_address=any_address, port=port),
        limits or ServiceLimits(),
        command="harvest review",
        own_page_only=True,
        frame_ancestors=frame_ancestors,
    )


class _ReviewService:
    """Answers requests: one thread works with the dataset, several read files and make thumbnails."""

    def __init__(self, dataset: Dataset, model: ModelResults) -> None:
        self._dataset = dataset
        self._model = model
        self._thumbnails = ThumbnailCache()
        self._ledger = ThreadPoolExecutor(1, thread_name_prefix="dataset")
        self._orders = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._readers = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="thumbnails")
        # Beside the start of the browser: reading 50,000 images takes a second.
        self._loading = self._ledger.submit(ReviewSession, dataset, model)
        self._suspects = SuspectSearch(dataset, self._set_reasons)

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            Route("/static/{name}", self.page),
            Route("/api/state", self.state),
            Route("/api/items", self.items),
            Route("/api/groups", self.groups),
            Route("/api/item/{number}", self.item),
            Route("/api/changes", self.changes),
            Route("/api/confusion", self.confusion),
            Route("/api/features", self.compute_features, methods=["POST"]),
            Route("/api/preferences", self.preferences),
            Route("/api/preferences", self.save_preferences, methods=["POST"]),
            Route("/thumb/{number}-{version}", self.thumb),
            Route("/image/{number}", self.image),
            Route("/api/decide", self.decide, methods=["POST"]),
            Route("/api/decisions", self.decide_in_turn, methods=["POST"]),
            Route("/api/undo", self.undo, methods=["POST"]),
            Route("/api/redo", self.redo, methods=["POST"]),
        ]

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._loading.add_done_callback(self._search_suspects)
        try:
            yield
        finally:
            self._suspects.close()
            self._model.close()
            self._orders.shutdown(wait=False, cancel_futures=True)
            self._readers.shutdown(wait=False, cancel_futures=True)
            self._ledger.shutdown(wait=True, cancel_futures=True)  # the dataset is closed next: finish the decision

    async def _call(self, function: Callable[..., Any], *args: Any, **more: Any) -> Response | None:
        """Call a method of the session in the thread of the dataset, and write its JSON there: that takes long."""
        self._suspects.note_request()
        session = await self._session()

        def answer() -> Response | None:
            found = function(session, *args, **more)
            return None if found is None else JSONResponse(found)

        return await asyncio.get_running_loop().run_in_executor(self._ledger, answer)

    async def _session(self) -> ReviewSession:
        """Return the session when it has read the images."""
        return await asyncio.wrap_future(self._loading)

    def _search_suspects(self, loading: Future[ReviewSession]) -> None:
        if not loading.cancelled() and loading.exception() is None:
            self._suspects.start(loading.result().snapshot)

    def _set_reasons(self, reasons: Mapping[int, tuple[str, ...]]) -> None:
        self._ledger.submit(lambda: self._loading.result().snapshot.set_reasons(reasons))

    # The page.

    async def page(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        kind = _TYPES.get(f".{name.rpartition('.')[2]}")
        for file in (files("harvest.review") / "page").iterdir():  # by name: no path comes from the request
            if file.name == name and kind is not None:
                return Response(file.read_bytes(), headers={"Content-Type": kind})
        raise HttpError(404, "There is no such page.", "Open the link that harvest review printed.")

    # Questions.

    async def state(self, _request: Request) -> Response:
        return _existing(await self._call(ReviewSession.state))

    async def items(self, request: Request) -> Response:
        wanted = read_requests.read_filter(request)
        position = await self._rank(wanted) if wanted.order in MODEL_ORDERS else {}
        return _existing(await self._call(ReviewSession.items, wanted, position))

    async def _rank(self, wanted: ItemFilter) -> Mapping[str, int]:
        """Return the position of each image in an order of the model, computed while decisions are recorded."""
        loop = asyncio.get_running_loop()
        session = await self._session()
        row = session.snapshot.rows.get(wanted.like)
        like = row.content if row else ""
        labels = await loop.run_in_executor(
            self._ledger, lambda: session.labels(with_rejected=wanted.order == "similar")
        )
        order = await loop.run_in_executor(self._orders, self._model.order_images, wanted.order, labels, like)
        return {content: number for number, content in enumerate(order)}

    async def confusion(self, _request: Request) -> Response:
        return _existing(await self._call(ReviewSession.confusion))

    async def groups(self, request: Request) -> Response:
        return _existing(await self._call(ReviewSession.groups, read_requests.read_group_queue(request)))

    async def item(self, request: Request) -> Response:
        number = read_requests.read_number(request.path_params["number"])
        return _existing(await self._call(ReviewSession.details, number))

    async def changes(self, request: Request) -> Response:
        since = read_requests.read_number(request.query_params.get("since", "0"))
        self._orders.submit(self._model.refresh)
        changed = await self._call(ReviewSession.changes, since)
        self._search_suspects(self._loading)
        return _existing(changed)

    async def preferences(self, _request: Request) -> Response:
        return JSONResponse(await self._read(key_preferences.read_preferences))

    async def save_preferences(self, request: Request) -> Response:
        document = await read_requests.read_document(request)
        return JSONResponse(await self._read(key_preferences.write_preferences, document))

    async def _read(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that works with files, but not with the ledger."""
        self._suspects.note_request()
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *args)

    # Decisions.

    async def decide(self, request: Request) -> Response:
        document = await read_requests.read_document(request)
        since, decision = read_requests.read_since(document), read_requests.read_decision(document)
        return _existing(await self._call(ReviewSession.decide, since, decision))

    async def decide_in_turn(self, request: Request) -> Response:
        document = await read_requests.read_document(request)
        since, decisions = read_requests.read_since(document), read_requests.read_decisions(document)
        return _existing(await self._call(ReviewSession.decide_in_turn, since, decisions))

    async def compute_features(self, request: Request) -> Response:
        await read_requests.read_document(request)
        session = await self._session()
        images = await asyncio.get_running_loop().run_in_executor(self._ledger, session.images_without_features)
        await asyncio.get_running_loop().run_in_executor(self._orders, self._model.compute_features, images)
        return _existing(await self._call(ReviewSession.state))

    async def undo(self, request: Request) -> Response:
        return await self._undo(request, redo=False)

    async def redo(self, request: Request) -> Response:
        return await self._undo(request, redo=True)

    async def _undo(self, request: Request, *, redo: bool) -> Response:
        since = read_requests.read_since(await read_requests.read_document(request))
        answer = await self._call(ReviewSession.undo, since, redo=redo)
        if answer is None:
            raise HttpError(409, f"There is nothing to {'redo' if redo else 'undo'}.")
        return answer

    # Images.

    async def thumb(self, request: Request) -> Response:
        session = await self._session()
        row = _find_row(session, request)
        if request.path_params["version"] != row.content[:HASH_DIGITS]:
            raise _gone()
        made = await self._read(self._thumbnails.get, row.content, lambda: session.read_image(row))
        if made is None:
            raise _gone()
        if isinstance(made, Refusal):
            raise _unreadable(made)
        return Response(made, headers={"Content-Type": "image/jpeg", "Cache-Control": _FOREVER})

    async def image(self, request: Request) -> Response:
        session = await self._session()
        body = await self._read(session.read_image, _find_row(session, request))
        if body is None:
            raise _gone()
        header = headers.read_header(body)
        if isinstance(header, Refusal):
            raise _unreadable(header)
        return Response(body, headers={"Content-Type": f"image/{header.format.lower()}"})


def _find_row(session: ReviewSession, request: Request) -> ReviewRow:
    row = session.snapshot.rows.get(read_requests.read_number(request.path_params["number"]))
    if row is None:
        raise _gone()
    return row


def _existing(answer: Response | None) -> Response:
    if answer is None:
        raise _gone()
    return answer


def _gone() -> HttpError:
    return HttpError(404, "This image is not in the dataset any more.", "Reload the page.")


def _unreadable(refusal: Refusal) -> HttpError:
    return HttpError(404, f"This image cannot be shown: {refusal.detail or refusal.verdict}.", "Open its file.")


async def _dataset_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HarvestError)
    # Not 503, which the page sends again: the same decision would fail again until the user does something.
    return HttpError(409, error.message, error.hint or "Look at the terminal of harvest review.").response
