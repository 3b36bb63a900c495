"""The tempers of picture hosts by name: what a request comes to, and the verdict it deserves.

The name of a host says its temper: `https://dead.pictures.test/…`. Good ones are `img0.pictures.test` and on,
and Flickr's own hosts, where every picture may have its own.
"""

from __future__ import annotations

from tests.internet import friendly, hostile
from tests.internet.temper import Temper

TEMPERS = {
    member.name: member
    for module in (friendly, hostile)
    for member in vars(module).values()
    if isinstance(member, Temper)
}
