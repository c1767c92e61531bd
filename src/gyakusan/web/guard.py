"""What every request and every answer of the page passes: names of the host, sizes, headers that a browser obeys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from gyakusan.serving.front.heads import Head, Names
from gyakusan.serving.front.refusal import Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing comes from elsewhere, and nothing that stands in the page runs."""
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), interest-cohort=()"),
)
METHODS = frozenset({"GET", "HEAD"})
LONGEST_QUERY = 8192
"""Of an address. [B]"""


class Guard:
    """Passes a request on if it is for this page, and marks every answer."""

    def __init__(self, app: App, host: str, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = Names(host, names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        marked = _marking(send)
        head = Head(scope["method"], scope["path"], scope["headers"], (scope["client"] or ("", 0))[0])
        try:
            self._check(head, scope)
        except Refusal as refusal:
            body = refusal.body()
            headers = [*refusal.headers(), (b"content-length", str(len(body)).encode())]
            await marked({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await marked({"type": "http.response.body", "body": body})
            return
        await self._app(scope, receive, marked)

    def _check(self, head: Head, scope: Scope) -> None:
        if not _follows_a_link(head):
            self._names.check(head)
        else:
            self._names.check(Head(head.method, head.path, _without_site(head), head.client))
        if head.method not in METHODS:
            raise Refusal(405, "method_not_allowed", "This page is only read: GET.")
        if len(scope.get("query_string", b"")) > LONGEST_QUERY:
            raise Refusal(414, "too_long", f"An address of this page has at most {LONGEST_QUERY} bytes.")


def _follows_a_link(head: Head) -> bool:
    """Return True for a person who comes from another site by a link: nothing of the answer is told to that site."""
    return (
        head.method == "GET"
        and head.value(b"origin") is None
        and head.value(b"sec-fetch-mode") == "navigate"
        and head.value(b"sec-fetch-dest") == "document"
    )


def _without_site(head: Head) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in head.headers if name != b"sec-fetch-site"]


def _marking(send: Send) -> Send:
    async def marked(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
        await send(message)

    return marked
