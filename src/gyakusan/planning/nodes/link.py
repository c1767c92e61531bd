"""The network between nodes: how much it carries and how long one message takes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.message import quoted
from gyakusan.planning.fleet.request import network

_TIME = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(us|µs|μs|ms)\s*")
_SECONDS = {"us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3}
LATENCY = 50e-6
"""Of one message where nobody says. Assumed: Ethernet with TCP takes 30 to 50 us (planning.fleet.replica_queue). [s]"""
LONGEST_LATENCY = 1.0
"""Longer ones are refused: such a link joins no computers. [s]"""


class Link(Struct, frozen=True):
    """A network between nodes.

    bandwidth: that it carries in one direction [B/s]
    latency: of one message [s]
    assumed: True if nobody named it
    """

    bandwidth: float = 125e6
    latency: float = LATENCY
    assumed: bool = False

    def time(self, size: float) -> float:
        """Return the time of a message of `size` bytes [s]."""
        return self.latency + size / self.bandwidth


USUAL = Link(assumed=True)
"""Where nobody names one: Ethernet with 1 Gbit/s, as most houses and offices have it. Assumed."""


def parse_link(value: object) -> Link:
    """Return the link that "10GbE", "100Gb/s,50us" or {"bandwidth": "10GbE", "latency": "50us"} means.

    Raises BadQuantity for a quantity, BadSetting for another shape.
    """
    if (
        isinstance(value, Mapping)
        and set(value) <= {"bandwidth", "latency"}
        and isinstance(value.get("bandwidth"), str)
    ):
        rate, _, time = f"{value['bandwidth']},{value.get('latency', '')}".partition(",")
    elif isinstance(value, str):
        rate, _, time = value.partition(",")
    else:
        raise BadSetting(
            "A link cannot be {value}.", value=quoted(value, 60),
            mend="Write e.g. 10GbE, or 100Gb/s,50us: what it carries, and the time of one message.",
        )  # fmt: skip
    return Link(network(rate), latency(time) if time.strip() else LATENCY)


def latency(text: str) -> float:
    """Return the time that "50us" or "0.2ms" means [s]. Raises BadQuantity."""
    match = _TIME.fullmatch(text) if len(text) <= 64 else None
    time = 0.0 if match is None else float(match[1]) * _SECONDS[match[2]]
    if not 0 < time <= LONGEST_LATENCY:
        raise BadQuantity(
            "The time of a message was expected, not {text}.", text=quoted(text, 40), mend="Write e.g. 50us or 0.2ms."
        )
    return time
