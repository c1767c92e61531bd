"""The API: each route of the table as an endpoint, with JSON, ETags and errors as problem+json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gyakusan.documents.writer import written
from gyakusan.errors import GyakusanError, UnknownName, unknown
from gyakusan.message import say
from gyakusan.text import LANGUAGES, Language
from gyakusan.web.control import seen
from gyakusan.web.openapi import PATH, PROBLEM, document
from gyakusan.web.problems import Broken, problem_of
from gyakusan.web.queries import read
from gyakusan.web.reader import language_of, named_language
from gyakusan.web.routes import ROUTES, ApiRoute
from gyakusan.web.work import Work, client_of

See = Callable[[], AbstractContextManager[None]]
"""Says what the questions inside may look at."""


def routes() -> list[Route]:
    """Return the endpoints of the API."""
    return [*(Route(r.path, partial(_answer, r), name=r.name) for r in ROUTES), Route(PATH, _description)]


async def _answer(route: ApiRoute, request: Request) -> Response:
    language = language_of(request)
    work: Work = request.app.state.work
    see = partial(seen, request)
    ask = partial(_text, route, request.query_params.multi_items(), language, see)
    try:
        body = await work.run(ask, heavy=route.heavy, client=client_of(request))
    except GyakusanError as error:
        return problem(error, language)
    return with_tag(request, body)


def _text(route: ApiRoute, pairs: list[tuple[str, str]], language: Language, see: See) -> bytes:
    _check_language(pairs)
    with see():
        return written(route.ask(read(route.query, pairs)), language, indent=None).encode()


def _check_language(pairs: list[tuple[str, str]]) -> None:
    """Raise UnknownName for a language that no answer is written in; an empty one is none."""
    for name, value in pairs:
        if name == "lang" and value.strip() and named_language(value) is None:
            raise unknown(say("language"), value, LANGUAGES, choices=True, option=name)


def with_tag(request: Request, body: bytes, kind: str = "application/json") -> Response:
    """Return an answer that a program need not fetch twice."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache", "vary": "Accept-Language, Cookie"}
    if tag in [t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=kind, headers=headers)


def problem(error: GyakusanError, language: Language) -> Response:
    """Return an error for programs. Source: RFC 9457."""
    found = problem_of(error, language)
    body = json.dumps({"type": "about:blank", **found}, ensure_ascii=False)
    headers = {"cache-control": "no-store"} | ({"retry-after": "1"} if found["status"] == 429 else {})
    return Response(body, int(found["status"]), media_type=PROBLEM, headers=headers)


def is_for_programs(request: Request) -> bool:
    """Return True for an address of the API, whose errors are for programs, too."""
    return request.url.path.startswith("/api/")


def missing(request: Request) -> Response:
    """Return the problem of an address that the API does not have."""
    path = request.url.path[:80]
    return problem(
        UnknownName("There is no page {path}.", path=path, all=PATH, mend="{all} lists them."), language_of(request)
    )


def broken(request: Request, error: Exception) -> Response:
    """Return the problem of an answer that failed."""
    kind = type(error).__name__
    return problem(
        Broken("The page failed: {kind}. Its address and this word help to mend it.", kind=kind, mend=None),
        language_of(request),
    )


async def _description(request: Request) -> Response:
    return with_tag(request, document())
