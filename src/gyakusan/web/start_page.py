"""The first page: three doors, by what a person has."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gyakusan.message import say
from gyakusan.web.choices import device_names, model_names
from gyakusan.web.reader import language_of
from gyakusan.web.reader_currency import readers_currency
from gyakusan.web.rendering import page

BUDGETS = {"JPY": 1_000_000}
"""Currency -> the budget that the form begins with; 3,000 in others."""


def exported(request: Request) -> Response:
    """Return the first of pages that are files."""
    return page(request, "exported.html", say("Calculate backwards"))


def draw(request: Request) -> Response:
    """Return the page."""
    currency = readers_currency(request)
    return page(
        request, "start.html", say("Calculate backwards"), models=model_names(), devices=device_names(),
        budget="100万円" if language_of(request) == "ja" else f"{BUDGETS.get(currency, 3000)}{currency}",
    )  # fmt: skip
