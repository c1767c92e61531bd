"""The first page: three doors, by what a person has."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gyakusan.message import say
from gyakusan.web.choices import device_names, model_names
from gyakusan.web.rendering import page


def exported(request: Request) -> Response:
    """Return the first of pages that are files."""
    return page(request, "exported.html", say("Calculate backwards"))


def draw(request: Request) -> Response:
    """Return the page."""
    return page(
        request, "start.html", say("Calculate backwards"), models=model_names(), devices=device_names()
    )  # fmt: skip
