"""Plan: a short form, the answer of `gyakusan plan`, each plan with its command and a way into Fit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gyakusan.engines.service_files import Service, service, shell_line
from gyakusan.errors import GyakusanError
from gyakusan.message import Message, say
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.predict.memory_map import own_cache
from gyakusan.planning.request.money import CURRENCIES
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ways_out import no_plan
from gyakusan.python.planning import Plans
from gyakusan.show import plan as plans
from gyakusan.show.plan_details import details
from gyakusan.show.plan_listing import listing
from gyakusan.show.plan_notes import afterwards, beforehand
from gyakusan.show.report import Report, other_report, plan_report
from gyakusan.show.tree import Tree
from gyakusan.show.why_not import none, reasons
from gyakusan.web import answers
from gyakusan.web.choices import CACHES, PREFER_TEXTS, TASK_TEXTS, device_names, engine_names, model_names
from gyakusan.web.plan_questions import BESIDE, MOST, Picked, picked
from gyakusan.web.problems import Refused
from gyakusan.web.queries import BesideQuery, PlanQuery, read, typed
from gyakusan.web.reader_currency import readers_currency, usual_currency, with_currency
from gyakusan.web.rendering import address, page

MORE = ("memory", "ram", "bandwidth", "prompt", "currency", "first", "quality", "gpus", "kv_type")
"""Parts of the question whose fields stand below "More settings"."""
BUDGETS = tuple(
    10_000 * n for n in (10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 800, 1000)
)
"""Stops of the slider of the budget [JPY]; of another currency its script takes a hundredth."""
PUBLIC_DEVICE = "RTX 4090"
TITLE = say("Which model, on which machine")


class Row(Struct, frozen=True):
    """One plan with what can be done with it.

    number: in the table
    plan: the plan
    fit: address of the same deployment on the page Fit
    text: how it stands in the address of a comparison
    ticked: True where it is compared unless a person says no
    before: what is done before the server is started
    command: one line for a shell, "" where none is written
    then: what is done once the server listens
    details: what `gyakusan plan --details` says of it
    """

    number: int
    plan: Plan
    fit: str
    text: str
    ticked: bool
    before: tuple[Message, ...]
    command: str
    then: tuple[Message, ...]
    details: Tree


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    pairs = request.query_params.multi_items()
    query = read(PlanQuery, [(name, value) for name, value in pairs if name != BESIDE])
    before = read(BesideQuery, [(name, value) for name, value in pairs if name == BESIDE]).beside
    beside = tuple(p.written for p in picked(before))
    if request.app.state.public and not (query.device or query.memory or query.budget or query.model):
        query = structs.replace(query, device=PUBLIC_DEVICE)
    asked = with_currency(query, request)
    found = answers.plan(asked)
    return page(
        request, "plan.html", TITLE, answer=_report(found), asked=asked,
        usual=usual_currency(query, request),
        why=() if found.why is None else reasons(found, found.why),
        rows=list(_rows(found, asked, beside)), most=MOST, everything=listing(found) if found.plans else (),
        count=f"{found.count:,}", refused=None, **_form(query, beside),
    )  # fmt: skip


def draw_refused(refused: Refused, request: Request) -> Response:
    """Return the page of a question without an answer, with what was typed. Raises GyakusanError."""
    pairs = request.query_params.multi_items()
    query, beside = typed(PlanQuery, pairs), typed(BesideQuery, pairs).beside[:MOST]
    return page(
        request, "plan.html", refused.title, heading=TITLE, status=refused.status, refused=refused, asked=PlanQuery(),
        usual=readers_currency(request), **_form(query, beside),
    )  # fmt: skip


def _form(query: PlanQuery, beside: tuple[str, ...]) -> dict[str, Any]:
    """Return what the form is drawn with."""
    return {
        "query": query, "beside": beside, "models": model_names(), "devices": device_names(), "engines": engine_names(),
        "tasks": TASK_TEXTS.items(), "prefers": PREFER_TEXTS.items(), "currencies": CURRENCIES, "caches": CACHES,
        "opened": any(getattr(query, name) is not None for name in MORE), "budgets": " ".join(map(str, BUDGETS)),
    }  # fmt: skip


def _report(found: Plans) -> Report:
    """Return what the command prints, with its chart."""
    return (
        plan_report(found, plans.screen(found), "#p{n}", "#details-{n}")
        if found.plans
        else other_report("", none(found, no_plan(found)))
    )


def _rows(found: Plans, query: PlanQuery, beside: tuple[str, ...]) -> Iterator[Row]:
    """Yield each plan. beside: plans that were chosen before, for the same comparison."""
    left, today = MOST - len(beside), datetime.now().astimezone().date()
    for number, plan in enumerate(found.plans, 1):
        server, text = _server(plan), Picked(query, number).written
        yield Row(
            number, plan, _fit(plan, query), text, text not in beside and number <= left, tuple(beforehand(plan)),
            "" if server is None else shell_line(server), () if server is None else tuple(afterwards(server)),
            details(found, plan, number, find_capacity(plan.deployment), server, today),
        )  # fmt: skip


def _fit(plan: Plan, query: PlanQuery) -> str:
    """Return the address of the same deployment on the page Fit: on the machine as it was typed, or the one to buy."""
    d, cache = plan.deployment, own_cache(plan.deployment)
    owned = plan.offer.owned
    values: dict[str, Any] = {
        "model": plan.name, "quant": plan.quantization, "engine": plan.engine,
        "device": query.device if owned else d.machine.name, "memory": query.memory if owned else None,
        "ram": query.ram, "bandwidth": query.bandwidth, "prompt": query.prompt, "context": int(d.load.context),
        "users": int(d.load.users), "images": query.images,
        "kv_type": None if cache == "f16" else cache, "task": query.task, "language": query.language,
        "currency": Picked(query).currency,
    }  # fmt: skip
    return address("/fit", **values)


def _server(plan: Plan) -> Service | None:
    """Return how a plan is started, None where no command is written."""
    try:
        made = service(plan.deployment, plan.command)
        shell_line(made)
    except GyakusanError:
        return None
    return made
