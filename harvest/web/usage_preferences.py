"""Read the two notations for preferences about machine learning: `Content-Usage` and `Content-Signal`.

`Content-Usage: train-ai=n` is the IETF's (draft-ietf-aipref-vocab), a header and a line of robots.txt.
`Content-Signal: ai-train=no` is Cloudflare's, a line of robots.txt (contentsignals.org). Both list several uses;
only the one for training concerns a dataset.
"""

from __future__ import annotations

import re

_MOST = 1_000  # characters that are read of one statement; a real one has thirty
# The members of a Structured Fields dictionary; a comma inside a quoted text separates nothing.
_MEMBER = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_TRAINING_USAGE = re.compile(r"[ \t]*train-ai(?:=(?P<value>[^;]*))?(?:;.*)?", re.DOTALL)
_TRAINING_SIGNAL = re.compile(r"\s*ai-train\s*=\s*no\s*", re.IGNORECASE)


def usage_forbids_training(text: str) -> bool:
    r"""Return whether a `Content-Usage` dictionary says `train-ai=n`; the last statement counts.

    >>> usage_forbids_training("search=y, train-ai=n;as=robots"), usage_forbids_training("train-ai=n, train-ai=y")
    (True, False)
    >>> usage_forbids_training('note="a, train-ai=n"'), usage_forbids_training("train-ai"), usage_forbids_training("")
    (False, False, False)
    """
    stated = [found for member in _MEMBER.findall(text[:_MOST]) if (found := _TRAINING_USAGE.fullmatch(member))]
    return bool(stated) and (stated[-1]["value"] or "").strip(" \t") == "n"


def signal_forbids_training(text: str) -> bool:
    """Return whether a `Content-Signal` says `ai-train=no`.

    >>> signal_forbids_training("search=yes, AI-Train=no"), signal_forbids_training("ai-train=yes, ai-input=no")
    (True, False)
    """
    return any(_TRAINING_SIGNAL.fullmatch(part) for part in text[:_MOST].split(","))
