"""`ip('10.0.0.1')` and `cidr('10.0.0.0/8')`: addresses and ranges of them."""

from __future__ import annotations

import ipaddress
from typing import Any, Final, TypeAlias

from execloop.library.cel.functions.declaration import Function, content, limited, method, of_text, wellformed

__all__ = ["FUNCTIONS"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_IP: Final = "ip"
_CIDR: Final = "cidr"
_LONGEST: Final = 64


def _address(text: str) -> Address:
    try:
        found = ipaddress.ip_address(limited(text, _LONGEST, "an address"))
    except ValueError:
        raise ValueError("this is not an IP address, such as 10.0.0.1 or fd00::1") from None
    if isinstance(found, ipaddress.IPv6Address) and (found.scope_id or found.ipv4_mapped):
        raise ValueError("an IP address has no zone, and is not an IPv4 address within IPv6")
    return found


def _range(text: str) -> tuple[Address, Network]:
    host, slash, bits = limited(text, _LONGEST, "a range").partition("/")
    if not slash or not (bits.isascii() and bits.isdecimal()):
        raise ValueError("this is not a range of addresses, such as 10.0.0.0/8")
    try:
        return _address(host), ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("this is not a range of addresses, such as 10.0.0.0/8") from None


def ip(text: str) -> dict[str, str]:
    """Return an address; equal addresses are equal however they are written."""
    return {_IP: str(_address(text))}


def cidr(text: str) -> dict[str, str]:
    """Return a range; the address before the slash stays."""
    address, network = _range(text)
    return {_CIDR: f"{address}/{network.prefixlen}"}


def _ip(value: Any) -> Address:
    return _address(value if isinstance(value, str) else content(value, _IP))


def _network(value: Any) -> Network:
    return _range(value if isinstance(value, str) else content(value, _CIDR))[1]


def _masked(value: Any) -> dict[str, str]:
    return {_CIDR: str(_network(content(value, _CIDR)))}


def _contains_address(value: Any, other: Any) -> bool:
    return _ip(other) in _network(content(value, _CIDR))


def _contains_range(value: Any, other: Any) -> bool:
    outer, inner = _network(content(value, _CIDR)), _network(other)
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version


def _is_global_unicast(value: Any) -> bool:
    """Any address that stands for one machine beyond its link, private ones included, as in Go's package net."""
    address = _ip(content(value, _IP))
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not special and str(address) != "255.255.255.255"


def _is_link_local_multicast(value: Any) -> bool:
    address = _ip(content(value, _IP))
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02  # noqa: PLR2004 - RFC 4291, 2.7


FUNCTIONS: Final[tuple[Function, ...]] = (
    of_text("ip", ip),
    of_text("isIP", wellformed(ip), "BOOL"),
    of_text("ip.isCanonical", lambda text: str(_address(text)) == text, "BOOL"),
    method("family", lambda value: _ip(content(value, _IP)).version, "INT"),
    method("isUnspecified", lambda value: _ip(content(value, _IP)).is_unspecified, "BOOL"),
    method("isLoopback", lambda value: _ip(content(value, _IP)).is_loopback, "BOOL"),
    method("isLinkLocalMulticast", _is_link_local_multicast, "BOOL"),
    method("isLinkLocalUnicast", lambda value: _ip(content(value, _IP)).is_link_local, "BOOL"),
    method("isGlobalUnicast", _is_global_unicast, "BOOL"),
    of_text("cidr", cidr),
    of_text("isCIDR", wellformed(cidr), "BOOL"),
    *(method("containsIP", _contains_address, "BOOL", other) for other in ("MAP", "STRING")),
    *(method("containsCIDR", _contains_range, "BOOL", other) for other in ("MAP", "STRING")),
    method("ip", lambda value: {_IP: str(_range(content(value, _CIDR))[0])}, "MAP"),
    method("masked", _masked, "MAP"),
    method("prefixLength", lambda value: _network(content(value, _CIDR)).prefixlen, "INT"),
)
