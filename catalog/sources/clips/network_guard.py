"""Where a download process may connect: URLs in tables are untrusted and must not reach this machine's network (SSRF).

A link in a table, a redirect or a DNS record may point to a metadata service, a router or a colleague's server. Every
connection of the process is checked by its address when it is made: names and redirects are resolved by then.

    public                            allowed
    loopback, private, shared         allowed if the card names the host, at the proxy's port, or with `private_hosts`
    link-local, cloud metadata        never: they serve credentials
    multicast, unspecified            never
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from .failures import ClipError

_METADATA = frozenset({"fd00:ec2::254", "100.100.100.200", "192.0.0.192"})
"""Cloud metadata services besides the link-local 169.254.169.254."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Guard:
    """Refuses connections by address.

    Attributes:
        refused: The first refusal since it was cleared; libraries may turn it into another error.
    """

    def __init__(self, *, trusted_hosts: Iterable[str], private_hosts: bool, proxy: str | None) -> None:
        self._private = private_hosts
        self._trusted = {address for host in trusted_hosts if host for address in _addresses(host)}
        self._proxies = {
            (address, port)
            for host, port in map(_host_and_port, _proxies(proxy))
            if host
            for address in _addresses(host)
        }
        self.refused: ClipError | None = None

    def install(self) -> None:
        """Check every connection of this process from now on."""
        sys.addaudithook(self._on_event)

    def check(self, text: str, port: int | None = None) -> None:
        """Raise ClipError `private_address` if a connection to this address and port is not allowed."""
        address = _public_form(ipaddress.ip_address(text.partition("%")[0]))
        is_trusted = str(address) in self._trusted or any(
            str(address) == proxy and (port is None or own_port in (None, port)) for proxy, own_port in self._proxies
        )
        if _is_allowed(address, private=self._private or is_trusted):
            return
        self.refused = self.refused or ClipError("private_address", f"it resolves to {address}")
        raise self.refused

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        connection, address = arguments
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            self.check(str(address[0]), int(address[1]))


def _proxies(proxy: str | None) -> list[str]:
    """The proxy of the options, and those of the environment; NO_PROXY names hosts to reach without one."""
    named = {scheme: url for scheme, url in urllib.request.getproxies_environment().items() if scheme != "no"}
    return [each for each in (proxy, *named.values()) if each]


def _host_and_port(proxy: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        return parts.hostname or "", parts.port
    except ValueError:  # no connection is possible either
        return "", None


def _is_allowed(address: Address, *, private: bool) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified or str(address) in _METADATA:
        return False
    return private or address.is_global


def _public_form(address: Address) -> Address:
    """Return the IPv4 address embedded in an IPv6 address, if any; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()  # no connection is possible either
    return {str(_public_form(ipaddress.ip_address(str(each[4][0]).partition("%")[0]))) for each in found}


__all__ = ["Guard"]
