"""What one request, and all of them together, may cost: in bytes, seconds and numbers."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Limits of a service; seconds unless said otherwise."""

    head: float = 10  # from the first byte of a connection, or the last answer, to a whole request line
    idle: float = 20  # that an upload may pause, or fall behind `rate`; that an answer may stay unread
    rate: int = 4 * 1024  # bytes a second that an upload has to keep: half of what GPRS manages
    upload: float = 120  # a whole upload: 25 MB over a slow telephone
    farewell: float = 2  # what we still listen after a refusal, so that it is read and not cut off
    body: int = 25 * MiB  # one picture, as in a harvest
    document: int = 16 * 1024  # the JSON that names an address
    held: int = 256 * MiB  # uploads in memory, of all requests
    client_held: int = 128 * MiB  # of those of one client address; so for each limit below
    decoding: int = 400 * MiB  # for decoding, of all requests; a 50-megapixel PNG takes all of it
    requests: int = 128  # whole requests, at work or waiting
    client_requests: int = 64
    connections: int = 512
    client_connections: int = 128
    fetches: int = 8  # addresses asked for at the same time
    client_fetches: int = 4
    batch: int = 32  # pictures that the network sees together
