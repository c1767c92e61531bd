"""Answers to queries, by the same functions as Python and the commands. Who calls them says what they see: see doors.scope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gyakusan.errors import BadSetting
from gyakusan.web.plan_questions import Picked, currency_of, picked
from gyakusan.web.queries import CatalogQuery, CompareQuery, InspectQuery, NameQuery, PlanQuery

if TYPE_CHECKING:
    from gyakusan.planning.predict.memory_map import MemoryMap
    from gyakusan.planning.select.side_by_side import ComparedPlan
    from gyakusan.python.comparing import Comparison, PlanComparison
    from gyakusan.python.inspection import Inspection
    from gyakusan.python.planning import Plans

MOST_COMPARED = 36
"""Models times devices of one comparison."""


def inspect(query: InspectQuery) -> Inspection:
    """Return what a model takes and how fast it is. Raises GyakusanError."""
    from gyakusan.python.inspection import inspect as ask

    return ask(
        query.model, prompt=query.prompt, offline=True, **_question(query), **_settings(query)
    )  # fmt: skip


def memory_map(query: InspectQuery) -> MemoryMap:
    """Return where a model fits. Raises GyakusanError."""
    from gyakusan.api import MOST_CONTEXT
    from gyakusan.planning.predict.assessment import Lengths, check_lengths
    from gyakusan.planning.predict.memory_map import memory_map as made
    from gyakusan.python.options import deployed
    from gyakusan.units import parse_count

    asked = deployed(query.model, _settings(query), offline=True, **_question(query))
    if query.prompt is not None:
        check_lengths(Lengths(parse_count(query.prompt, at_most=MOST_CONTEXT)), asked.load)
    return made(asked)


def _question(query: InspectQuery) -> dict[str, Any]:
    names = ("quant", "engine", "device", "memory", "ram", "reserve", "bandwidth", "context", "users")
    return {name: getattr(query, name) for name in names}


def _settings(query: InspectQuery) -> dict[str, Any]:
    chosen: dict[str, Any] = {"images": True} if query.images else {}
    return chosen | ({"kv_type": query.kv_type} if query.kv_type else {})


def plan(query: PlanQuery) -> Plans:
    """Return the best endpoints. Raises GyakusanError."""
    from gyakusan.python.planning import plan as ask

    given = {name: getattr(query, name) for name in query.__struct_fields__}
    found: Plans = ask(**{name: value for name, value in given.items() if value is not None})
    return found


def compare(query: CompareQuery) -> Comparison | PlanComparison:
    """Return models on devices side by side, beside plans if some are named. Raises GyakusanError."""
    from gyakusan.python.comparing import compare as ask
    from gyakusan.python.comparing import plans_beside

    if len(query.device) * len(query.model) > MOST_COMPARED:
        raise BadSetting(
            "{n} pairs of a model and a device were asked for.",
            n=len(query.device) * len(query.model),
            mend="Ask for at most 36.",
        )
    load: dict[str, Any] = {"quant": query.quant, "context": query.context, "users": query.users}
    chosen = picked(query.plan)
    currency = query.currency or currency_of(chosen)
    load |= {"currency": currency} if currency else {}
    if chosen and bool(query.device) == bool(query.model):
        return plans_beside(_sides(chosen), query.device, query.model, **load)
    return ask(*query.device, model=query.model, **load)


def _sides(chosen: Sequence[Picked]) -> Iterator[ComparedPlan]:
    """Yield the column of each plan; a question is worked out once, and equal titles are numbered."""
    from gyakusan.planning.select.side_by_side import THIS_COMPUTER, ComparedPlan, compared_plan
    from gyakusan.show.wording import brief

    found = {query: plan(query) for query in dict.fromkeys(p.query for p in chosen)}
    titles: list[str] = []
    for one in chosen:
        answer = found[one.query]
        made = answer.plans[one.number - 1] if one.number <= len(answer.plans) else None
        titles.append(
            (one.title or THIS_COMPUTER)
            if made is None
            else f"{made.name} @ {brief(made.offer.machine.name, series=False)}"
        )
        nth = titles.count(titles[-1])
        title, column = titles[-1] if nth == 1 else f"{titles[-1]} ({nth})", answer.request.workload.quality_metric
        yield ComparedPlan(title, column=column) if made is None else compared_plan(title, made, column)


def records(kind: Any, query: CatalogQuery) -> Any:
    """Return the records of a kind. Raises GyakusanError."""
    from gyakusan.python.records import catalog_list

    return catalog_list(
        kind, search=query.search, memory=query.memory, language=query.language, all=query.every
    )  # fmt: skip


def record(query: NameQuery) -> Any:
    """Return one record with its sources. Raises UnknownName."""
    from gyakusan.python.records import catalog_show

    return catalog_show(query.name)


def accuracy() -> tuple[object, object]:
    """Return the errors of memory and of speed on recorded measurements."""
    from gyakusan.python.accuracy import accuracy_memory, accuracy_speed

    return accuracy_memory().document(), accuracy_speed().document()
