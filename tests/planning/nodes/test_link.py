"""Links between nodes, as people write them."""

from __future__ import annotations

import pytest

from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.planning.nodes.link import LATENCY, Link, parse_link


@pytest.mark.parametrize(
    ("said", "link"),
    [
        ("10GbE", Link(1.25e9, LATENCY)),
        ("100Gb/s,50us", Link(12.5e9, 50e-6)),
        ("2.5Gbit/s, 0.2ms", Link(312.5e6, 0.2e-3)),
        ({"bandwidth": "200Gbit/s", "latency": "3µs"}, Link(25e9, 3e-6)),
        ({"bandwidth": "12.5GB/s"}, Link(12.5e9, LATENCY)),
    ],
)
def test_what_people_write(said: object, link: Link) -> None:
    found = parse_link(said)
    assert (found.bandwidth, found.latency, found.assumed) == pytest.approx((link.bandwidth, link.latency, False))


@pytest.mark.parametrize("said", ["fast", "", "10GbE,5", "10GbE,-5us", "10GbE,2000ms", "10GbE," + "9" * 500, "0G"])
def test_no_quantity(said: str) -> None:
    with pytest.raises(BadQuantity) as error:
        parse_link(said)
    assert error.value.mend is not None


@pytest.mark.parametrize("said", [5, None, ["10GbE"], {"bandwidth": 5}, {"speed": "10GbE"}, {}])
def test_no_link(said: object) -> None:
    with pytest.raises(BadSetting, match="A link cannot be"):
        parse_link(said)


def test_a_message_takes_its_bytes_and_the_latency() -> None:
    assert Link(1e9, 1e-4).time(5e5) == pytest.approx(6e-4)
