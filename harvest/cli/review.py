"""`harvest review`: look at every image of a dataset in the browser."""

from __future__ import annotations

import os
import platform
import shlex
import webbrowser
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.locate_arguments import DEFAULT
from harvest.cli.open_dataset import Folder, missing_files_error, open_dataset, print_changes_note
from harvest.errors import UsageError

if TYPE_CHECKING:
    from harvest.dataset import Dataset
    from harvest.http_server.listener import Listener
    from harvest.review.image_details import ModelPrediction

FIRST_PORT = 8765
_PORTS = 100  # tried in turn
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def review(
    root: Folder = DEFAULT,
    host: Annotated[
        str,
        typer.Option("--host", metavar="HOST", help="Address to listen on; 0.0.0.0 accepts other machines too."),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            metavar="N",
            help=f"Port to listen on; the first free one from {FIRST_PORT} when left out.",
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link, and open no browser.")] = False,
    export_ratings: Annotated[
        Path | None,
        typer.Option("--export-ratings", metavar="FILE", help="Write the ratings as `file;rank`, and stop."),
    ] = None,
) -> None:
    """Review images in the browser: keep, reject, move and rate them. Ctrl-C stops it.

    Every decision is carried out at once, and can be undone, also after a restart. Rejected images are moved to the
    folder DATASET.rejected.
    """
    with open_dataset(root) as dataset:
        if dataset.changes.missing_files:
            raise missing_files_error(root, dataset.changes)
        print_changes_note(dataset, root)
        if export_ratings is not None:
            _export_ratings(dataset, export_ratings)
        else:
            _serve(dataset, host, port, is_browser_wanted=not no_browser)


def _serve(dataset: Dataset, host: str, port: int | None, *, is_browser_wanted: bool) -> None:
    from harvest.http_server.server import Server
    from harvest.http_server.service_limits import ServiceLimits
    from harvest.review.access import make_token
    from harvest.review.review_app import make_review_app

    listener = _listen(host, port)
    try:
        token = make_token()
        limits = ServiceLimits()
        app = make_review_app(
            dataset,
            token,
            names=_accepted_names(listener),
            port=listener.port,
            any_address=not listener.is_loopback,
            limits=limits,
            predictions=_read_predictions(dataset.root),
        )
        server = Server(app, listener, limits)
        link = f"{listener.url}?token={token}"
        _greet(dataset, listener, link)
        if is_browser_wanted and not _is_remote():
            Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        server.run()
    finally:
        listener.close()


def _read_predictions(root: Path) -> dict[str, ModelPrediction]:
    """Return the out-of-fold predictions of the newest run next to the dataset."""
    from harvest.labelled_pictures.prediction_table import read_newest_predictions
    from harvest.review.image_details import ModelPrediction

    newest = read_newest_predictions(root.with_name(f"{root.name}.runs"))
    return {content: ModelPrediction(each.predicted, each.p_predicted) for content, each in newest.items()}


def _listen(host: str, port: int | None) -> Listener:
    """Listen on a port, or on the first free one: another review may be open."""
    from harvest.http_server.listener import PortInUse, listen

    if port is not None:
        return listen(host, port)
    for candidate in range(FIRST_PORT, FIRST_PORT + _PORTS):
        try:
            return listen(host, candidate)
        except PortInUse:
            continue
    return listen(host, 0)


def _accepted_names(listener: Listener) -> set[str]:
    """Return the host names that the link may have; other machines use the name or the address of this one."""
    node = platform.node().lower()
    if listener.is_loopback or not node:
        return set(_LOCAL)
    return {*_LOCAL, node, f"{node.partition('.')[0]}.local", listener.host.lower()}


def _greet(dataset: Dataset, listener: Listener, link: str) -> None:
    print(f"{console.one_line(dataset.root.name)}: {link}", flush=True)
    if _is_remote() and listener.is_loopback:
        console.note(f"On your own machine, run this and open the link there: {_tunnel_command(listener.port)}")
    if not listener.is_loopback:
        console.warn(
            "everyone in your network who has the link can see and reject the images. Nothing is encrypted."
            " On another device, put the name or the address of this machine into the link."
        )


def _is_remote() -> bool:
    """Return whether this terminal is on another machine than its user."""
    return bool(os.environ.get("SSH_CONNECTION"))


def _tunnel_command(port: int) -> str:
    """Return the command that makes the port of this machine one of the user's machine."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    address, ssh_port = words[2:4] if len(words) == 4 else (platform.node(), "22")  # noqa: PLR2004 - two ends
    user = os.environ.get("USER", "")
    where = f"{user}@{address}" if user else address
    other_port = "" if ssh_port == "22" else f" -p {shlex.quote(ssh_port)}"
    return console.one_line(f"ssh -L {port}:127.0.0.1:{port}{other_port} {shlex.quote(where)}")


def _export_ratings(dataset: Dataset, file: Path) -> None:
    """Write the ratings in the form of FastClass's fcc: "?" for an image without one, "d" for a rejected one."""
    lines = ["file;rank"]
    for class_name, name, state, rating in dataset.ratings():
        suffix = ".rejected" if state == "rejected" else ""
        rank = "d" if state == "rejected" else str(rating or "?")
        path = f"{dataset.root.name}{suffix}/{class_name}/{name}".replace(";", "_").replace(" ", "_")
        lines.append(f"{path};{rank}")
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(console.one_line(f"cannot write {file}: {error.strerror or error}.")) from error
    print(console.one_line(f" {len(lines) - 1:,} images written to {file}"))
