"""Compare: models on devices side by side, or plans of the page Plan."""

from __future__ import annotations

from itertools import starmap
from typing import Any

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gyakusan.message import Message, say
from gyakusan.planning.request.money import CURRENCIES
from gyakusan.planning.select.side_by_side import ComparedPlan
from gyakusan.python.comparing import Comparison, PlanComparison
from gyakusan.show import side_by_side
from gyakusan.show.compare import screen
from gyakusan.show.report import Report, compare_report, sides_report
from gyakusan.show.tree import Words
from gyakusan.web import answers
from gyakusan.web.choices import PREFER_TEXTS, TASK_TEXTS, device_names, model_names
from gyakusan.web.field_words import TICKED, fields_of
from gyakusan.web.plan_questions import BESIDE, MOST, Picked, picked
from gyakusan.web.problems import Refused
from gyakusan.web.queries import CompareQuery, read, typed
from gyakusan.web.reader_currency import readers_currency, usual_currency, with_currency
from gyakusan.web.rendering import address, page

MOST_DEVICES = 6
DEVICES, MODELS = ("RTX 5090", "RTX 4090", "DGX Spark"), ("gpt-oss-20b",)
"""What is compared where nothing is named."""


class Chosen(Struct, frozen=True):
    """One plan of the comparison, as the page lists it.

    side: the plan
    asked: what was asked: label of each field, with its value
    plan: address of the plan on its page
    without: address of the comparison without it
    """

    side: ComparedPlan
    asked: tuple[tuple[Words, Words], ...]
    plan: str
    without: str

    @property
    def title(self) -> Words:
        """Title of its column."""
        return side_by_side.titled(self.side)


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    query = read(CompareQuery, request.query_params.multi_items())
    chosen = picked(query.plan)
    query = structs.replace(query, plan=tuple(p.written for p in chosen))
    if not chosen:
        query = structs.replace(query, device=query.device or DEVICES)
    if query.device:
        query = structs.replace(query, model=query.model or MODELS)
    asked = with_currency(query, request)
    found = answers.compare(asked)
    sides = found.sides if isinstance(found, PlanComparison) else ()
    title = say("Plans side by side") if chosen else say("Machines and models side by side")
    return page(
        request, "compare.html", title, answer=_report(found), asked=asked, usual=usual_currency(query, request),
        refused=None, **_form(query),
        chosen=[_chosen(p, s, query) for p, s in zip(chosen, sides, strict=False)],
        more=None if len(chosen) >= MOST else address("/plan", **{BESIDE: query.plan}),
    )  # fmt: skip


def draw_refused(refused: Refused, request: Request) -> Response:
    """Return the page of a question without an answer, with what was typed. Raises GyakusanError."""
    return page(
        request, "compare.html", refused.title, heading=say("Machines and models side by side"), status=refused.status,
        refused=refused, asked=CompareQuery(), usual=readers_currency(request), chosen=(),
        **_form(typed(CompareQuery, request.query_params.multi_items())),
    )  # fmt: skip


def _form(query: CompareQuery) -> dict[str, Any]:
    """Return what the form is drawn with."""
    return {
        "query": query, "models": model_names(), "devices": device_names(), "currencies": CURRENCIES,
        "slots": range(MOST_DEVICES),
    }  # fmt: skip


def _report(found: Comparison | PlanComparison) -> Report:
    if isinstance(found, PlanComparison):
        return sides_report(found.sides, side_by_side.screen(found.sides, found.amounts))
    return compare_report(found.rows, screen(found.rows, found.amounts))


def _chosen(one: Picked, side: ComparedPlan, query: CompareQuery) -> Chosen:
    rest: dict[str, Any] = {name: getattr(query, name) for name in query.__struct_fields__}
    rest["plan"] = tuple(text for text in query.plan if text != one.written)
    return Chosen(side, tuple(starmap(_asked, one.given)), one.address, address("/compare", **rest))


def _asked(name: str, value: str) -> tuple[Words, Words]:
    """Return a part of a question in the words of its field."""
    label = fields_of("/plan").get(name, Message(name))
    words = {**TASK_TEXTS, **PREFER_TEXTS}.get(value)
    return label, "" if name in TICKED else value if words is None else Message(words)
