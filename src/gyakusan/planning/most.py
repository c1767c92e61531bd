"""How far a plan reaches: the longest context for its users, and the most users at its context."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.planning.answer import Answer
from gyakusan.planning.limits import Limits, limits
from gyakusan.planning.question import Question
from gyakusan.planning.verify import Plan, price


@dataclass(frozen=True, slots=True)
class Most:
    """plan; limits: by memory, as the engine's ledger has it; trained: what the model was trained for [tokens]."""

    plan: Plan
    limits: Limits
    trained: int


def most(found: Answer) -> tuple[Most, ...]:
    """For every plan of an answer."""
    return tuple(reach(found.question, plan) for plan in found.plans)


def reach(asked: Question, plan: Plan) -> Most:
    """For one plan of a question."""
    trained = plan.ledger.model.trained_context
    kv = next(k for k in asked.kv if _same(plan, k, Load(asked.users, asked.usual.context)))

    def ledger(load: Load) -> Ledger:
        priced = price(plan.name, plan.base, plan.engine, plan.offer.machine, load, kv)
        return plan.ledger if priced is None else priced[0]

    return Most(plan, limits(ledger, Load(asked.users, asked.usual.context), trained), trained)


def _same(plan: Plan, kv: str, load: Load) -> bool:
    """True if the plan was made with this type of cache."""
    priced = price(plan.name, plan.base, plan.engine, plan.offer.machine, load, kv)
    return priced is not None and priced[0].settings == plan.ledger.settings
