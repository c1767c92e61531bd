"""From names to a deployment: what the commands and the Python functions (python/) have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gyakusan import machines, models
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.doors.notices import notice
from gyakusan.engines.base import Format
from gyakusan.engines.deployment import Deployment, deploy
from gyakusan.engines.formats import check_format, find_format
from gyakusan.engines.registry import DEFAULT, NAMES, engine
from gyakusan.errors import BadSetting, Unsupported
from gyakusan.message import Message, say
from gyakusan.units import parse_count

if TYPE_CHECKING:
    from gyakusan.core.model import Model
    from gyakusan.planning.predict.assessment import Assessment

USUAL_CONTEXT = 8192
"""Where nobody says: enough for a conversation. [tokens]"""
NO_FORMAT = Format("", "")
"""Where nobody names a quantisation."""
MOST_CONTEXT = 2**30
MOST_USERS = 65536


def usual_load(trained_context: int, *, users: int, context: int | None) -> Load:
    """Return the load; without a context USUAL_CONTEXT tokens, or what the model was trained for if that is less."""
    if context is None:
        context = min(USUAL_CONTEXT, trained_context or USUAL_CONTEXT)
    return checked_load(users, context)


def checked_load(users: int, context: int) -> Load:
    """Return the load. Raises BadQuantity for one that makes no sense."""
    return Load(parse_count(users, at_most=MOST_USERS, length=False), parse_count(context, at_most=MOST_CONTEXT))


def overrides(server: str, pairs: Iterable[str]) -> Mapping[str, object]:
    """Return the settings that --set name=value pairs give to an engine. Raises BadSetting, UnknownName."""
    given = list(pairs)
    if not given:
        return {}
    from gyakusan.engines.settings_parser import parse_overrides

    return parse_overrides(engine(server), given)


def deployment(
    model: str,
    *,
    quantization: str | None = None,
    load: Load | Callable[[int], Load],
    device: str | None = None,
    memory: str | None = None,
    reserve: str | None = None,
    bandwidth: str | None = None,
    ram: str | None = None,
    settings: Mapping[str, Any] | None = None,
    pairs: Iterable[str] = (),
    server: str = DEFAULT,
    offline: bool = False,
    images: bool | None = False,
) -> Deployment:
    """Return the deployment of a model, a machine and an engine by their names. Raises GyakusanError.

    load: users and context, or a function that returns them for the context that the model was trained for
    reserve: memory that the OS and other programs keep, e.g. "8GiB"
    bandwidth: of the RAM, e.g. "80GB/s", for speeds on a CPU
    ram: RAM beside the GPUs, e.g. "64GiB"
    settings: fields of the engine's Settings
    pairs: further ones as "name=value"
    server: name of the engine
    offline: stay off the network, whatever the model's reference says
    images: people send images too: of a model of the catalogue, what reads them is counted; None = as the server does by itself
    """
    named = quantization or models.published_quantization(model)
    form = find_format(named, server) if named else NO_FORMAT
    found = models.load(model, form.base or None, offline=offline)
    check_format(form, found, server)
    asked = load if isinstance(load, Load) else load(found.trained_context)
    own = {**form.changes, **_image_changes(found, server, quantization, images)}
    changes = {**own, **(settings or {}), **overrides(server, pairs)}
    machine = _machine_under(changes, device, memory, reserve, bandwidth, ram)
    if device is None and memory is None:
        changes = {**_of_the_program_here(server, changes), **changes}
    return deploy(found, server, machine, asked, changes, form.name if form.changes else "")


def _machine_under(
    changes: Mapping[str, object],
    device: str | None,
    memory: str | None,
    reserve: str | None,
    bandwidth: str | None,
    ram: str | None,
) -> Machine:
    """Return the machine under these settings: on a CPU the memory that is given without a device is the RAM.

    Raises BadSetting where it is a GPU's, and the model runs on the CPU beside it.
    """
    on_cpu = memory is not None and str(changes.get("backend", "")).casefold() == "cpu"
    machine = machine_for("cpu" if on_cpu and device is None else device, memory, reserve, bandwidth, ram)
    if on_cpu and ram is None and any(g.kind == "gpu" for g in machine.gpus):
        raise BadSetting(
            "--memory is that of {device}, and nothing is put there with --cpu.", device=machine.name,
            mend="Give the RAM: --ram {memory}", memory=memory,
        )  # fmt: skip
    return machine


def _of_the_program_here(server: str, changes: Mapping[str, object]) -> Mapping[str, object]:
    """Return the build or version of the server program on PATH, where nobody names another and ours is not the same."""
    from gyakusan.engines.installed import UNKNOWN, installed

    found = installed(server)
    if found is None or found.setting in changes or not os.path.isabs(found.program):
        return {}
    if getattr(engine(server).Settings, found.setting, found.value) == found.value:
        return {}
    if found.value != UNKNOWN:  # of an own build the ledger itself says that its build is not known
        notice(say("{program} is {version}: its rules are used.", program=found.program, version=found.value))
    return {found.setting: found.value}


def _image_changes(model: Model, server: str, quantization: str | None, images: bool | None) -> Mapping[str, object]:
    """Return the settings that count what reads images of a model of the catalogue, where it is loaded."""
    if not model.catalogue_name:
        return {}
    from gyakusan.catalog.models import find
    from gyakusan.engines.images import image_part

    return image_part(find(model.catalogue_name), server, quantization or model.quantization, images=images).settings


def assess(deployment: Deployment) -> Assessment:
    """Return how fast and how good a deployment is. Raises BadSetting."""
    from gyakusan.planning.predict import assessment

    return assessment.assess(deployment, deployment.ledger)


def machine_for(
    device: str | None,
    memory: str | None,
    reserve: str | None = None,
    bandwidth: str | None = None,
    ram: str | None = None,
) -> Machine:
    """Return the machine that is named, else this computer. Raises UnknownName, BadQuantity.

    reserve: memory that the OS and other programs keep, instead of our figure, e.g. "8GiB"
    bandwidth: of its RAM, e.g. "80GB/s"
    ram: beside its GPUs, e.g. "64GiB"
    """
    found = machines.this_computer() if device is None and memory is None else machines.parse(device, memory)
    found = found if ram is None else machines.with_ram(found, ram)
    found = found if bandwidth is None else machines.with_ram_bandwidth(found, bandwidth)
    return found if reserve is None else machines.with_reserved_memory(found, reserve)


class Answer(Struct, frozen=True):
    """What one engine says of a deployment.

    engine: its name
    ledger: the memory, None if it would not run this
    refusals: why it would not
    in_ram: True if it leaves a part of the model in RAM although a GPU computes
    """

    engine: str
    ledger: Ledger | None
    refusals: tuple[Message, ...]
    in_ram: bool = False

    @property
    def fits(self) -> bool:
        """True if it runs, surely fits, and the model was trained for the context."""
        value = self.ledger
        return not self.refusals and value is not None and value.fit == "fits" and not value.beyond_training


def engine_names(text: str) -> tuple[str, ...]:
    """Return the names of engines for "all" or "Ollama, vllm". Raises UnknownName."""
    names = [name.strip() for name in text.split(",") if name.strip()] or [text]
    if any(name.casefold() == "all" for name in names):
        return tuple(NAMES)
    return tuple(dict.fromkeys(engine(name).NAME for name in names))


def answers(names: Sequence[str], ask: Callable[[str], Deployment]) -> tuple[Answer, ...]:
    """Return the answer of each engine. A setting that an engine refuses is a refusal, not an exception."""
    return tuple(_answer(name, ask) for name in names)


def _answer(name: str, ask: Callable[[str], Deployment]) -> Answer:
    try:
        asked = ask(name)
        refusals = asked.refusals
        in_ram = asked.rules.compute_settings(asked.machine, asked.settings).part_in_ram
        return Answer(name, None if refusals else asked.ledger, refusals, in_ram)
    except (BadSetting, Unsupported) as error:
        reasons = (error.message,) if error.mend is None else (error.message, error.mend)
        return Answer(name, None, reasons)
