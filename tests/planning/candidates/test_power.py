"""What a case, a supply and a socket take."""

from __future__ import annotations

import pytest

from gyakusan import machines
from gyakusan.planning.candidates.power import card_shape, is_enterprise, supply_watts, wall_watts


@pytest.mark.parametrize(
    ("name", "watts", "slots", "passive", "most"),
    [
        ("NVIDIA GeForce RTX 5090", 575.0, 3, False, 2),
        ("NVIDIA GeForce RTX 3090", 350.0, 3, False, 2),
        ("AMD Radeon AI PRO R9700", 300.0, 2, False, 4),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 300.0, 2, False, 4),
        ("NVIDIA RTX PRO 4000 Blackwell", 140.0, 1, False, 4),
        ("NVIDIA L40S", 350.0, 2, True, 2),
        ("NVIDIA H100 80GB HBM3", 700.0, 0, True, 2),  # a module on a server's board
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 600.0, 2, True, 2),
        ("nobody measured this card", 320.0, 3, False, 2),
        ("nobody measured this card", 150.0, 2, False, 2),
        ("nobody knows its power", None, 2, False, 2),
    ],
)
def test_how_cards_are_built(name: str, watts: float | None, slots: int, passive: bool, most: int) -> None:
    shape = card_shape(name, watts)
    assert (shape.slots, shape.passive, shape.most) == (slots, passive, most)


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("RTX 5090", 758),  # prices_2026.md: about 750 to 800 W
        ("2x RTX 5090", 1417),  # at the limit of a Japanese socket
        ("2x RTX 3090", 927),
        ("DGX Spark", 174),
    ],
)
def test_power_at_the_wall(name: str, watts: float) -> None:
    assert wall_watts(machines.parse(name)) == watts


def test_power_that_nobody_knows_is_unknown() -> None:
    assert wall_watts(machines.parse("M5 Ultra 96GB")) is None


@pytest.mark.parametrize(("watts", "suggested"), [(250.0, 600), (300.0, 700), (575.0, 950), (600.0, 1000)])
def test_the_supply_is_near_the_makers_suggestion(watts: float, suggested: float) -> None:
    assert supply_watts(watts, 1) == pytest.approx(suggested, abs=26)


def test_cards_of_data_centres_are_known_by_name() -> None:
    assert is_enterprise("NVIDIA H100 PCIe")
    assert is_enterprise("NVIDIA RTX PRO 6000 Blackwell Server Edition")
    assert not is_enterprise("NVIDIA RTX A6000")
