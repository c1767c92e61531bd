"""Arrival rates: read what a person wrote ("2000/h"), and the conversations that a rate keeps open at once."""

from __future__ import annotations

import re

from gyakusan.core import queue
from gyakusan.errors import BadQuantity
from gyakusan.message import quoted
from gyakusan.numerals import in_digits
from gyakusan.patterns import late
from gyakusan.planning.request.request import Workload

SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
SECONDS |= {"秒": 1, "分": 60, "時": 3600, "時間": 3600, "日": 86400}
"""Unit of time, as it is written -> its length. [s]"""
MIN_RATE, MAX_RATE = 1e-7, 10_000.0
"""Range of the rates that can be planned for. [1/s]"""
_RATE = late(
    r"\s*(\d{1,15}(?:[_,]\d{3})*(?:\.\d{1,9})?)\s*(k)?\s*件?\s*(?:/|\bper\b)?\s*([A-Za-z]*|[秒分日]|時間?)\s*",
    re.IGNORECASE,
)


def parse_request_rate(text: str) -> float:
    """Read "2000/h" as 0.5556 requests a second [1/s].

    A unit of time is required: s, min, h or day. Raises BadQuantity.
    """
    match = _RATE.fullmatch(in_digits(text)) if len(text) <= 64 else None
    if match is None:
        raise BadQuantity(
            "A request rate was expected, not {text}.",
            text=quoted(text, 40),
            mend="Write e.g. 0.5/s, 30/min or 2000/h.",
        )
    number, thousands, unit = match.groups()
    if not unit:
        raise BadQuantity("{text} has no unit.", text=quoted(text, 40), mend="Write e.g. 0.5/s, 30/min or 2000/h.")
    if unit.casefold() not in SECONDS:
        raise BadQuantity("{unit} is not a known unit of time.", unit=quoted(unit, 20), mend="Use s, min, h or day.")
    rate = float(number.replace(",", "").replace("_", "")) * (1000 if thousands else 1) / SECONDS[unit.casefold()]
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadQuantity(
            "{text} is outside the range of request rates.",
            text=quoted(text, 40),
            most=f"{MAX_RATE:,.0f}",
            mend="Give a rate between one request in some months and {most}/s.",
        )
    return rate


def slots_for_rate(rate: float, workload: Workload) -> int:
    """Return the conversations open at once, exceeded 1 % of the time, if everyone is served at the task's target speed.

    rate: of requests of everyone together [1/s]
    """
    return max(1, queue.poisson_quantile(rate * (workload.target_ttft + workload.output_tokens / workload.target_tps)))
