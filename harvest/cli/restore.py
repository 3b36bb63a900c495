"""x"""


def restore() -> None:
    """x"""
