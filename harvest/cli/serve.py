"""`harvest serve`: a trained network as a page, and as an address for programs."""

from __future__ import annotations

import platform
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console, optional_packages

if TYPE_CHECKING:
    from harvest.serving.listener import Listener


def serve(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The directory that a training wrote.")],
    host: Annotated[
        str,
        typer.Option("--host", metavar="HOST", help="0.0.0.0 lets in everybody who reaches this machine."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0: any that is free.")] = 8000,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="A name it is reached by, besides localhost; repeatable."),
    ] = None,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Fetch from private addresses too: an image server at home."),
    ] = False,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="URL", help="Use this proxy; HTTPS_PROXY is obeyed without it."),
    ] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="One line for every request.")] = False,
) -> None:
    """Serve a trained network: a page to try it on, and an address for programs. Ctrl-C ends it.

    POST /classify takes a picture as a form's file, as the body itself, or as {"url": "https://…"};
    GET /health tells what is served.
    """
    optional_packages.require_serving()
    optional_packages.require_inference()
    from harvest.serving.app import make_app
    from harvest.serving.listener import listen
    from harvest.serving.server import Server
    from harvest.serving.service_limits import ServiceLimits
    from harvest.training.predictor import Predictor
    from harvest.web.image_client import ImageClient

    console.set_up_log(None, verbose=verbose)
    door = listen(host, port)  # before the network is loaded: a port that is taken is known at once
    try:
        predictor = Predictor.open(run, say=console.note)
        bounds = ServiceLimits()
        app = make_app(
            predictor,
            lambda: ImageClient(proxy=proxy, allow_private=allow_private),
            names={"localhost", host, *(name or ()), *_own_names(door)},
            bounds=bounds,
        )
        server = Server(app, door, bounds)
        _greet(door, f"{predictor.name}, {len(predictor.labels)} classes, by {predictor.engine}")
        server.run()
    finally:
        door.close()


def _greet(door: Listener, what: str) -> None:
    print(f"{console.one_line(what)}: {door.url}", flush=True)
    if not door.is_loopback:
        console.warn("everybody who reaches this machine can use it, and have it fetch pictures.")


def _own_names(door: Listener) -> set[str]:
    """Name this machine as others call it, where others may come in."""
    node = platform.node().lower()
    return set() if door.is_loopback or not node else {node, f"{node.partition('.')[0]}.local"}
