"""Which addresses a Plan's parameters may lead the operator to: it stands where Plan authors do not.

A name is resolved once, and the connection goes to the address that was checked: another answer of its DNS server a
moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Address", "Addresses", "ForbiddenAddress"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_API_SERVER: Final = "KUBERNETES_SERVICE_HOST"


class ForbiddenAddress(Exception):
    """An address that the administrator does not allow. The message names the host, and not what it resolves to."""


class Addresses:
    """`allowed`: networks and patterns of host names, besides public addresses; None for every address.

    A pattern of names allows private addresses. What is link-local, such as the metadata of a cloud, or the operator's
    own machine is allowed by its network only, since a name's owner decides what it resolves to. `private`: those are
    allowed whatever their names are.

    >>> Addresses(("10.0.0.0/8",)).permits("db.example", ipaddress.ip_address("10.1.2.3"))
    True
    >>> Addresses(("*.example",)).permits("db.example", ipaddress.ip_address("169.254.169.254"))
    False

    """

    def __init__(self, allowed: Iterable[str] | None, *, private: bool = False) -> None:
        self._all = allowed is None
        self._networks: list[_Network] = []
        self._names: list[str] = []
        self._private = private
        for rule in allowed or ():
            try:
                self._networks.append(ipaddress.ip_network(rule, strict=False))
            except ValueError:
                self._names.append(rule.lower())

    def permits(self, host: str, address: Address) -> bool:
        """Return whether a connection to this address is allowed for a host of that name."""
        if self._all:
            return True
        inner = _embedded(address)
        if any(each in network for network in self._networks for each in (address, inner)):
            return True
        own = inner.is_loopback or inner.is_link_local or inner.is_unspecified or inner.is_multicast
        if own or str(inner) == os.environ.get(_API_SERVER):
            return False
        return inner.is_global or self._private or self._named(host)

    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Address]:
        """Return the allowed addresses of a host. Raises ForbiddenAddress when none is allowed, OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        permitted = [address for address in dict.fromkeys(addresses) if self.permits(host, address)]
        if not permitted:
            raise ForbiddenAddress(
                f"{host} has an internal address: have an administrator allow its network with --plan-address (the"
                " chart's operator.planAddresses)"
            )
        return permitted

    def _named(self, host: str) -> bool:
        return any(fnmatchcase(host.lower().rstrip("."), name) for name in self._names)


def _embedded(address: Address) -> Address:
    """Return the IPv4 address within one of IPv6, which is where its packets go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
