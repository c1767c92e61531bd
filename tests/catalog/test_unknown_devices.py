"""What a name that means no device, or several, is told."""

from __future__ import annotations

import shlex

import pytest

from gyakusan.catalog.devices import find
from gyakusan.cli import main
from gyakusan.errors import UnknownName
from gyakusan.machines import parse


def told(name: str) -> str:
    with pytest.raises(UnknownName) as found:
        find(name)
    return f"{found.value.message} {found.value.mend}"


def test_the_newest_stand_first_and_a_command_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve Mac Studios were listed without any M5, and no command for the rest."""
    text = told("Mac Studio")
    assert text.index("Mac Studio M5") < text.index("Mac Studio M3 Ultra")
    command = text.rpartition("all: ")[2]
    assert command == 'gyakusan catalog list machines --search "Mac Studio"'
    assert main(shlex.split(command)[1:]) == 0
    assert "M5 Ultra" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "first"), [("rtx", "RTX 5050"), ("Mac", "Mac Studio")])
def test_the_command_lists_what_was_named(name: str, first: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of "rtx" one computer matches beside dozens of cards, and computers were to be listed."""
    command = told(name).rpartition("all: ")[2]
    assert main(shlex.split(command)[1:]) == 0
    assert first in capsys.readouterr().out


def test_kinds_and_japanese_names_are_understood() -> None:
    assert "gyakusan catalog list machines" in told("ミニPC")
    assert "gyakusan catalog list devices" in told("グラボ")
    assert "gyakusan catalog list machines" in told("mini-pc")
    assert "gyakusan catalog list machines" in told("コンピュータ")
    assert told("RTX 4090 Lap").endswith("Did you mean NVIDIA GeForce RTX 4090 Laptop GPU?")
    assert "gyakusan catalog list devices" in told("video card")
    assert 'gyakusan catalog list machines --search "Mac"' in told("マック")
    assert find("マックスタジオ M3 Ultra 512GB").title == "Mac Studio M3 Ultra 512GB"
    assert "gyakusan catalog list devices" in told("foo")


@pytest.mark.parametrize(
    ("name", "size"), [("Strix Halo", 128), ("EVO-X2", 64), ("Mac Studio M4 Max", 128), ("RTX 5090", 32)]
)
def test_a_size_as_it_is_sold_means_the_product(name: str, size: int) -> None:
    """--memory 128GB of a Strix Halo was 119.21 GiB, that of "Ryzen AI Max+ 395 128GB" 128."""
    assert parse(name, f"{size}GB") == parse(name if name == "RTX 5090" else f"{name} {size}GB")


def test_another_capacity_is_taken_as_it_is() -> None:
    (gpu,) = parse("RTX 5090", "24GB").gpus
    assert gpu.memory == 24 * 10**9
