"""A question, with every default that was taken for it."""

from __future__ import annotations

from gyakusan.message import Message, people, say
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.show.tree import Text, Title, Tree

TASK_TEXTS = {
    "chat": "chat",
    "coding": "coding",
    "rag": "questions about documents",
    "agents": "agents",
    "translation": "translation",
    "embedding": "embedding",
}


SCORE_TEXTS = {"overall": "overall", "japanese": "Japanese", "coding": "coding", "reasoning": "reasoning"}


def request_lines(answer: Recommendation) -> Tree:
    """Return where, for whom, and what was assumed."""
    return _lines(_where(answer), answer.request)


def machine_lines(request: PlanRequest, machine: str) -> Tree:
    """Return the same for a machine that is named."""
    facts = {"users": people(request.users), "context": f"{request.workload.context:,}"}
    return _lines(say("{machine}: {users} x {context} tokens", machine=machine, **facts), request)


def _lines(title: Message, request: PlanRequest) -> Tree:
    lines = (load(request),) if request.arrivals is None else (load(request), arrivals(request))
    return Title(title), *(Text(m, "note") for m in lines)


def arrivals(request: PlanRequest) -> Message:
    """How often requests come, and how many conversations that is at once."""
    rate = (request.arrivals or 0.0) * 3600
    return say(
        ("{rate} requests an hour, arriving at random: {users} at once suffice 99 % of the time at the required speed"),
        rate=f"{rate:,.4g}" if rate < 1000 else f"{rate:,.0f}",
        users=f"{request.users:,}",
    )


def _where(answer: Recommendation) -> Message:
    request = answer.request
    facts = {"users": people(request.users), "context": f"{request.workload.context:,}"}
    if request.owned:
        return say("{machine}: {users} x {context} tokens", machine=answer.grid.offers[0].machine.name, **facts)
    if request.budget is not None:
        return say("{budget}: {users} x {context} tokens", budget=str(request.budget), **facts)
    return say("{model}: {users} x {context} tokens", model=request.model, **facts)


def load(request: PlanRequest) -> Message:
    """What people do, and what was assumed of it."""
    workload = request.workload
    return say(
        (
            "{task}: {prompt}-token prompts, {answer}-token answers; quality: {score}; target {pace} "
            "tokens/s after thinking; KV cache {kv}"
        ),
        task=Message(TASK_TEXTS[request.task]),
        prompt=f"{workload.prompt_tokens:,}",
        answer=f"{workload.output_tokens:,}",
        score=Message(SCORE_TEXTS[workload.quality_metric]),
        pace=f"{workload.target_tps:g}",
        kv=", ".join(request.cache_types).lower(),
    )
