"""All behaviours of image hosts, by name.

A host is named after its behaviour: `https://dead.pictures.test/…`. Good ones are `img0.pictures.test` and so on,
and Flickr's own hosts, where every image may have its own behaviour.
"""

from __future__ import annotations

from tests.internet import bad_hosts, good_hosts
from tests.internet.host_behaviour import HostBehaviour

BEHAVIOURS = {
    member.name: member
    for module in (good_hosts, bad_hosts)
    for member in vars(module).values()
    if isinstance(member, HostBehaviour)
}
