"""The RAM that comes with a computer around graphics cards is the RAM of its plan."""

from __future__ import annotations

from gyakusan.planning.candidates.bought_ram import bought_ram, with_bought_ram
from gyakusan.planning.candidates.hardware import buyable_machines, owned_machine
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.inspect_line import inspect_words
from gyakusan.planning.select.recommend import recommend
from gyakusan.units import GIB


def test_a_pc_has_the_ram_that_its_price_names() -> None:
    options, _ = buyable_machines(parse_request({"budget": "6000USD"}))
    told = {o.machine.name: bought_ram(o) for o in options}
    assert told["NVIDIA GeForce RTX 5060 Ti 16GB"] == 16
    for option in options:
        host, ram = with_bought_ram(option).host, bought_ram(option)
        assert not ram or (host is not None and host.memory == ram * GIB)
        assert ram == 0 or option.machine.gpus[0].kind == "gpu"


def test_ram_that_was_asked_for_or_is_owned_stays() -> None:
    assert bought_ram(owned_machine(parse_request({"device": "RTX 4090", "ram": "64GiB"}))) == 0


def test_a_plan_that_is_bought_is_inspected_with_its_ram() -> None:
    """Plan 1 was a PC of 16 GB, and its server's idle conversations took up to 24.7 GiB of it."""
    answer = recommend(parse_request({"budget": "6000USD", "users": 5, "engines": "llama.cpp"}))
    checked = 0
    for plan in answer.plans:
        size = bought_ram(plan.offer)
        words = inspect_words(answer.request, plan)
        if not size or words is None:
            continue
        checked += 1
        assert words[words.index("--ram") + 1] == f"{size}GiB"
        host = plan.ledger.accounts[-1]
        assert host.device.memory == size * GIB
        assert float(host.high) <= float(host.device.usable or 0)
    assert checked
