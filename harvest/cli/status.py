"""x"""


def status() -> None:
    """x"""
