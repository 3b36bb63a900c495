"""Find class names that the library `datasets` takes for a split, so that it loads a dataset without its labels."""

from __future__ import annotations

import re

# SPLIT_KEYWORDS, NON_WORDS_CHARS and KEYWORDS_IN_DIR_NAME_BASE_PATTERNS of datasets/data_files.py, datasets 5.2.0:
# a folder is a split if a keyword, in lower case, is its whole name or a part between two of these separators. Then
# only such folders are loaded, and none has a label.
_KEYWORDS = "train training validation valid dev val test testing eval evaluation".split()  # noqa: SIM905
_SEPARATORS = "[-._ 0-9]"
_SPLIT = re.compile(rf"(?:^|{_SEPARATORS})({'|'.join(_KEYWORDS)})(?:$|{_SEPARATORS})")


def find_split_word(class_name: str) -> str:
    """Return the word for which `datasets` takes a class folder for a split, or an empty text.

    >>> find_split_word("steam_train"), find_split_word("test tube"), find_split_word("eval2")
    ('train', 'test', 'eval')
    >>> find_split_word("trains"), find_split_word("Test_tube"), find_split_word("valley")
    ('', '', '')
    """
    found = _SPLIT.search(class_name)
    return found[1] if found else ""
