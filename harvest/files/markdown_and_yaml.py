"""Write text from outside into Markdown and YAML, so that it is shown as it is."""

from __future__ import annotations

import json
import re

from harvest.files.check_names_and_cells import DIRECTION

_INVISIBLE = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029]|{DIRECTION.pattern}")  # a class name may have them
_AUTOLINK = re.compile(r"(?<=www)\.|:(?=//)|@(?=\w)", re.IGNORECASE)  # where GitHub links plain text
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
# JSON writes these as they are; in YAML they are not allowed, or end a line.
_NOT_IN_YAML = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def escape_markdown(text: str) -> str:
    r"""Return text that Markdown and HTML show as it is.

    >>> print(escape_markdown("*[a](b)* <script>"))
    \*\[a\](b)\* &lt;script&gt;
    >>> print(escape_markdown("http://a.org www.a.org me@a.org"))
    http\://a.org www\.a.org me\@a.org
    """
    text = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
    text = _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return _AUTOLINK.sub(r"\\\g<0>", text)


def quote_yaml(text: str) -> str:
    """Return text as a YAML string: JSON's escapes are YAML's."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
