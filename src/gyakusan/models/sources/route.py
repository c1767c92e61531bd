"""Decide where a web request may go: a redirect must not lead to a place that the user did not name."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.request import getproxies

from gyakusan.doors.text import PATH, line
from gyakusan.errors import SourceError
from gyakusan.message import Message, say

if TYPE_CHECKING:
    from httpx2 import URL

HOPS = 5
"""Most redirects that are followed."""
_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")


def shown(url: URL) -> str:
    """Return `url` for messages: without user, password and query, which may hold a signature."""
    port = f":{url.port}" if url.port is not None else ""
    host = f"[{url.host}]" if ":" in url.host else url.host
    text = f"{url.scheme}://{host}{port}{url.path}" + ("?..." if url.query else "")
    return line(text, PATH)


def origin(url: URL) -> tuple[str, str, int | None]:
    """Return (scheme, host, port), with the default port filled in."""
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)


def trusted(named: URL, url: URL) -> bool:
    """Return True if `url` is on the server that the user named, or its https door: it may see the user's token."""
    if origin(url) == origin(named):
        return True
    return url.host == named.host and url.scheme == "https" and {named.port, url.port} == {None}


def follow(named: URL, here: URL, location: str) -> URL:
    """Return the address that a redirect from `here` leads to. named: what the user typed. Raises SourceError."""
    from httpx2 import InvalidURL

    try:
        target = here.join(location).copy_with(userinfo=b"", fragment=None)
    except (InvalidURL, UnicodeError, ValueError):
        raise _refused(named, say("an address that cannot be read")) from None
    if target.scheme not in _PORTS:
        raise _refused(named, say("{scheme}://, which is not a web address", scheme=target.scheme[:20]))
    if here.scheme == "https" and target.scheme == "http":
        raise _refused(named, say("{to}, which is not encrypted", to=shown(target)))
    if not trusted(named, target):
        check_public(named, target)
    return target


def check_public(named: URL, target: URL) -> None:
    """Raise SourceError unless another server is an https one on the public internet."""
    if target.scheme != "https":
        raise _refused(named, say("{to}, another server without encryption", to=shown(target)))
    for address in resolve(target.host, target.port or 443, proxied=proxied()):
        check_address(named, target, address)


def check_address(named: URL, target: URL, address: str) -> None:
    """Raise SourceError if `address` is inside this computer or its network."""
    if not is_public(address):
        template = "{to}, a private address ({address}) that you did not name"
        raise _refused(named, say(template, to=shown(target), address=address))


def is_public(address: str) -> bool:
    """Return True for an address on the open internet, whatever its spelling."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(ip)
    if inner is not None and not is_public(str(inner)):
        return False
    return (ip.is_global and not ip.is_multicast) or (inner is not None and ip in _NAT64)


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if any."""
    if isinstance(ip, IPv4Address):
        return None
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None)


def resolve(host: str, port: int, *, proxied: bool) -> list[str]:
    """Return all addresses of `host`; none if only the proxy can tell. Raises SourceError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if proxied:
            return []
        raise SourceError(
            "{host} has no address.", host=line(host, PATH), mend="Check the network connection and the spelling."
        ) from None
    return [str(info[4][0]) for info in found]


def proxied() -> bool:
    """Return True if the environment names a proxy, which then resolves names itself."""
    return any(getproxies().get(kind) for kind in ("http", "https", "all"))


def _refused(named: URL, where: Message) -> SourceError:
    return SourceError(
        "{url} redirects to {where}.",
        url=shown(named),
        where=where,
        mend="The redirect was not followed. Give the final address if you trust it, or download the file.",
    )
