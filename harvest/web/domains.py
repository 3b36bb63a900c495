"""Find the registrable domain of a host, or the network of an IP address.

An approximation of the Public Suffix List, which has 10,000 entries and changes weekly. Where it is wrong,
sites of different owners count as one domain, for example all of github.io: they share connections, nothing
else.
"""

from __future__ import annotations

import ipaddress

# Second-level labels below which country registries register names: example.co.uk, example.com.au.
_SECOND_LEVEL = frozenset(
    {
        *(
            "ac",
            "co",
            "com",
            "edu",
            "gob",
            "gov",
            "gouv",
            "id",
            "ltd",
            "me",
            "mil",
            "net",
            "nom",
            "org",
            "sch",
        ),
        *("ad", "ed", "go", "gr", "lg", "ne", "or", "re"),  # Japan and Korea
    }
)
_COUNTRY = 2  # letters of a country code top-level domain
_IPV4_PREFIX, _IPV6_PREFIX = 24, 48  # bits: the smallest networks that are routed on their own


def registrable_domain(host: str) -> str:
    """Return the registrable domain of a host name, or the network of an IP address.

    >>> registrable_domain("img7.example.com"), registrable_domain("a.b.example.co.uk")
    ('example.com', 'example.co.uk')
    >>> registrable_domain("co.uk"), registrable_domain("localhost"), registrable_domain("203.0.113.9")
    ('co.uk', 'localhost', '203.0.113.0/24')
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        prefix = _IPV4_PREFIX if address.version == 4 else _IPV6_PREFIX  # noqa: PLR2004 - the IP version
        return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
    labels = host.lower().rstrip(".").split(".")
    is_second_level = len(labels[-1]) == _COUNTRY and len(labels) > 1 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if is_second_level else labels[-2:])


def hostname(server: str) -> str:
    """Return the host of a server name, which may include a port.

    >>> hostname("img.example.org:8080"), hostname("[2001:db8::1]:80"), hostname("2001:db8::1")
    ('img.example.org', '2001:db8::1', '2001:db8::1')
    """
    if server.startswith("["):
        return server[1:].partition("]")[0]
    return server if server.count(":") > 1 else server.partition(":")[0]
