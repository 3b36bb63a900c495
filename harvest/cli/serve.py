"""`harvest serve`: a trained network as a web page and an HTTP API."""

from __future__ import annotations

import platform
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console, optional_packages
from harvest.cli.none_of_these_option import AcceptShare  # noqa: TC001 - Typer reads it at run time

if TYPE_CHECKING:
    from collections.abc import Callable

    from harvest.http_server.listener import Listener
    from harvest.training.predictor import Predictor
    from harvest.web.image_client import ImageClient


def serve(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a training run.")],
    host: Annotated[
        str,
        typer.Option("--host", metavar="HOST", help="Address to listen on; 0.0.0.0 accepts other machines too."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="Port to listen on; 0 picks a free one.")
    ] = 8000,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Accepted host name besides localhost; repeatable."),
    ] = None,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Also fetch from private addresses, such as a local image server."),
    ] = False,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="URL", help="Proxy for all requests; overrides HTTPS_PROXY."),
    ] = None,
    accept: AcceptShare = 0.95,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log one line per request.")] = False,
) -> None:
    """Serve a trained network over HTTP: a web page to try it, and an API. Ctrl-C stops it.

    POST /classify accepts an image as a form file, as the request body, or as {"url": "https://…"};
    POST /explain draws where the network sees its answer; GET /health describes the model.
    """
    optional_packages.require_serving()
    optional_packages.require_inference()
    from harvest.http_server.listener import listen
    from harvest.training.predictor import Predictor
    from harvest.web.image_client import ImageClient

    console.set_up_log(None, verbose=verbose)
    listener = listen(host, port)  # before the network is loaded, so that a port in use is reported at once
    try:
        predictor = Predictor.open(run, accept=accept, say=console.note)
        names = {"localhost", host, *(name or ()), *_own_names(listener)}
        _serve(predictor, listener, names, lambda: ImageClient(proxy=proxy, allow_private=allow_private))
    finally:
        listener.close()


def _serve(predictor: Predictor, listener: Listener, names: set[str], open_client: Callable[[], ImageClient]) -> None:
    from harvest.http_server.server import Server
    from harvest.http_server.service_limits import ServiceLimits
    from harvest.serving.app import make_app

    bounds = ServiceLimits()
    app = make_app(predictor, open_client, names=names, bounds=bounds)
    _greet(listener, f"{predictor.name}, {len(predictor.labels)} classes, by {predictor.engine}")
    Server(app, listener, bounds).run()


def _greet(listener: Listener, what: str) -> None:
    print(f"{console.one_line(what)}: {listener.url}", flush=True)
    if not listener.is_loopback:
        console.warn("everyone who can reach this machine can use this server, and make it download images.")


def _own_names(listener: Listener) -> set[str]:
    """Return the host names that other machines use, if the server accepts other machines."""
    node = platform.node().lower()
    return set() if listener.is_loopback or not node else {node, f"{node.partition('.')[0]}.local"}
