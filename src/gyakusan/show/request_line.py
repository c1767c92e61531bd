"""A question as it was understood, with every limit that acts: the line that begins "For:"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

from msgspec import structs

from gyakusan.message import Listed, Message, duration, people, say, typed_duration
from gyakusan.planning.request.pace import longest_wait, slowest_answer
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.show.tree import Question, Words
from gyakusan.show.wording import brief, typed

TASK_TEXTS = {
    "chat": "chat",
    "coding": "coding",
    "rag": "questions about documents",
    "agents": "agents",
    "translation": "translation",
    "embedding": "embedding",
}
DOING_TEXTS = {
    "chat": "{people} chatting",
    "coding": "{people} coding",
    "rag": "{people} asking about documents",
    "agents": "{people} running agents",
    "translation": "{people} translating",
    "embedding": "{people} searching",
}
JAPANESE_TEXTS = {
    "chat": "{people} chatting in Japanese",
    "coding": "{people} coding in Japanese",
    "rag": "{people} asking about documents in Japanese",
    "agents": "{people} running agents in Japanese",
    "translation": "{people} translating from or into Japanese",
    "embedding": "{people} searching in Japanese",
}
CHOICE_TEXTS = {
    "families": "only {names}",
    "exclude_families": "without {names}",
    "licenses": "licences {names}",
    "engines": "servers {names}",
    "brand": "made by {names}",
    "os": "on {names}",
}
_AMOUNT = re.compile(r"(?<=\d)(?=[A-Za-z])")
"""Between a number and its unit."""
SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
"""Operating systems as they are written."""
SCORE_TEXTS = {
    "overall": "overall",
    "japanese": "Japanese",
    "coding": "coding",
    "reasoning": "reasoning",
    "agentic": "agentic",
}
QUALITY_TEXTS = {
    "overall": "quality: overall score",
    "japanese": "quality: Japanese score",
    "coding": "quality: coding score",
    "reasoning": "quality: reasoning score",
    "agentic": "quality: agents' score",
}
"""Which score is called quality: a model has several, and `inspect` shows more than one."""


def question(answer: Recommendation) -> Question:
    """Return the question of an answer: people and lengths, then each limit that acts."""
    request = answer.request
    second_hand = any(item.used for plan in answer.plans for item in plan.offer.items)
    limits = Listed((*_limits(request, second_hand=second_hand), *_intervals(request), *_basis(answer)))
    return Question((_load_line(request, limits),))


def load_question(request: PlanRequest) -> Message:
    """Return people, lengths and limits of a request about machines that are owned."""
    owned = structs.replace(request, device=request.device or "nodes")
    return _load_line(owned, Listed((*_limits(owned, second_hand=False), *_intervals(owned))))


def _load_line(request: PlanRequest, limits: Listed) -> Message:
    """Return who does what, how long a conversation is, how long its parts are, and the limits."""
    workload = request.workload
    texts = JAPANESE_TEXTS if request.language == "ja" else DOING_TEXTS
    return say(
        "{who}, {context}; prompts of {prompt}, answers of {answer}; {limits}",
        who=Message(texts[request.task], {"people": people(request.users)}),
        context=_context(request),
        prompt=f"{workload.prompt_tokens:,}",
        answer=f"{workload.output_tokens:,}",
        limits=limits,
    )


def _context(request: PlanRequest) -> Message:
    n = f"{request.workload.context:,}"
    if request.context is None:
        return say("{n} tokens (default)", n=n) if request.users == 1 else say("{n} tokens each (default)", n=n)
    return say("{n} tokens", n=n) if request.users == 1 else say("{n} tokens each", n=n)


def _limits(request: PlanRequest, *, second_hand: bool) -> Iterator[Message]:
    """Yield every limit that acts, those that nobody set as defaults."""
    if request.arrivals is not None:
        yield say("{rate} requests an hour at random times", rate=f"{request.arrivals * 3600:,.0f}")
    if request.budget is not None:
        yield say("budget {amount}", amount=request.budget.text)
    if request.speed:
        yield say("surely at least {n} tokens/s", n=typed(request.speed))
    if request.max_ttft is not None:
        yield say("first token within {n}", n=typed_duration(request.max_ttft))
    yield from usual_pace(request)
    yield Message(QUALITY_TEXTS[request.workload.quality_metric])
    if request.quality is not None:
        yield say("quality at least {n}", n=typed(request.quality))
    yield from _choices(request, second_hand=second_hand)


def usual_pace(request: PlanRequest) -> Iterator[Message]:
    """Yield the pace that is wanted and that is of use, where the person set none: of plans and of fleets."""
    workload, slowest, longest = request.workload, slowest_answer(request), longest_wait(request)
    facts = {"n": typed(workload.target_tps), "least": typed(slowest)}
    if slowest and isfinite(longest):
        yield say(
            "{n} tokens/s of answer wanted, at least {least}, first token within {wait} where possible (default)",
            wait=duration(longest),
            **facts,
        )
        return
    if slowest:
        yield say("{n} tokens/s of answer wanted, at least {least} where possible (default)", **facts)
    else:
        yield say("{n} tokens/s of answer wanted (default)", **facts)
    if isfinite(longest):
        yield say("first token within {wait} where possible (default)", wait=duration(longest))


def _prices(request: PlanRequest, *, second_hand: bool) -> Message:
    """Return which prices count. second_hand: a row is second-hand."""
    if request.used:
        return say("new and used prices")
    if second_hand:
        return say("used only where nothing new has as much memory (default)")
    return say("new prices (default)")


def spaced(amount: str) -> str:
    """Return an amount as text has it: "64 GiB" for "64GiB"."""
    return _AMOUNT.sub(" ", amount)


def _choices(request: PlanRequest, *, second_hand: bool) -> Iterator[Message]:
    """Yield what narrows the choice of machines, models and servers."""
    if not request.owned:
        yield _prices(request, second_hand=second_hand)
    if request.images:
        yield say("with images")
    if request.ram is not None:
        yield say("{ram} of RAM", ram=spaced(request.ram))
    yield from _machine_limits(request)
    if request.kv_types:
        yield say("KV cache {types}", types=", ".join(request.kv_types).lower())
    for name, values in (
        ("families", request.families),
        ("exclude_families", request.exclude_families),
        ("licenses", request.licenses),
        ("engines", request.engines),
        ("brand", (request.brand,) if request.brand else ()),
        ("os", (SYSTEMS[request.os],) if request.os in SYSTEMS else ()),
    ):
        if values:
            yield Message(CHOICE_TEXTS[name], {"names": ", ".join(values)})


def _machine_limits(request: PlanRequest) -> Iterator[Message]:
    """Yield what limits the machine: power, the socket, cards."""
    if request.power is not None:
        yield say("at most {n} W", n=typed(request.power))
    if request.outlet is not None:
        yield say("at most {n} W from the socket", n=typed(request.outlet))
    if request.count == 1 and not request.owned:
        yield say("1 card")
    elif request.count < MAX_DEVICES and not request.owned:
        yield say("at most {n} cards", n=request.count)


def _intervals(request: PlanRequest) -> tuple[Message, ...]:
    if request.owned:  # their notes name the unit of the answer
        return (say("tokens/s is for each (80 %)"),) if request.users > 1 else (say("tokens/s (80 %)"),)
    if request.users > 1:
        return (say("tokens/s each (80 %), answer: thinking deducted"),)
    return (say("tokens/s (80 %), answer: thinking deducted"),)


def _basis(answer: Recommendation) -> Iterator[Message]:
    """Yield that speeds are corrected by measurements of this computer, where they are."""
    if here := next((p.pace for p in answer.plans if p.pace is not None and p.pace.measurements_here), None):
        told = {"n": f"{here.measurements_here:,}", "day": here.measured_on}
        yield say("speeds corrected by measurements of this computer ({n}, the newest of {day})", **told)


def asked(request: PlanRequest, machine: str) -> tuple[Words, ...]:
    """Return the question in short, as a saved answer is called: budget or machine, people, context."""
    where: Words = brief(machine) if request.owned else request.model or ""
    if request.budget is not None:
        where = say("budget {amount}", amount=request.budget.text)
    return where, people(request.users), say("{n} tokens", n=f"{request.workload.context:,}")
