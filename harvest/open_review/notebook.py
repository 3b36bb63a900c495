"""The review page in a notebook: a server in a thread, and an IFrame that shows it."""

from __future__ import annotations

import html
import threading
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.open_review.review_server import ReviewServer, listen_for_review

if TYPE_CHECKING:
    from pathlib import Path

# The pages that may show the review in a frame: notebooks on this machine. The cookie is only sent where the notebook
# has the same host name, so the link has the one that Jupyter prints.
_NOTEBOOKS = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:*"
_HEIGHT = 800  # pixels
_PATIENCE = 10  # seconds for the end of a decision


class NotebookReview:
    """A running review. A notebook shows it in an IFrame, and a terminal shows its link."""

    def __init__(self, root: Path, port: int | None = None) -> None:
        self._dataset = Dataset.open(root)  # with its own connection: the notebook goes on using the other
        try:
            listener = listen_for_review(port=port)
            self._server = ReviewServer(self._dataset, listener, frame_ancestors=_NOTEBOOKS)
        except BaseException:
            self._dataset.close()
            raise
        self.url = self._server.link_at(f"http://localhost:{listener.port}/")
        self._thread = threading.Thread(target=self._server.run, name="review", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the review; what the page showed as done is on the disk."""
        self._server.stop()
        self._thread.join(_PATIENCE)
        self._server.listener.close()
        self._dataset.close()

    def __repr__(self) -> str:
        return f"Review of {self._dataset.root.name}: {self.url}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows; it calls this instead of `repr`."""
        url = html.escape(self.url)
        frame = (
            f'<iframe src="{url}" width="100%" height="{_HEIGHT}" style="border: 0" title="harvest review"></iframe>'
        )
        return f'{frame}<p><a href="{url}" target="_blank" rel="noopener">Open the page in a tab of its own</a></p>'
