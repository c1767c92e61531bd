"""Speed and quality, as facts below a ledger."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.message import Message, duration, say
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.show import wording
from gyakusan.show.tree import Fact
from gyakusan.show.wording import rate

BIND_TEXTS = {
    "weights": "memory bandwidth",
    "compute": "arithmetic",
    "cache": "memory bandwidth",
    "state": "memory bandwidth",
    "overhead": "the server's own steps",
    "links": "the links between devices",
    "host": "the bandwidth of the RAM",
}
QUALITY_TEXTS = {
    "measured": "measured",
    "few": "few scores",
    "vendor": "maker's scores",
    "assumed": "assumed",
}
SPEED_BASIS_TEXTS = {
    "derived": "80 %: {low}-{high}",
    "measured": "80 %: {low}-{high}",
    "assumed": "80 %: {low}-{high}, assumed",
    "measured_here": "80 %: {low}-{high}, measured here",
}


def facts(value: Assessment, users: int, *, answers: bool = True) -> Iterator[Fact]:
    """Yield how fast and how good, as far as it is known.

    users: who are answered at the same time; answers: False for a model that only makes vectors
    """
    if value.speed is not None:
        yield Fact(
            say("Speed"), (decode(value.speed, users), prefill(value.speed)) if answers else (read(value.speed),)
        )
    if not answers:
        return
    found = quality(value)
    if found is not None:
        yield Fact(say("Quality"), (found,))


def decode(pace: SpeedEstimate, users: int) -> Message:
    """Return the output speed with its interval, and what limits it."""
    each = pace.decode_each
    told = {
        "speed": rate(each.value),
        "interval": Message(SPEED_BASIS_TEXTS[each.basis], {"low": rate(each.low), "high": rate(each.high)}),
        "binds": Message(BIND_TEXTS[pace.bottleneck]),
    }
    if users > 1:
        return say("{speed} tokens/s each ({interval}), limited by {binds}", **told)
    return say("{speed} tokens/s ({interval}), limited by {binds}", **told)


def read(pace: SpeedEstimate) -> Message:
    """Return the speed at which texts are read."""
    figure = pace.prefill
    return say(
        "reads {speed} tokens/s (80 %: {low}-{high})",
        speed=rate(figure.value),
        low=rate(figure.low),
        high=rate(figure.high),
    )


def prefill(pace: SpeedEstimate) -> Message:
    """Return the speed of prompts and the first token."""
    return say(
        "prompts {speed} tokens/s ({low}-{high}), first token after {first}",
        speed=rate(pace.prefill.value),
        low=rate(pace.prefill.low),
        high=rate(pace.prefill.high),
        first=duration(pace.ttft.value),
    )


def quality(value: Assessment) -> Message | None:
    """Return the score, its error, and what it rests on."""
    if value.quality is None or value.overall is None:
        return None
    return say(
        "{score}, coding {coding}, Japanese {japanese} ({basis})",
        score=wording.quality(value.overall),
        coding=wording.quality(value.quality.coding),
        japanese=wording.quality(value.quality.japanese),
        basis=Message(QUALITY_TEXTS[value.quality.basis]),
    )


def between(figure: Estimate) -> str:
    """Return a speed with its interval: "145 (122-172)"."""
    return f"{rate(figure.value)} ({rate(figure.low)}-{rate(figure.high)})"
