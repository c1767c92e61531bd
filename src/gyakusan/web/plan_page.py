"""Plan: a short form, the answer of `gyakusan plan`, each plan with its command and a way into Fit."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gyakusan.engines.service_files import command_line
from gyakusan.errors import GyakusanError
from gyakusan.message import say
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ways_out import no_plan
from gyakusan.python.planning import Plans
from gyakusan.show import plan as plans
from gyakusan.show.plan_listing import listing
from gyakusan.show.report import Report, other_report, plan_report
from gyakusan.show.why_not import none, reasons
from gyakusan.web import answers
from gyakusan.web.choices import device_names, engine_names, model_names
from gyakusan.web.queries import PlanQuery, read
from gyakusan.web.rendering import address, page

TASK_TEXTS = {
    "chat": "Chat", "coding": "Coding", "rag": "Questions about documents", "agents": "Agents",
    "translation": "Translation",
}  # fmt: skip
PREFER_TEXTS = {"balanced": "Balanced", "quality": "Quality", "speed": "Speed", "price": "Price"}
BUDGETS = tuple(
    10_000 * n for n in (10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 800, 1000)
)
"""Stops of the slider of the budget [JPY]."""
PUBLIC_DEVICE = "RTX 4090"


class Row(Struct, frozen=True):
    """One plan with what can be done with it.

    number: in the table
    plan: the plan
    fit: address of the same deployment on the page Fit
    command: one line for a shell, "" where none is written
    then: commands of a client, once the server listens
    """

    number: int
    plan: Plan
    fit: str
    command: str
    then: tuple[str, ...]


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    query = read(PlanQuery, request.query_params.multi_items())
    if request.app.state.public and not (query.device or query.memory or query.budget or query.model):
        query = structs.replace(query, device=PUBLIC_DEVICE)
    found = answers.plan(query)
    return page(
        request, "plan.html", say("Which model, on which machine"), query=query, answer=_report(found),
        why=() if found.why is None else reasons(found, found.why),
        rows=list(_rows(found)), everything=listing(found) if found.plans else (), models=model_names(),
        devices=device_names(), engines=engine_names(), tasks=TASK_TEXTS.items(), prefers=PREFER_TEXTS.items(),
        count=f"{found.count:,}", budgets=_budgets(query),
    )  # fmt: skip


def _budgets(query: PlanQuery) -> str:
    """Return the stops of the slider of the budget: of yen, or of a currency whose unit is worth a hundred times more."""
    scale = 1 if query.budget is None or "JPY" in query.budget.upper() or "円" in query.budget else 0.01
    return " ".join(f"{stop * scale:.0f}" for stop in BUDGETS)


def _report(found: Plans) -> Report:
    """Return what the command prints, with its chart."""
    return (
        plan_report(found, plans.screen(found), "#p{n}")
        if found.plans
        else other_report("", none(found, no_plan(found)))
    )


def _rows(found: Plans) -> Iterator[Row]:
    for number, plan in enumerate(found.plans, 1):
        then = tuple(shlex.join(words) for words in plan.command.then)
        yield Row(number, plan, _fit(plan), _command(plan), then)


def _fit(plan: Plan) -> str:
    d = plan.deployment
    values: dict[str, Any] = {
        "model": plan.name, "quant": plan.quantization, "engine": plan.engine, "device": d.machine.name,
        "context": int(d.load.context), "users": int(d.load.users),
        "kv_type": None if d.cache_type == "f16" else d.cache_type,
    }  # fmt: skip
    return address("/fit", **values)


def _command(plan: Plan) -> str:
    d = plan.deployment
    try:
        return command_line(d.rules.with_page(d.rules.short_command(plan.command, d.machine), True))
    except GyakusanError:
        return ""
