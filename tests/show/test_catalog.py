"""Records of the catalogue on a screen: what a source in words says."""

from __future__ import annotations

import re

from gyakusan.catalog.prices import price_records
from gyakusan.show.source_notes import PRICE_NOTE_TEXTS


def test_sources_of_prices_in_words_are_translated() -> None:
    """English prose stood on the Japanese screen of a device."""
    words = {p.source for p in price_records() if not re.search(r"://|\S/\S", p.source)}
    assert len(words) > 3
    assert words <= set(PRICE_NOTE_TEXTS)
