"""Python's `compare`: devices and models side by side, or whole plans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.errors import BadSetting
from gyakusan.planning.predict.assessment import assess
from gyakusan.planning.request.money import parse_currency
from gyakusan.python.answer import Answer, quality_words, speed_words
from gyakusan.python.options import Amount, Question, deployed, request_values
from gyakusan.show.compare import Compared

if TYPE_CHECKING:
    from gyakusan.documents.compare import CompareJson, ComparePlanJson
    from gyakusan.engines.deployment import Deployment
    from gyakusan.planning.select.side_by_side import ComparedPlan
    from gyakusan.show.amounts import Amounts
    from gyakusan.show.report import Report

_LOAD = frozenset({"quant", "context", "users"})
"""Options that are none of a server."""


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Answer):
    """What `gyakusan compare` answers.

    rows: one for each model on each device, the devices of the first model first
    currency: in which prices are said, ISO 4217
    """

    rows: tuple[Compared, ...]
    currency: str = "JPY"

    def document(self) -> tuple[CompareJson, ...]:
        """Return the document of `gyakusan compare --json`."""
        from gyakusan.documents.compare import compare as document

        return document(self.rows)

    def report(self) -> Report:
        """Return the screen of `gyakusan compare`, with the speeds as charts."""
        from gyakusan.show.compare import screen
        from gyakusan.show.report import compare_report

        return compare_report(self.rows, screen(self.rows, self.amounts))

    @property
    def amounts(self) -> Amounts:
        """How prices are said."""
        return _amounts(self.currency)

    def summary(self) -> Iterator[str]:
        """Yield one line for each model on a device."""
        for row in self.rows:
            verdict = speed_words(row.judged.speed) if row.ledger.fits else "does not fit"
            yield f"{row.model} on {row.device}: {verdict}, {quality_words(row.judged.overall)}"


@dataclass(frozen=True, slots=True, repr=False)
class PlanComparison(Answer):
    """What `gyakusan compare --plan` answers.

    sides: the first plan of each request, then models on devices
    currency: in which prices are said, ISO 4217
    """

    sides: tuple[ComparedPlan, ...]
    currency: str = "JPY"

    def document(self) -> tuple[ComparePlanJson, ...]:
        """Return the document of `gyakusan compare --plan --json`."""
        from gyakusan.documents.compare import compare_plans

        return compare_plans(self.sides)

    def report(self) -> Report:
        """Return the screen of `gyakusan compare --plan`, with the speeds as charts."""
        from gyakusan.show.report import sides_report
        from gyakusan.show.side_by_side import screen

        return sides_report(self.sides, screen(self.sides, self.amounts))

    @property
    def amounts(self) -> Amounts:
        """How prices are said."""
        return _amounts(self.currency)

    def summary(self) -> Iterator[str]:
        """Yield one line for each side."""
        for side in self.sides:
            verdict = speed_words(side.pace) if side.fits else "does not fit"
            yield f"{side.title}: {side.model} {side.quantization} on {side.machine}: {verdict}, {quality_words(side.score)}"


def compare(
    *devices: str,
    model: str | Iterable[str] = (),
    plan: Question | Iterable[Question] = (),
    quant: str | None = None,
    context: Amount | None = None,
    users: Amount = 1,
    currency: str = "JPY",
    **settings: Any,
) -> Comparison | PlanComparison:
    """Return models on devices side by side; with `plan` the first plan of each request beside them. Raises GyakusanError.

    devices: names of the catalogue, e.g. "RTX 5090", "M4 Max 128GB"
    model: one or several
    plan: requests, as for `plan`
    currency: in which one pays: JPY, USD, EUR or CHF
    settings: of llama.cpp, as for `inspect`
    """
    paid_in = parse_currency(currency)
    names = (model,) if isinstance(model, str) else tuple(model)
    settings |= {"quant": quant, "context": context, "users": users}
    requests: tuple[Question, ...] = (plan,) if isinstance(plan, str | Path | Mapping) else tuple(plan)
    if not requests and not devices:
        raise BadSetting("No device is named.", mend="Name at least one, e.g. 'RTX 5090'.")
    if not names and (devices or not requests):
        raise BadSetting("No model is named.", mend="Name one with --model, e.g. --model llama3.1-8b.")
    if requests:
        return plans_beside(map(_first_plan, requests), devices, names, currency=paid_in, **settings)
    return Comparison(tuple(_compared(a, paid_in) for a in _asked(devices, names, settings)), paid_in)


def plans_beside(
    plans: Iterable[ComparedPlan], devices: Sequence[str] = (), models: Sequence[str] = (), *, currency: str = "JPY",
    **settings: Any,
) -> PlanComparison:  # fmt: skip
    """Return plans that were made already, and models on devices beside them. Raises GyakusanError.

    currency: in which one pays: JPY, USD, EUR or CHF
    settings: as for `compare`
    """
    paid_in = parse_currency(currency)
    return PlanComparison((*plans, *(_beside(a, paid_in) for a in _asked(devices, models, settings))), paid_in)


def _asked(devices: Sequence[str], models: Sequence[str], settings: Mapping[str, Any]) -> list[Deployment]:
    from gyakusan.catalog.devices import largest

    rest = {k: v for k, v in settings.items() if k not in _LOAD}
    load = {k: v for k, v in settings.items() if k in _LOAD}
    return [deployed(n, rest, device=largest(d), **load) for n in models for d in devices]


def _amounts(currency: str) -> Amounts:
    """Return how prices are said in a currency, at today's rates."""
    from gyakusan.planning.request.money import exchange_rates
    from gyakusan.show.amounts import Amounts

    return Amounts(currency, exchange_rates({}))


def _compared(asked: Deployment, currency: str) -> Compared:
    from gyakusan.planning.select.compared_device import device_facts

    ledger = asked.ledger
    facts = device_facts(asked.machine, currency)
    return Compared(asked.model.name, asked.machine.name, ledger, assess(asked, ledger), facts)


def _first_plan(question: Question) -> ComparedPlan:
    from gyakusan.planning.request.parse_request import parse_request
    from gyakusan.planning.select.side_by_side import compared_request

    title = Path(question).stem if isinstance(question, str | Path) else "plan"
    return compared_request(title, parse_request(request_values(question, {}, ())))


def _beside(asked: Deployment, currency: str) -> ComparedPlan:
    from gyakusan.planning.select.side_by_side import compared_device

    ledger = asked.ledger
    judged = assess(asked, ledger)
    title = f"{asked.model.name} @ {asked.machine.name}"
    return compared_device(title, asked.machine, ledger, judged.speed, judged.overall, currency)
