"""What is bought, item by item: each line begins with what is paid for it, so that the lines add up to the sum above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.message import Listed, Message, say
from gyakusan.planning.candidates.prices import PriceItem, month_text, months_since
from gyakusan.show.amounts import amount_words
from gyakusan.show.plan_words import FRESH_MONTHS, counted_item

COUNTRY_TEXTS = {
    "JP": "Japan",
    "DE": "Germany",
    "NL": "the Netherlands",
    "EU": "the EU",
    "FR": "France",
    "CH": "Switzerland",
}
KIND_TEXTS = {
    "list": ("list price ({place})", "list price"),
    "shop": ("price at {place}", "price of a shop"),
    "street": ("street price ({place})", "street price"),
    "estimate": ("estimate", "estimate"),
    "given": ("as given", "as given"),
}
"""Kind of a price -> its words with the place where it was seen, and without one."""
ESTIMATE_TEXTS = {
    "derived: a complete PC of that month less the price of its card": "estimate: a PC of that month less its card",
    "rule of thumb, derived from parts lists and shop prices of February to September 2026": (
        "estimate from parts lists and shop prices of February to September 2026"
    ),
    "recalled: price of a common power supply": "estimate without a source",
}
"""Source of an estimate -> what it rests on."""
PLACE_TEXTS = (
    "a comparison table in a public repository",
    "a digest in a public repository",
    "a hand-made market table",
    "a draft of an article on GitHub, from its author's own look at the market",
    "a Qiita guide",
)
"""Places that have no name of their own."""
LEAST_RATE = 0.1
"""A smaller rate is told the other way round."""
COARSE_RATE = 10.0
"""From this rate on two decimals are enough."""


def purchase_lines(items: Sequence[PriceItem]) -> Iterator[Message]:
    """Yield each thing that is bought: what is paid for all of it, its name, the kind, month and conversion of its price."""
    for item in items:
        each = amount_words(_figure(item.paid / item.quantity), item.paid_in)
        told = (
            counted_item(item),
            *((say("{amount} each", amount=each),) * (item.quantity > 1)),
            say("used") if item.used else say("new"),
            kind_words(item),
            *((_seen(item.month),) * (item.kind != "given")),
            *((converted_words(item),) * (item.rate is not None or bool(item.tax_added))),
            *((_below_its_card(item),) * bool(item.card_price)),
        )
        yield say("{amount}: {facts}", amount=amount_words(_figure(item.paid), item.paid_in), facts=Listed(told))


def _below_its_card(item: PriceItem) -> Message:
    """Return that a computer costs less than what is in it: such an offer may be gone tomorrow."""
    return say(
        "less than its card alone ({amount}): ask the shop first",
        amount=amount_words(_figure(item.card_price), item.paid_in),
    )


def _seen(month: str) -> Message:
    """Return when a price was seen, with its age where it is old."""
    age, words = months_since(month), month_text(month)
    return say("{month}, {n} months old", month=words, n=age) if age > FRESH_MONTHS else say("{month}", month=words)


def kind_words(item: PriceItem) -> Message:
    """Return what kind of price it is, and where it was seen."""
    if item.kind == "estimate" and item.source in ESTIMATE_TEXTS:
        return Message(ESTIMATE_TEXTS[item.source])
    placed, bare = KIND_TEXTS[item.kind]
    if not item.place:
        return Message(bare)
    return Message(placed, {"place": Message(item.place)})


def converted_words(item: PriceItem, *, brief: bool = False) -> Message:
    """Return how one thing's price became what the asker pays: its amount, the tax of its country, the rate, his own tax.

    The rate is told to the digits with which the figures that stand there give the price.
    brief: without the amount that is left of a price without its tax
    """
    base = amount_words(_figure(item.amount), item.currency)
    if item.tax_removed and brief:
        base = say("{amount} without {percent} % tax", amount=base, percent=f"{100 * item.tax_removed:g}")
    elif item.tax_removed:
        base = say(
            "{amount} without the {percent} % tax of {country} = {net}",
            amount=base,
            percent=f"{100 * item.tax_removed:g}",
            country=Message(COUNTRY_TEXTS[item.country]),
            net=amount_words(_figure(item.amount / (1 + item.tax_removed)), item.currency),
        )
    if item.rate is not None:
        base = (
            say("{amount} / {rate}", amount=base, rate=_rate(1 / item.rate))
            if item.rate < LEAST_RATE
            else say("{amount} x {rate}", amount=base, rate=_rate(item.rate))
        )
    if item.tax_added:
        return say("{amount} + {percent} % tax", amount=base, percent=f"{100 * item.tax_added:g}")
    return base


def _figure(amount: float) -> str:
    return f"{amount:,.0f}"


def _rate(rate: float) -> str:
    return f"{rate:,.2f}" if rate >= COARSE_RATE else f"{rate:.4f}"
