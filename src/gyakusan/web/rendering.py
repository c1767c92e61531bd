"""Templates, and what every page has: the reader's words, navigation, the address with another value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gyakusan.documents.common import catalogue_date
from gyakusan.doors.files import packaged
from gyakusan.message import Message, say
from gyakusan.show import html
from gyakusan.show.charts.style import page_palette
from gyakusan.show.formula import formula
from gyakusan.show.quantities import kept_whole
from gyakusan.show.report import Report, body, charts_sheet
from gyakusan.show.tree import Part
from gyakusan.web.reader import Reader, reader_of

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
MADE: Mapping[str, Callable[[], str]] = {
    "charts.css": charts_sheet,
    "page.css": lambda: page_palette() + packaged(STATIC / "page.css").decode(),
}
"""Sheets that are made, not files: of the charts, and of the page with its colours."""
PAGES = (
    ("/fit", say("Fit")),
    ("/plan", say("Plan")),
    ("/compare", say("Compare")),
    ("/computer", say("This computer")),
    ("/catalogue", say("Catalogue")),
    ("/accuracy", say("Accuracy")),
    ("/article", say("The article")),
)
"""What stands in the navigation."""
EXPORTED = ("/catalogue", "/accuracy", "/article")
"""Pages that are written as files, with those of the catalogue below the first."""
HERE_ONLY = frozenset({"/computer"})
"""Pages that a public copy does not have."""


@cache
def environment() -> Environment:
    """Return the templates; every value is escaped, and a name that is not there is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals["asset"] = asset
    return made


@cache
def asset(name: str) -> str:
    """Return the address of a file of the page; it changes with the file, so that browsers may keep it."""
    text = MADE[name]().encode() if name in MADE else packaged(STATIC / name)
    return f"/static/{name}?{hashlib.sha256(text).hexdigest()[:12]}"


def page(
    request: Request, template: str, title: Message, *, heading: Message | None = None, status: int = 200, **values: Any
) -> Response:  # fmt: skip
    """Return a page in the reader's language. heading: its first line, if not the title; values: those of its template."""
    reader = reader_of(request)
    public = bool(request.app.state.public)
    exported = bool(request.app.state.exported)
    pages = [
        (path, reader.tell(name))
        for path, name in PAGES
        if (path in EXPORTED or not exported) and not (public and path in HERE_ONLY)
    ]
    text = environment().get_template(template).render(
        **_said(request), title=reader.tell(title), pages=pages, path=request.url.path, public=public,
        heading=reader.tell(heading or title), exported=exported, date=catalogue_date(), **values,
    )  # fmt: skip
    return HTMLResponse(kept_whole(text), status, headers=page_headers(public=public and status == 200))


def part(request: Request, template: str, **values: Any) -> Response:
    """Return a part of a page, for a script that puts it in the place of the old one. values: those of its template."""
    text = environment().get_template(template).render(**_said(request), **values)
    return HTMLResponse(kept_whole(text), headers=page_headers(public=False))


def _said(request: Request) -> dict[str, Any]:
    """Return what templates say things with."""
    reader = reader_of(request)
    return {
        "reader": reader, "t": _words(reader), "tree": _trees(reader), "report": _reports(reader), "formula": formula,
        "with_": _address(request), "token": request.app.state.control.token if request.app.state.acts else "",
    }  # fmt: skip


def page_headers(*, public: bool) -> Mapping[str, str]:
    """Return how long a page may be kept: a public copy is the same for everyone of a language and a theme."""
    kept = "public, max-age=300" if public else "no-store"
    return {"cache-control": kept, "vary": "Accept-Language, Cookie"}


def _words(reader: Reader) -> Any:
    def t(template: str | Message, **facts: Any) -> str:
        return reader.tell(template if isinstance(template, Message) else Message(template, facts))

    return t


def _trees(reader: Reader) -> Any:
    def tree(parts: Iterable[Part]) -> Markup:
        return Markup(html.body(parts, (), reader.tell))  # it escapes all that it is given

    return tree


def _reports(reader: Reader) -> Any:
    def report(of: Report) -> Markup:
        return Markup(body(of, reader.tell))  # it escapes all that it is given

    return report


def _address(request: Request) -> Any:
    """Return a function that gives the address of this page with other values; None leaves one out."""

    def with_(path: str = "", /, **values: Any) -> str:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k not in values and k != "lang"]
        new = [(k, v) for k, v in values.items() if v is not None]
        query = urlencode([*kept, *new])
        return (path or request.url.path) + (f"?{query}" if query else "")

    return with_


def address(path: str, **values: Any) -> str:
    """Return an address with the values that are not None; a sequence gives a name several times."""
    pairs = [(k, v) for k, v in values.items() if v not in (None, "", (), False)]
    query = urlencode([(k, "1" if v is True else v) for k, v in pairs], doseq=True)
    return path + (f"?{query}" if query else "")
