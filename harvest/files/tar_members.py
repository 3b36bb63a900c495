"""Tar files of samples: the members that every shard consists of, in an export as well as in a dataset."""

from __future__ import annotations

import tarfile

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)  # of a tar file
_MODE = 0o644


def padded_size(length: int) -> int:
    """Return the number of bytes that a member with data of this length takes, its header included."""
    return BLOCK - (-length // BLOCK) * BLOCK


def encode_member(name: str, data: bytes) -> bytes:
    """Return a member as it is in a tar file, with a fixed date and owner: the same image gives the same bytes.

    The header is a plain one, which `wids` reads; a longer name than 100 bytes raises `ValueError`.
    """
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = _MODE
    return member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)
