"""The line of `gyakusan inspect` that shows a plan again: the same memory, speed and first token."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from gyakusan import machines
from gyakusan.catalog.models import find
from gyakusan.core.machine import Machine
from gyakusan.engines.images import image_part
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import GyakusanError
from gyakusan.planning.candidates.bought_ram import bought_ram
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan


def inspect_words(request: PlanRequest, plan: Plan) -> tuple[str, ...] | None:
    """Return the words of the command, None where the machine has no name by which it is found again."""
    deployment, workload = plan.deployment, request.workload
    where = _machine_words(request, plan)
    if where is None:
        return None
    words = ("gyakusan", "inspect", plan.name, "--quant", plan.quantization, "--engine", plan.engine, *where)
    load = ("--users", f"{int(deployment.load.users)}", "--context", f"{int(deployment.load.context)}")
    turn = ("--prompt", f"{workload.prompt_tokens}", "--answer", f"{workload.output_tokens}")
    images = ("--images",) if request.images else ()
    return (*words, *load, *turn, *images, *_settings(request, plan))


def _machine_words(request: PlanRequest, plan: Plan) -> tuple[str, ...] | None:
    """Return the options that name the machine of a plan: as the asker did, or as the catalogue does."""
    names = ("device", "memory", "ram", "bandwidth", "reserve")
    told = {n: v for n in names if (v := getattr(request, n)) is not None}
    if not request.owned:
        name, bought = plan.offer.machine.name, bought_ram(plan.offer)
        ram = request.ram or (f"{bought}GiB" if bought else None)
        told = {"device": name, **({"ram": ram} if ram is not None else {})}
        found = _parsed(name, request.ram)
        if found is None or _nameless(found) != _nameless(plan.offer.machine):
            return None
    return tuple(word for name, value in told.items() for word in (f"--{name}", str(value)))


def _parsed(name: str, ram: str | None) -> Machine | None:
    try:
        found = machines.parse(name)
        return found if ram is None else machines.with_ram(found, ram)
    except GyakusanError:
        return None


def _nameless(machine: Machine) -> Machine:
    """Return a machine by what counts: names and prices differ where a computer is sold whole, or in several sizes."""
    gpus = tuple(structs.replace(g, name="", prices=()) for g in machine.gpus)
    return structs.replace(machine, name="", prices=(), gpus=gpus)


def _settings(request: PlanRequest, plan: Plan) -> Iterator[str]:
    """Yield the options of all settings that the format and what reads images do not bring with them."""
    rules, changes = plan.deployment.rules, dict(plan.deployment.changes)
    form = rules.named_format(plan.quantization)
    image = image_part(find(plan.name), plan.engine, plan.quantization, images=request.images)
    usual = {**({} if form is None else form.changes), **image.settings}
    smaller = rules.cache_setting("Q8_0") or {}
    if smaller and all(changes.get(name) == value for name, value in smaller.items()):
        yield from ("--kv-type", "q8_0")
        usual |= smaller
    if plan.engine == DEFAULT and changes.get("backend") == "cpu":
        yield "--cpu"
        usual["backend"] = "cpu"
    for name, value in changes.items():
        if name not in usual or usual[name] != value:
            yield from ("--set", f"{name}={value}")
