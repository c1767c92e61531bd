"""What llama-server keeps in RAM as it is used stays within the RAM that there is."""

from __future__ import annotations

import pytest

from gyakusan.api import machine_for
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.planning.select.plan import catalogue_deployment
from gyakusan.text import tell

MACHINES = [
    ("RTX 5060 Ti 16GB", "16GiB"),
    ("RTX 5060 Ti 16GB", "32GiB"),
    ("2x RTX 4090", "24GiB"),
    ("RTX 4090", "8GiB"),
    ("M4 Pro 24GB", None),
    ("M4 Max 64GB", None),
]


def deployed(machine: Machine, name: str, users: int, changes: dict[str, object] | None = None) -> Deployment:
    form = "UD-Q4_K_XL" if name.startswith("gemma4") else "Q4_K_M"
    found = catalogue_deployment(name, form, "llama.cpp", machine, Load(users, 8192), "Q8_0", changes or {})
    assert found is not None
    return found


@pytest.mark.parametrize(("device", "ram"), MACHINES)
@pytest.mark.parametrize("name", ["gemma4-26b-a4b-qat", "qwen3-14b", "gemma4-e4b-qat"])
@pytest.mark.parametrize("users", [1, 5])
def test_what_grows_stays_within_the_ram(device: str, ram: str | None, name: str, users: int) -> None:
    """A PC of 16 GB was recommended with a server that keeps up to 24.7 GiB of idle conversations in RAM."""
    found = deployed(machine_for(device, None, ram=ram), name, users)
    assert found.ledger.surely_fits
    for account in found.ledger.accounts:
        grown = sum(float(line.greatest - line.bytes) for line in account.lines if line.grows)
        assert account.device.usable is not None
        assert float(account.at_most) + grown <= account.device.usable


def test_the_command_says_the_limits() -> None:
    tight = deployed(machine_for("RTX 5060 Ti 16GB", None, ram="16GiB"), "gemma4-26b-a4b-qat", 5)
    argv = tight.command.argv
    assert argv[argv.index("--cache-ram") + 1] == "7168"
    assert argv[argv.index("--ctx-checkpoints") + 1] == "12"
    told = [tell(note, "en") for note in tight.ledger.notes]
    assert "At most 7,168 MiB of idle conversations are kept (--cache-ram; usual: 8,192)." in told
    assert "At most 12 checkpoints are kept for each user (--ctx-checkpoints; usual: 32)." in told


def test_the_servers_own_limits_stay_where_there_is_room_or_nothing_is_known() -> None:
    for ram in ("64GiB", None):
        roomy = deployed(machine_for("RTX 5060 Ti 16GB", None, ram=ram), "gemma4-26b-a4b-qat", 5)
        assert (roomy.settings.cache_ram, roomy.settings.ctx_checkpoints) == (  # type: ignore[attr-defined]
            Settings.cache_ram, Settings.ctx_checkpoints,
        )  # fmt: skip
        assert "--cache-ram" not in roomy.command.argv


@pytest.mark.parametrize("name", ["gemma4-26b-a4b-qat", "qwen3-14b"])
@pytest.mark.parametrize(
    "given",
    [{"cache_ram": 8192}, {"cache_ram": 2048}, {"cache_ram": 0}, {"ctx_checkpoints": 4}, {"ctx_checkpoints": 0}],
)
def test_a_limit_that_somebody_gave_stays_and_the_other_gets_what_it_leaves(
    name: str, given: dict[str, object]
) -> None:
    """The other limit was left at the server's own, so that the RAM held neither."""
    found = deployed(machine_for("RTX 5060 Ti 16GB", None, ram="16GiB"), name, 5, given)
    assert all(getattr(found.settings, key) == value for key, value in given.items())
    for account in found.ledger.accounts:
        grown = sum(float(line.greatest - line.bytes) for line in account.lines if line.grows)
        assert account.device.usable is not None
        assert float(account.at_most) + grown <= account.device.usable


def test_limits_that_are_both_given_stay() -> None:
    given: dict[str, object] = {"cache_ram": -1, "ctx_checkpoints": 64}
    found = deployed(machine_for("RTX 5060 Ti 16GB", None, ram="16GiB"), "gemma4-26b-a4b-qat", 5, given)
    assert (found.settings.cache_ram, found.settings.ctx_checkpoints) == (-1, 64)  # type: ignore[attr-defined]


def test_a_limit_above_the_room_leaves_nothing_for_the_other() -> None:
    given: dict[str, object] = {"cache_ram": 20000}
    found = deployed(machine_for("RTX 5060 Ti 16GB", None, ram="16GiB"), "gemma4-26b-a4b-qat", 5, given)
    assert (found.settings.cache_ram, found.settings.ctx_checkpoints) == (20000, 0)  # type: ignore[attr-defined]


def test_ollama_cannot_be_told() -> None:
    machine = machine_for("RTX 5060 Ti 16GB", None, ram="16GiB")
    found = catalogue_deployment("qwen3-14b", "Q4_K_M", "Ollama", machine, Load(2, 8192), "F16")
    assert found is not None
    lines = [line for a in found.ledger.accounts for line in a.lines if line.part == "overhead.prompt_cache"]
    assert [float(line.greatest) for line in lines] == [8192 * 2**20]
