"""One plan in an address: the question of the page Plan as its own address has it, and the number of the plan in the answer.

Such a text stands in the address of a comparison, so that a link is a comparison: "budget=1000000JPY&users=5#p2".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from gyakusan.errors import BadSetting
from gyakusan.message import quoted
from gyakusan.planning.request.money import parse_currency, parse_money
from gyakusan.web.field_words import Parameter
from gyakusan.web.queries import MOST_PAIRS, PlanQuery, read

MARK = "#p"
"""Before the number, as in the address of a plan on its page."""
MOST = 6
"""Plans of one comparison."""
BESIDE = "beside"
"""Name under which the page Plan keeps plans that were chosen before, for one comparison with the next."""
_VIEWS = frozenset({"why_not"})
"""Parts of a question that choose no plan."""
_PLAIN = frozenset({"device", "memory", "budget", "engine", "model", "task", "prefer"})
"""Parts of a question whose value says enough without its name."""
MOST_TITLE = 40
"""Most characters of a title."""


class Picked(Struct, frozen=True):
    """One plan of one answer.

    query: what was asked
    number: of the plan in the answer, from 1
    """

    query: PlanQuery
    number: int = 1

    @property
    def question(self) -> str:
        """What was asked, as an address has it."""
        return urlencode(self.given)

    @property
    def given(self) -> tuple[tuple[str, str], ...]:
        """What was asked, name by name."""
        names = (name for name in self.query.__struct_fields__ if name not in _VIEWS)
        return tuple((name, _word(value)) for name in names if (value := getattr(self.query, name)) is not None)

    @property
    def currency(self) -> str | None:
        """Currency of the answer: the one that was named, else the budget's; None = neither. Raises BadQuantity."""
        if self.query.currency is not None:
            return parse_currency(self.query.currency)
        return None if self.query.budget is None else parse_money(self.query.budget).currency

    @property
    def title(self) -> str:
        """What was asked in a few words, for a question that has no plan."""
        said = ""
        for name, value in self.given:
            part = value if name in _PLAIN else name.replace("_", " ") if value == "1" else f"{name} {value}"
            longer = f"{said}, {part}" if said else part
            if said and len(longer) > MOST_TITLE:
                break
            said = longer
        return said if len(said) <= MOST_TITLE else said[: MOST_TITLE - 1] + "…"

    @property
    def written(self) -> str:
        """How it stands in the address of a comparison."""
        return f"{self.question}{MARK}{self.number}"

    @property
    def address(self) -> str:
        """Where it stands on the page Plan."""
        return f"/plan?{self.question}{MARK}{self.number}"


def picked(texts: Iterable[str]) -> tuple[Picked, ...]:
    """Return the plans of an address, each once. Raises BadSetting, UnknownName.

    texts: as `Picked.written`, or whole addresses of the page Plan
    """
    found = tuple(dict.fromkeys(map(_picked, texts)))
    if len(found) > MOST:
        raise BadSetting("{n} plans were asked for.", n=len(found), mend="Compare at most 6.")
    return found


def currency_of(chosen: Iterable[Picked]) -> str | None:
    """Return the currency of the first question that has one, None if none has. Raises BadQuantity."""
    return next((currency for one in chosen if (currency := one.currency) is not None), None)


def _picked(text: str) -> Picked:
    question, _, number = text.rpartition(MARK) if MARK in text else (text, "", "1")
    if not (number.isascii() and number.isdecimal() and 1 <= len(number) <= 2 and int(number)):
        raise BadSetting(
            "{key} cannot be {value}.", key=Parameter("plan"), value=quoted(text[-40:]),
            mend="Copy the address of a plan from its page, e.g. /plan?budget=1000000JPY#p2.",
        )  # fmt: skip
    try:
        pairs = parse_qsl(question.rpartition("?")[2], errors="strict", max_num_fields=MOST_PAIRS)
    except ValueError:
        raise BadSetting(
            "The address asks too much, or cannot be read.", mend="Copy it from the page of a plan."
        ) from None
    question_only = [(name, value) for name, value in pairs if name.replace("-", "_") not in {BESIDE, *_VIEWS}]
    return Picked(read(PlanQuery, question_only), int(number))


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
