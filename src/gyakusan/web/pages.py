"""The pages: which path is drawn by which module, errors as a page, and the same answer as JSON at PATH.json."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gyakusan.errors import GyakusanError
from gyakusan.web import article_page, catalogue_pages, compare_page, computer_page, fit_page, plan_page, start_page
from gyakusan.web.control import seen
from gyakusan.web.peer import is_mine
from gyakusan.web.problems import Busy, NotYours, Refused, refused
from gyakusan.web.reader import LANGUAGE_COOKIE, THEME_COOKIE, THEMES
from gyakusan.web.rendering import page
from gyakusan.web.work import Work, client_of

Draw = Callable[[Request], Response]
PAGES: dict[str, Draw] = {
    "/": start_page.draw,
    "/fit": fit_page.draw,
    "/plan": plan_page.draw,
    "/compare": compare_page.draw,
    "/catalogue": catalogue_pages.overview,
    "/catalogue/record": catalogue_pages.record,
    "/accuracy": catalogue_pages.accuracy,
    "/article": article_page.draw,
}
KINDS: dict[str, Draw] = {
    f"/catalogue/{kind}": partial(catalogue_pages.listing, kind) for kind in catalogue_pages.KINDS
}
AGAIN: dict[str, Callable[[Refused, Request], Response]] = {
    "/fit": fit_page.draw_refused,
    "/plan": plan_page.draw_refused,
    "/compare": compare_page.draw_refused,
    **{f"/catalogue/{kind}": partial(catalogue_pages.listing_refused, kind) for kind in catalogue_pages.KINDS},
}
"""Pages with a form: where the answer is a mistake, the form is there with what was typed."""
HERE: dict[str, Draw] = {
    "/computer": computer_page.draw,
    "/computer/live": computer_page.live,
    "/computer.json": computer_page.document,
}
"""Pages that a public copy does not have, and that nobody else's program on this computer reads: see peer."""
JSON = {
    "/fit": "/api/v1/inspect",
    "/plan": "/api/v1/plan",
    "/compare": "/api/v1/compare",
    "/catalogue/record": "/api/v1/record",
    "/accuracy": "/api/v1/accuracy",
    "/article": "/api/v1/article",
    **{f"/catalogue/{kind}": f"/api/v1/{kind}" for kind in catalogue_pages.KINDS},
}
"""Page -> where its answer stands for programs."""
HEAVY = frozenset({"/plan", "/compare", "/fit", "/article"})
"""Pages whose answers may take a second."""
COOKIE_AGE = 365 * 86400


def routes(*, public: bool) -> list[Route]:
    """Return the endpoints.

    public: True to leave out what shows this computer
    """
    drawn = {**PAGES, **KINDS} | ({} if public else HERE)
    return [
        *(Route(path, partial(_page, draw)) for path, draw in drawn.items()),
        *(Route(f"{path}.json", partial(_json, target)) for path, target in JSON.items()),
        Route("/settings", _settings),
    ]


async def _page(draw: Draw, request: Request) -> Response:
    work: Work = request.app.state.work
    heavy = request.url.path in HEAVY
    try:
        return await work.run(partial(_drawn, draw, request), heavy=heavy, client=client_of(request))
    except GyakusanError as error:
        again, told = AGAIN.get(request.url.path), refused(error)
        if again is not None and not isinstance(error, Busy):
            with suppress(GyakusanError):
                return await work.run(
                    partial(_drawn, partial(again, told), request), heavy=False, client=client_of(request)
                )
        return page(request, "error.html", told.title, status=told.status, lines=told.lines, names=told.names)


def _drawn(draw: Draw, request: Request) -> Response:
    if request.url.path in HERE and not is_mine(request.scope["client"], root=True):
        raise NotYours(
            "This computer is shown only to the account that runs gyakusan web.",
            mend="Start gyakusan web under your own account: gyakusan web --port 0.",
        )
    with seen(request):
        return draw(request)


async def _json(target: str, request: Request) -> Response:
    query = request.url.query
    return RedirectResponse(target + (f"?{query}" if query else ""), 307)


async def _settings(request: Request) -> Response:
    """Keep language or theme in a cookie, and go back to the page."""
    back = request.query_params.get("to", "/")
    safe = back if back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() else "/"
    answer = RedirectResponse(safe, 303)
    language, theme = request.query_params.get("set-lang"), request.query_params.get("set-theme")
    if language in ("en", "ja"):
        answer.set_cookie(LANGUAGE_COOKIE, language, COOKIE_AGE, samesite="lax", httponly=True)
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, str(theme), COOKIE_AGE, samesite="lax", httponly=True)
    return answer
