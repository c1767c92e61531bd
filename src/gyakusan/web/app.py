"""The application: pages, API, files, and the guard around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gyakusan.message import say
from gyakusan.serving.access import is_loopback
from gyakusan.web import actions, api, pages
from gyakusan.web.control import Control
from gyakusan.web.guard import App, Guard
from gyakusan.web.rendering import MADE, STATIC, page
from gyakusan.web.work import Work

SMALLEST_GZIP = 1024
"""Smaller answers are sent as they are. [B]"""
KEPT = "public, max-age=31536000, immutable"
"""For a file whose address changes with it."""


class Files(StaticFiles):
    """The page's own files; their addresses change with them, so browsers may keep them."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        """Return a file."""
        response = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        response.headers["cache-control"] = KEPT
        return response


def application(host: str, names: Iterable[str] = (), *, public: bool = False) -> App:
    """Return the whole application.

    host: that it listens on
    names: further names by which it may be called
    public: True for a copy that shows nothing of this computer
    """
    acts = not public and is_loopback(host)
    found = Starlette(
        routes=[
            *pages.routes(public=public),
            *(actions.routes() if acts else ()),
            *api.routes(),
            *(Route(f"/static/{name}", partial(_sheet, made)) for name, made in MADE.items()),
            Mount("/static", Files(directory=STATIC)),
        ],
        exception_handlers={404: _missing, 500: _broken},
    )
    found.state.public = public
    found.state.work = Work()
    found.state.control = Control.new()
    found.state.acts = acts
    found.state.exported = False
    return Guard(GZipMiddleware(found, minimum_size=SMALLEST_GZIP), host, names, actions.POSTS, acts=acts)


async def _sheet(made: Callable[[], str], request: Request) -> Response:
    return Response(made(), media_type="text/css", headers={"cache-control": KEPT})


def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if api.is_for_programs(request):
        return api.missing(request)
    lines = (say("There is no page {path}.", path=request.url.path[:80]),)
    return page(request, "error.html", say("Error: no such page"), status=404, lines=lines, names=False)


def _broken(request: Request, error: Exception) -> Response:
    if api.is_for_programs(request):
        return api.broken(request, error)
    lines = (say("The page failed: {kind}. Its address and this word help to mend it.", kind=type(error).__name__),)
    return page(request, "error.html", say("Error: the page failed"), status=500, lines=lines, names=False)
