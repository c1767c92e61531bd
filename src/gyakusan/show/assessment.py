"""Speed and quality, in lines below a ledger."""

from __future__ import annotations

from gyakusan.core.quality import Score
from gyakusan.message import Message, say
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.speed import Estimate
from gyakusan.show.tree import Text, Tree

BIND_TEXTS = {
    "weights": "reading the weights",
    "compute": "computing",
    "cache": "reading the KV cache",
    "state": "reading recurrent states",
    "overhead": "the server's own steps in each layer",
    "links": "the links between devices",
    "host": "reading weights in RAM",
}


def screen(value: Assessment) -> Tree:
    """Return two lines: how fast, how good."""
    return tuple(Text(m) for m in (speed(value), quality(value)) if m is not None)


def speed(value: Assessment) -> Message | None:
    """Decode, prefill and first token with 80 % intervals."""
    pace, turn = value.speed, value.turn
    if pace is None:
        return value.unknown
    facts = {
        "decode": between(pace.decode_each, 1),
        "prefill": between(pace.prefill, 0),
        "ttft": between(pace.ttft, 2),
        "prompt": f"{turn.prompt:,.0f}",
        "binds": say(BIND_TEXTS[pace.bottleneck]),
        "basis": say(pace.decode_each.basis),
    }
    return say(
        (
            "Speed (80 % interval): {decode} tokens/s for each user, prompts {prefill} tokens/s, first "
            "token after {ttft} s ({prompt}-token prompt); limited by {binds} [{basis}]."
        ),
        **facts,
    )


def quality(value: Assessment) -> Message | None:
    """The score, its error, and what it rests on."""
    if value.quality is None or value.overall is None:
        return None
    return say(
        "Quality {score} (llama3.1-8b is 35, gpt-oss-120b 70), Japanese {japanese}, coding {coding} [{basis}].",
        score=spaced(value.overall),
        japanese=spaced(value.quality.japanese),
        coding=spaced(value.quality.coding),
        basis=say(QUALITY_TEXTS[value.quality.basis]),
    )


QUALITY_TEXTS = {
    "measured": "measured",
    "few": "few scores",
    "vendor": "its maker's scores",
    "assumed": "assumed from size and date",
}


def spaced(score: Score) -> str:
    """Return a score with one standard error: "79 ± 4"."""
    return f"{float(score.value):.0f} ± {float(score.error):.0f}"


def between(figure: Estimate, digits: int) -> str:
    """Return a figure with its interval: "145 (122-172)"."""
    value, low, high = (f"{x:,.{digits}f}" for x in (figure.value, figure.low, figure.high))
    return f"{value} ({low}-{high})"
