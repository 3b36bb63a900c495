"""Search for suspects in the background, while the page asks for nothing: it measures every image."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from harvest.review.find_suspects_without_model import find_suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harvest.dataset import Dataset
    from harvest.review.images_in_memory import Snapshot

_QUIET = 0.4  # seconds without a request, after which the search goes on
_LONGEST_WAIT = 2.0  # seconds; a page that never stops asking slows the search down, and does not stop it
_AGAIN = 60.0  # seconds until decisions lead to another search: they change the reject rates of sources
_log = logging.getLogger("harvest.review")


class SuspectSearch:
    """Starts a search when images came or changed, and some time after decisions; `publish` gets the reasons."""

    def __init__(self, dataset: Dataset, publish: Callable[[Mapping[int, tuple[str, ...]]], object]) -> None:
        self._dataset = dataset
        self._publish = publish
        self._thread: threading.Thread | None = None  # a daemon: a search may take minutes
        self._is_closing = threading.Event()
        self._last_request = time.monotonic()  # the page is opened next
        self._began = -_AGAIN
        self._searched = (0, 0)  # the last new image and the last change of an image that a search knew

    def note_request(self) -> None:
        """Let the search wait: the page asks for something."""
        self._last_request = time.monotonic()

    def start(self, snapshot: Snapshot) -> None:
        """Search, if there is a reason to, and no search is running."""
        new, changed = self._searched
        is_late = time.monotonic() - self._began >= _AGAIN and snapshot.changed_images != changed
        is_running = self._thread is not None and self._thread.is_alive()
        if is_running or not (snapshot.new_images != new or is_late):
            return
        self._searched = (snapshot.new_images, snapshot.changed_images)
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._search, name="suspects", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the search before the dataset is closed."""
        self._is_closing.set()

    def _search(self) -> None:
        self._wait_until_quiet()
        try:
            self._publish(find_suspects(self._dataset, self._wait_until_quiet))
        except Exception:  # noqa: BLE001 - the page works without suspects
            if not self._is_closing.is_set():  # else the dataset was closed meanwhile
                _log.exception("the search for suspects failed")

    def _wait_until_quiet(self) -> None:
        latest = time.monotonic() + _LONGEST_WAIT
        while (left := min(self._last_request + _QUIET, latest) - time.monotonic()) > 0:
            if self._is_closing.wait(left):
                return
