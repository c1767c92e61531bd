"""The currency of a question that names none: that of the reader's country or language. One rule for every command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gyakusan.text import Language

NAMES_A_CURRENCY = frozenset({"currency", "budget", "price", "resale"})
"""Keys of a question that say in which currency it is asked."""


def with_currency(values: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Return the values of a question with the reader's currency where they name none.

    values: keys and values as they were given; None is as good as absent
    language: of the output
    """
    from gyakusan.planning.request.money import currency_of_reader

    if any(values.get(key) is not None for key in NAMES_A_CURRENCY):
        return dict(values)
    return {**values, "currency": currency_of_reader(os.environ, language)}
