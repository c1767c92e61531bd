"""What the head of a request must say: which computer it is for, which page it comes from, what its body is."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gyakusan.serving.front.keys import OWNER
from gyakusan.serving.front.refusal import Headers, Refusal

_OWN_NAMES = frozenset({"localhost", "ip6-localhost", "host.docker.internal"})
_POST = {
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/rerank"),
    *("/v1/messages/count_tokens", "/chat/completions", "/completions", "/completion", "/embeddings", "/embedding"),
    *("/rerank", "/reranking", "/v1/reranking", "/infill", "/tokenize", "/detokenize", "/apply-template"),
}
_GET = {"/v1/models", "/models", "/props", "/slots", "/metrics"}
_OWNERS = {"/slots", "/metrics"}
_LIGHT = {"/tokenize", "/detokenize", "/apply-template", "/v1/messages/count_tokens"}
METHODS: Mapping[str, str] = dict.fromkeys(_POST, "POST") | dict.fromkeys(_GET, "GET")
"""The paths that are passed on, and the method of each. What changes the server (slots, adapters, models) is none of them."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request.

    method: of HTTP
    path: without the query
    headers: names in lower case, with their values
    client: address of who asks
    """

    method: str
    path: str
    headers: Headers = field(repr=False)
    client: str = ""

    def value(self, name: bytes) -> str | None:
        """Return the value of a header. Raises Refusal where it is given twice."""
        found = [value for header, value in self.headers if header == name]
        if len(found) > 1:
            raise Refusal(400, "bad_request", f"The header {name.decode()} is given {len(found)} times.")
        return found[0].decode("latin-1").strip() if found else None

    @property
    def takes_slot(self) -> bool:
        """True for a request that makes the model compute."""
        return self.method == "POST" and self.path not in _LIGHT


class Names:
    """The names by which an endpoint may be called: addresses, this computer's own names, and those that its owner adds."""

    def __init__(self, host: str, added: Iterable[str] = ()) -> None:
        own = socket.gethostname().casefold()
        self._names = _OWN_NAMES | {host.casefold(), own, f"{own}.local", own.partition(".")[0]}
        self._names |= {name.casefold() for name in added}

    def check(self, head: Head) -> None:
        """Raise Refusal for a request that names another computer, or comes from a page of one.

        A page of a stranger reaches a server of this computer under the stranger's own name (DNS rebinding).
        """
        host = head.value(b"host")
        name = "" if host is None else _name(f"//{host}")
        if not (_address(name) or self._known(name)):
            raise Refusal(421, "unknown_host", "This server has another name. Its owner adds one: --allow-host NAME.")
        origin = head.value(b"origin")
        if origin is not None and not self._page(_name(origin), name):
            raise Refusal(403, "unknown_origin", "A page of another site may not ask. --allow-host SITE allows it.")
        if origin is None and head.value(b"sec-fetch-site") == "cross-site":
            raise Refusal(403, "unknown_origin", "A page of another site may not ask this server.")

    def _page(self, page: str, host: str) -> bool:
        """Return True for a page of this computer: under the name that was asked for, a known one, or a loopback address.

        Any other address may be a stranger's, who would read the answers of a server without a key.
        """
        address = _address(page)
        return bool(page) and (page == host or self._known(page) or (address is not None and address.is_loopback))

    def _known(self, name: str) -> bool:
        return bool(name) and name.rstrip(".") in self._names


def _name(url: str) -> str:
    """Return the host of an address, "" if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is, None for a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


NOTHING_HERE = (
    "Nothing is here. Programs ask e.g. /v1/chat/completions; gyakusan status and, in a browser, gyakusan web show "
    "what the server does."
)
"""Said to a browser that opens the address of a server, and to a program that asks for another path."""


def check_path(head: Head) -> None:
    """Raise Refusal for what is not passed on: another path, method, or kind of body."""
    method = METHODS.get(head.path)
    if method is None:
        raise Refusal(404, "not_found", NOTHING_HERE)
    if head.method != method:
        raise Refusal(405, "method_not_allowed", f"{head.path} takes {method}.")
    if method == "POST":
        kind = (head.value(b"content-type") or "").partition(";")[0].strip().casefold()
        if kind != "application/json":
            raise Refusal(415, "not_json", "The body has to be JSON: Content-Type: application/json.")
        if head.value(b"content-encoding") is not None:
            raise Refusal(415, "encoded", "A body without Content-Encoding is expected.")


def check_owner(head: Head, name: str) -> None:
    """Raise Refusal for what only the owner of a server may see: what others ask, and how much."""
    if head.path in _OWNERS and name != OWNER:
        raise Refusal(403, "owner_only", f"Only the key of the server's owner may see {head.path}.")


def check_length(head: Head, largest: int) -> None:
    """Raise Refusal for a body that is announced to be too large."""
    length = head.value(b"content-length") or "0"
    if not (length.isascii() and length.isdecimal()) or len(length) > 12 or int(length) > largest:
        raise too_large(largest)


def too_large(largest: int) -> Refusal:
    """Return the refusal of a body that is too large."""
    return Refusal(413, "too_large", f"A request to this server has at most {largest} bytes.")


def shared_with(head: Head) -> Headers:
    """Return the headers that let the page of an allowed site read the answer."""
    origin = head.value(b"origin")
    if origin is None:
        return []
    return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]


def preflight(head: Head) -> Headers:
    """Return the headers for a browser that asks what it may send."""
    return [
        *shared_with(head),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"Authorization, Content-Type, X-Api-Key"),
        (b"access-control-max-age", b"600"),
    ]
