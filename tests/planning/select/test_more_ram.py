"""Sizes of RAM that are tried where a question gives too little."""

from __future__ import annotations

import pytest

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.more_ram import MOST_TRIED, larger_ram


@pytest.mark.parametrize(("ram", "first"), [("1GiB", "4GiB"), ("4GiB", "8GiB"), ("100GiB", "128GiB")])
def test_the_next_larger_sizes_are_tried(ram: str, first: str) -> None:
    found = list(larger_ram(parse_request({"device": "RTX 4090", "ram": ram})))
    assert found[0].option == first
    assert len(found) <= MOST_TRIED
    assert [f.effort for f in found] == sorted(f.effort for f in found)
    assert str(found[0].change) == f"{first.removesuffix('GiB')} GiB of RAM"


def test_without_a_given_size_or_beyond_the_largest_none_is_tried() -> None:
    assert not list(larger_ram(parse_request({"device": "RTX 4090"})))
    assert not list(larger_ram(parse_request({"device": "RTX 4090", "ram": "600GiB"})))
