"""Write counts with their nouns, in the singular or the plural."""

from __future__ import annotations


def count(number: int, noun: str, nouns: str = "") -> str:
    """Format a count with its noun; `nouns` is the plural, unless it is that of the noun and an s.

    >>> count(1, "image"), count(1200, "image"), count(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    >>> count(1, "image is", "images are")
    '1 image is'
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def count_images(number: int) -> str:
    """Format a count of images.

    >>> count_images(1), count_images(1200)
    ('1 image', '1,200 images')
    """
    return count(number, "image")
