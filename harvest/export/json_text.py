"""The form of the JSON files of an export."""

from __future__ import annotations

import json
from typing import Any


def encode_json(value: Any) -> bytes:
    r"""Return UTF-8 JSON that ends with a line break.

    A file name that is not UTF-8 has surrogates, which readers refuse: each becomes a question mark.

    >>> encode_json({"name": "Sch\xfctz\udcff"}).decode()
    '{\n "name": "Schütz?"\n}\n'
    """
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
