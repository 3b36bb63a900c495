"""`harvest review`: look at every image of a dataset in the browser."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import webbrowser
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from harvest.cli import console
from harvest.cli.find_named_pictures import DEFAULT
from harvest.cli.open_dataset import Folder, missing_files_error, open_dataset, print_changes_note
from harvest.counts_as_text import count_images
from harvest.errors import UsageError
from harvest.open_review import FIRST_PORT

if TYPE_CHECKING:
    from harvest.dataset import Dataset
    from harvest.open_review.review_server import ReviewServer


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
    from harvest.open_review.review_server import ReviewServer, listen_for_review

    with ReviewServer(dataset, listen_for_review(host, port)) as server:
        _greet(dataset, server)
        if is_browser_wanted and not _is_remote():
            Thread(target=webbrowser.open, args=(server.link,), daemon=True).start()
        server.run()


def _greet(dataset: Dataset, server: ReviewServer) -> None:
    listener = server.listener
    print(f"{console.one_line(dataset.root.name)}: {server.link}", flush=True)
    if _is_remote() and listener.is_loopback:
        console.note(f"On your own machine, run this and open the link there: {_tunnel_command(listener.port)}")
    if not listener.is_loopback:
        console.warn(
            "everyone in your network who has the link can see and reject the images. Nothing is encrypted."
            " On another device, put the name or the address of this machine into the link."
        )
        show_to_phones(server)


def show_to_phones(server: ReviewServer) -> None:
    """Print the link for other devices as a QR code, in a terminal."""
    from harvest.cli.qr_code import print_qr_code

    if sys.stdout.isatty() and (url := server.listener.find_network_url()):
        print(f"On a phone in the same network: {server.link_at(url)}")
        print_qr_code(server.link_at(url))


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
    print(console.one_line(f" {count_images(len(lines) - 1)} written to {file}"))
