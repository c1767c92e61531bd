"""What every request and every answer of the page passes: names of the host, sizes, headers that a browser obeys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from gyakusan.serving.access import is_loopback
from gyakusan.serving.front.heads import Head, Names
from gyakusan.serving.front.refusal import Refusal
from gyakusan.web.peer import is_mine

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
OWN_SITES = frozenset({None, "same-origin"})
"""What a browser says of the page that an action comes from; an older one says nothing."""
LONGEST_QUERY = 8192
"""Of an address. [B]"""
LONGEST_LENGTH = 12
"""Digits of the length of a body."""


class Post(Struct, frozen=True):
    """What an action takes.

    kind: type of its body
    most: bytes of its body [B]
    """

    kind: str = "application/x-www-form-urlencoded"
    most: int = 4096


class Guard:
    """Passes a request on if it is for this page, and marks every answer."""

    def __init__(self, app: App, host: str, names: Iterable[str], actions: Mapping[str, Post], *, acts: bool) -> None:
        """Prepare. actions: path of each action, and what it takes; acts: False for a copy that has none."""
        self._app = app
        self._names = Names(host, names)
        self._actions = actions
        self._acts = acts

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
        if head.path in self._actions and not self._acts:
            raise Refusal(404, "not_found", "This copy is only read.")
        if head.path in self._actions:
            _check_action(head, self._actions[head.path], scope)
        elif head.method not in METHODS:
            raise Refusal(405, "method_not_allowed", "This page is only read: GET.")
        if len(scope.get("query_string", b"")) > LONGEST_QUERY:
            raise Refusal(414, "too_long", f"An address of this page has at most {LONGEST_QUERY} bytes.")


def _check_action(head: Head, post: Post, scope: Scope) -> None:
    """Raise Refusal for an action that comes from anywhere but this page in a browser of this user on this computer."""
    if head.method != "POST":
        raise Refusal(405, "method_not_allowed", "This is an action of a page: POST.")
    host = head.value(b"host") or ""
    if not is_loopback(urlsplit(f"//{host}").hostname or "") or not is_mine(scope["client"]):
        raise Refusal(403, "not_here", "Actions are for the owner of this computer, at this computer.")
    if head.value(b"origin") != f"http://{host}" or head.value(b"sec-fetch-site") not in OWN_SITES:
        raise Refusal(403, "unknown_origin", "Actions come from this page alone.")
    kind = (head.value(b"content-type") or "").partition(";")[0].strip().casefold()
    if kind != post.kind or head.value(b"content-encoding") is not None:
        raise Refusal(415, "not_a_form", f"The body has to be {post.kind}.")
    length = head.value(b"content-length") or ""
    if not length.isascii() or not length.isdecimal() or head.value(b"transfer-encoding") is not None:
        raise Refusal(411, "no_length", "The length of the body is needed.")
    if len(length) > LONGEST_LENGTH or int(length) > post.most:
        raise Refusal(413, "too_large", f"The body has at most {post.most} bytes.")


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
