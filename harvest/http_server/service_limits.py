"""Limits of the service, per request, per client and in total."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Limits of a service; in seconds unless noted."""

    head: float = 10  # from the start of a connection, or the last response, to a complete request head
    idle: float = 20  # that an upload may pause or be slower than `rate`, and that a response may stay unread
    rate: int = 4 * 1024  # bytes per second, the minimum of an upload: half the speed of GPRS
    upload: float = 120  # a whole upload: 25 MB over a slow mobile connection
    farewell: float = 2  # for reading on after a refusal, so that the client sees the response
    body: int = 25 * MiB  # one image, as in a harvest
    document: int = 16 * 1024  # the JSON document that contains a URL
    held: int = 256 * MiB  # uploads in memory, all requests together
    client_held: int = 128 * MiB  # uploads in memory of one client address; the same for each `client_` limit below
    decoding: int = 400 * MiB  # for decoding, all requests together; a 50-megapixel PNG takes all of it
    requests: int = 128  # complete requests, running or waiting
    client_requests: int = 64
    connections: int = 512
    client_connections: int = 128
    fetches: int = 8  # URLs downloaded at the same time
    client_fetches: int = 4
    batch: int = 32  # images per batch
