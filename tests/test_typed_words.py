"""The words of the command that runs are kept for what repeats them."""

from __future__ import annotations

from gyakusan.typed_words import remember, typed


def test_words_are_kept() -> None:
    remember(["plan", "--users", "5"])
    assert typed() == ("plan", "--users", "5")
