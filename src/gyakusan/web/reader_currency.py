"""The currency of who reads a page and names none: of their country, else of the page's language. One rule for every page."""

from __future__ import annotations

from typing import TypeVar

from msgspec import structs
from starlette.requests import Request

from gyakusan.planning.request.money import currency_of_locale, currency_of_reader
from gyakusan.web.plan_questions import Picked, currency_of, picked
from gyakusan.web.queries import CompareQuery, PlanQuery
from gyakusan.web.reader import language_of, liked_tags

Q = TypeVar("Q", PlanQuery, CompareQuery)


def readers_currency(request: Request) -> str:
    """Return the currency of the reader: yen in Japanese, else that of the country the browser names, else dollars.

    A Japanese page is read in Japan, whatever country the browser's other languages name.
    """
    language = language_of(request)
    countries = () if language == "ja" else liked_tags(request.headers.get("accept-language", ""))
    named = (currency_of_locale({"LANG": tag.replace("-", "_")}) for tag in countries)
    return next(filter(None, named), None) or currency_of_reader({}, language)


def usual_currency(query: PlanQuery | CompareQuery, request: Request) -> str:
    """Return the currency of an answer whose question names none: that of its budget or its plans, else the reader's.

    Raises BadQuantity, BadSetting, UnknownName.
    """
    plans = picked(query.plan) if isinstance(query, CompareQuery) else (Picked(structs.replace(query, currency=None)),)
    return currency_of(plans) or readers_currency(request)


def with_currency(query: Q, request: Request) -> Q:
    """Return a question that names its currency, if it has no budget that does. Raises BadQuantity, BadSetting, UnknownName."""
    named = query.currency is not None or (isinstance(query, PlanQuery) and query.budget is not None)
    return query if named else structs.replace(query, currency=usual_currency(query, request))
