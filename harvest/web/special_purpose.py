"""The address blocks that IANA reserves for special purposes: no public web server has such an address.

`ipaddress` has them too, but its list depends on the Python version: 3.11.7 calls 192.0.0.8 and 3fff::1
global. Blocks that the registries call globally reachable (AS112, AMT, the anycast addresses in 192.0.0.0/24
and 2001::/23) are listed as well: the nearest network answers for them, which may be a private one.

Sources, as of 2025-10: https://www.iana.org/assignments/iana-ipv4-special-registry,
https://www.iana.org/assignments/iana-ipv6-special-registry and, for what is assigned at all,
https://www.iana.org/assignments/ipv6-unicast-address-assignments.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPV4_BLOCKS = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private use
            "100.64.0.0/10",  # shared address space of providers; 100.100.100.200 serves a cloud's metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # not in the registry: Azure's services for its own virtual machines
            "169.254.0.0/16",  # link local; 169.254.169.254 serves most clouds' metadata
            "172.16.0.0/12",  # private use
            "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 serves a cloud's metadata
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relay anycast
            "192.168.0.0/16",  # private use
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarking
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and limited broadcast
        ),
    )
)
# All others are unassigned or special: ::1, ::ffff:0:0/96 (IPv4-mapped), 64:ff9b::/96 and 64:ff9b:1::/48
# (NAT64), 100::/64, 100:0:0:1::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8 …
IPV6_GLOBAL_UNICAST = IPv6Network("2000::/3")
IPV6_BLOCKS = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, DET
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)


def is_special_purpose(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is in a reserved block; IPv4-mapped addresses always are.

    >>> is_special_purpose(IPv4Address("192.0.0.192")), is_special_purpose(IPv6Address("2606:4700::1111"))
    (True, False)
    """
    if isinstance(address, IPv4Address):
        return any(address in block for block in IPV4_BLOCKS)
    return address not in IPV6_GLOBAL_UNICAST or any(address in block for block in IPV6_BLOCKS)
