"""Ways to make a deployment fit: each is computed with the engine's own ledger and has its option to add.

Order: a smaller cache, a shorter context or fewer people, parts in RAM, a smaller quantisation, a cache of 4 bits, one more
device, another machine. Within one kind it is the largest that fits at the high end of its memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct, structs

from gyakusan import catalog, machines, models
from gyakusan.catalog.devices import DeviceRecord, device_records
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment, deploy
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import GyakusanError
from gyakusan.message import Message, say
from gyakusan.models.assemble import plain
from gyakusan.planning.predict.assessment import Assessment, assess
from gyakusan.planning.predict.capacity import longest_context, most_users
from gyakusan.planning.predict.device_names import short_device_name
from gyakusan.units import GIB

WayKind = Literal["repack", "cache", "context", "users", "ram", "quantization", "coarse_cache", "device", "machine"]
MOST_WAYS = 6
DISPENSABLE: tuple[WayKind, ...] = ("machine", "coarse_cache", "users", "context")
"""Kinds that are left out first where there are more ways than fit on a screen."""
MIN_CONTEXT = 2048
"""Shorter contexts are not proposed. [tokens]"""
FINE_CACHE, COARSE_CACHE = "Q8_0", "Q4_0"
GOOD_BITS = 4.0
"""Quantisations below are proposed only where no other does [bits per weight]."""
RAM_SIZES = (16, 32, 64, 128, 256, 512)
"""RAM that is proposed where it is not known [GiB]."""
MOST_DEVICES = 8
RECENT = "2024"
"""Machines that were released before this year are not proposed."""
_TIMES = re.compile(r"^\s*\d+\s*[xX×*]\s*")


class Asked(Struct, frozen=True):
    """A question as it was typed, to which options can be added.

    deployment: what it asks for
    device: name of the device as it was typed, None = this computer or a bare memory size
    sized: True if the size of its memory was typed, which then holds for every other device
    split_cache: True if keys and values were given types of their own
    prompt, answer: their lengths, None = the usual ones [tokens]
    """

    deployment: Deployment
    device: str | None = None
    sized: bool = False
    split_cache: bool = False
    prompt: int | None = None
    answer: int | None = None


class Way(Struct, frozen=True):
    """A change with which a model surely fits.

    kind: what changes first
    changes: the change in words, in parts
    options: what to add to the command, as it is typed
    deployment: what then runs
    surely_left: bytes to spare at the high end on the fullest device; infinite where no capacity is known [B]
    judged: its speed and quality
    points_lost: points of quality that it costs [points]
    """

    kind: WayKind
    changes: tuple[Message, ...]
    options: str
    deployment: Deployment
    surely_left: float
    judged: Assessment
    points_lost: float


class _Change(Struct, frozen=True):
    """A change that may or may not make it fit."""

    kind: WayKind
    changes: tuple[Message, ...]
    options: str
    deployment: Deployment


def formats_of(deployment: Deployment) -> tuple[str, ...]:
    """Return the formats of a catalogue's model that its engine is planned with, fine to coarse, published ones first."""
    record = catalog.model(deployment.name)
    variants = list(deployment.rules.variants(plain(record), record))
    found = sorted(variants, key=lambda v: (not v.published, -v.model.bytes))
    return tuple(dict.fromkeys(v.name for v in found))


def ways_to_fit(asked: Asked) -> tuple[Way, ...]:
    """Return at most six changes with which the deployment fits at the high end, best first."""
    found = list(_trained(asked)) if asked.deployment.ledger.beyond_training else list(_fitting(asked))
    for kind in DISPENSABLE:
        if len(found) > MOST_WAYS:
            last = max((i for i, c in enumerate(found) if c.kind == kind), default=None)
            found = [c for i, c in enumerate(found) if i != last]
    before = assess(asked.deployment, asked.deployment.ledger, asked.prompt, asked.answer)
    return tuple(_way(change, before, asked) for change in found[:MOST_WAYS])


def ways_of(asked: Asked, ledger: Ledger) -> tuple[Way, ...]:
    """Return `ways_to_fit` of a deployment that does not surely fit, nothing of another one. Refusals have no ways."""
    good = ledger.fit == "fits" and not ledger.beyond_training
    return () if good or asked.deployment.refusals else ways_to_fit(asked)


def surely_fits(deployment: Deployment) -> bool:
    """Return True if the engine runs it and every device holds its share at the high end."""
    try:
        return not deployment.refusals and deployment.spare >= 0
    except GyakusanError:
        return False


def _way(change: _Change, before: Assessment, asked: Asked) -> Way:
    judged = assess(change.deployment, change.deployment.ledger, asked.prompt, asked.answer)
    lost = 0.0
    if before.overall is not None and judged.overall is not None:
        lost = max(0.0, float(before.overall.value) - float(judged.overall.value))
    spare = change.deployment.spare
    return Way(change.kind, change.changes, change.options, change.deployment, spare, judged, lost)


def _trained(asked: Asked) -> Iterator[_Change]:
    """Yield changes of a deployment whose context is beyond training: all of them shorten it as well."""
    d = asked.deployment
    shorter = d.at(structs.replace(d.load, context=d.model.trained_context))
    told, option = _tokens(shorter.load, alone=True), f"--context {shorter.load.context}"
    if surely_fits(shorter):
        yield _Change("context", (told,), option, shorter)
        return
    for change in _fitting(structs.replace(asked, deployment=shorter)):
        if change.deployment.load.context != shorter.load.context:
            yield change
        else:
            yield structs.replace(change, changes=(*change.changes, told), options=f"{change.options} {option}")


def _fitting(asked: Asked) -> Iterator[_Change]:
    fine = _cached(asked, FINE_CACHE)
    yield from _without_copies(asked)
    if fine is not None:
        yield from _shrunk(fine, "cache")
    yield from _shrunk(_Change("context", (), "", asked.deployment), None)
    bases = [_Change("quantization", (), "", asked.deployment), *([fine] if fine else [])]
    yield from _first(_in_ram(base) for base in bases)
    yield from _coarser(asked, bases)
    coarse = _cached(asked, COARSE_CACHE)
    if coarse is not None and (fine is None or (coarse.options != fine.options and not surely_fits(fine.deployment))):
        yield from _first([_shrunk(structs.replace(coarse, kind="coarse_cache"), "coarse_cache")])
    yield from _more_devices(asked)
    yield from _another_machine(asked)


def _first(several: Sequence[Iterator[_Change]] | Iterator[Iterator[_Change]]) -> Iterator[_Change]:
    """Yield the first change of all."""
    for changes in several:
        for change in changes:
            yield change
            return


def _cached(asked: Asked, kind: str) -> _Change | None:
    """Return the deployment with a smaller type of cache, None if the engine has none or uses it already."""
    d = asked.deployment
    setting = d.rules.cache_setting(kind)
    if not setting:
        return None
    try:
        changed = d.under(d.engine, {**d.changes, **setting})
    except GyakusanError:
        return None
    if _bytes(changed) >= _bytes(d):
        return None
    name, options = str(next(iter(setting.values()))).lower(), _settings(setting)
    if d.engine == DEFAULT:
        options = f"--key-type {name} --value-type {name}" if asked.split_cache else f"--kv-type {name}"
    return _Change("cache", (say("{type} cache", type=name),), options, changed)


def _bytes(deployment: Deployment) -> float:
    return sum(float(account.total) for account in deployment.ledger.accounts)


def _settings(changes: Mapping[str, object]) -> str:
    """Return changes of settings as options."""
    return " ".join(f"--set {name}={value}" for name, value in changes.items())


def _shrunk(base: _Change, whole: WayKind | None) -> Iterator[_Change]:
    """Yield a change as it stands if that fits, else with the longest context, then with the most people.

    whole: kind of the change that is yielded alone, None if it is none
    """
    if whole and surely_fits(base.deployment):
        yield structs.replace(base, kind=whole)
        return
    d = base.deployment
    users, context = int(d.load.users), int(d.load.context)
    for kind, load in (("context", _shorter(d, context)), ("users", _fewer(d, users))):
        if load is None:
            continue
        changed = d.at(load)
        if surely_fits(changed):
            options = f"--context {load.context}" if kind == "context" else f"--users {load.users}"
            told = _tokens(load, alone=not base.changes) if kind == "context" else _people(int(load.users))
            yield _Change(
                "context" if kind == "context" else "users",
                (*base.changes, told),
                f"{base.options} {options}".strip(),
                changed,
            )


def _shorter(d: Deployment, context: int) -> Load | None:
    """Return the longest load of the same people that fits, None if it would be too short to be of use."""
    try:
        found, _ = longest_context(d, context)
    except GyakusanError:
        return None
    return structs.replace(d.load, context=found) if MIN_CONTEXT <= found < context else None


def _fewer(d: Deployment, users: int) -> Load | None:
    try:
        found = most_users(d) if users > 1 else 0
    except GyakusanError:
        return None
    return structs.replace(d.load, users=found) if 0 < found < users else None


def _tokens(load: Load, *, alone: bool) -> Message:
    """Return a context in words. alone: True where nothing else is said."""
    n = f"{load.context:,}"
    if load.users == 1:
        return say("{n} tokens", n=n)
    return say("{n} tokens each", n=n) if alone else say("{n} each", n=n)


def _people(users: int) -> Message:
    return say("1 person") if users == 1 else say("{n} people", n=f"{users:,}")


def _without_copies(asked: Asked) -> Iterator[_Change]:
    """Yield a CPU without copies of weights in another layout, where it makes some."""
    d = asked.deployment
    repacked = any(line.part == "weights.repacked" for a in d.ledger.accounts for line in a.lines)
    if repacked and d.engine == DEFAULT:
        changed = d.under(d.engine, {**d.changes, "repack": False})
        if surely_fits(changed):
            yield _Change("repack", (say("no repacked copy, slower prompts"),), "--no-repack", changed)


def _in_ram(base: _Change) -> Iterator[_Change]:
    """Yield the smallest part of the model in RAM beside a GPU; where the RAM is not known, with the size that it takes."""
    machine = base.deployment.machine
    if not machine.gpus or machine.host is None or not base.deployment.rules.OFFLOADS:
        return
    for size in (0,) if machine.host.memory is not None else RAM_SIZES:
        d = base.deployment if not size else _with_ram(base.deployment, size)
        part = None if d is None else d.rules.part_in_ram(d.model, d.load, d.machine, d.changes)
        if d is None or part is None or not part.blocks_in_ram:
            continue
        changed = d.under(d.engine, {**d.changes, **part.settings})
        if surely_fits(changed):
            n = part.blocks_in_ram
            what = _blocks(n, experts=part.part == "experts")
            options = [f"--ram {size}GiB" if size else "", base.options, _settings(part.settings)]
            yield _Change("ram", (*base.changes, what), " ".join(o for o in options if o), changed)
            return


def _blocks(n: int, *, experts: bool) -> Message:
    if experts:
        return say("1 block of experts in RAM") if n == 1 else say("{n} blocks of experts in RAM", n=n)
    return say("1 block in RAM") if n == 1 else say("{n} blocks in RAM", n=n)


def _with_ram(d: Deployment, size: int) -> Deployment | None:
    try:
        return d.on(machines.with_ram(d.machine, f"{size}GiB"))
    except GyakusanError:
        return None


def _coarser(asked: Asked, bases: Sequence[_Change]) -> Iterator[_Change]:
    """Yield the finest quantisation that fits, with the cache as it is or else a smaller one; below 4 bits at last."""
    if not asked.deployment.model.catalogue_name:
        return
    formats = formats_of(asked.deployment)
    for good in (True, False):
        for name in formats:
            for base in bases:
                change = _requantized(base, name, good=good)
                if change is not None:
                    yield change
                    return


def _requantized(base: _Change, name: str, *, good: bool) -> _Change | None:
    """Return another format if it is smaller and fits. good: of 4 bits or more, else below."""
    d = base.deployment
    form = d.rules.named_format(name)
    if form is None or name == d.quantization:
        return None
    try:
        model = models.load(d.name, form.base, offline=True)
        old = d.rules.named_format(d.quantization)
        kept = {k: v for k, v in d.changes.items() if old is None or k not in old.changes}
        changes = {**kept, **form.changes}
        changed = deploy(model, d.engine, d.machine, d.load, changes, name if form.changes else "")
    except GyakusanError:
        return None
    if (_bits(changed) >= GOOD_BITS) is not good or not surely_fits(changed):
        return None
    told = (say("{quantization}", quantization=name), *base.changes)
    return _Change("quantization", told, f"--quant {name} {base.options}".strip(), changed)


def _bits(deployment: Deployment) -> float:
    """Return the bits of a weight as the engine holds it: of its checkpoint, or of all its tensors [bits per weight]."""
    read = deployment.read
    if read.checkpoint is not None:
        return float(read.checkpoint.bits)
    return 8 * read.bytes / max(read.parameters, 1)


def _more_devices(asked: Asked) -> Iterator[_Change]:
    """Yield the smallest number of equal cards that holds it."""
    d = asked.deployment
    gpus = d.machine.gpus
    if not gpus or gpus[0].kind != "gpu" or len({(g.name, g.memory) for g in gpus}) > 1:
        return
    name = _TIMES.sub("", asked.device) if asked.device else gpus[0].name
    if "+" in name.replace("Max+", "") or not catalog.knows_device(name):
        return
    for count in range(len(gpus) + 1, MOST_DEVICES + 1):
        machine = structs.replace(d.machine, name=f"{count}x {gpus[0].name}", gpus=(gpus[0],) * count)
        changed = _on(d, machine)
        if changed is not None:
            told = say("a second {gpu}", gpu=name) if count == 2 else say("{n}x {name}", n=count, name=name)
            yield _Change("device", (told,), f'--device "{count}x {name}"', changed)
            return


def _another_machine(asked: Asked) -> Iterator[_Change]:
    """Yield the smallest device of the catalogue on which it fits: of the same maker if there is one, fastest first."""
    d = asked.deployment
    if asked.sized:
        return
    gpu = d.machine.gpus[0] if d.machine.gpus else None
    needed = sum(float(a.at_most) for a in d.ledger.accounts if a.device.kind != "host" or gpu is None)
    sizes = sorted(
        (size, record.vendor != (gpu.vendor if gpu else record.vendor), -record.bandwidth_gb_s, record.name)
        for record in device_records()
        if _sold(record) and record.kind == (gpu.kind if gpu else "gpu")
        for size in record.sizes_gib
        if size * GIB > needed
    )
    for _, _, _, name in sorted(sizes, key=lambda s: (s[1], s[0], s[2]))[:12]:
        for title in (t for t in catalog.device_names() if t == name or t.startswith(f"{name} ")):
            changed = _on(d, catalog.device(title).machine())
            if changed is not None:
                short = short_device_name(title)
                told = say("another machine: {name}", name=short)
                yield _Change("machine", (told,), f'--device "{short}"', changed)
                return


def _sold(record: DeviceRecord) -> bool:
    return record.released >= RECENT and not record.sold_in and bool(record.prices) and "Laptop" not in record.name


def _on(d: Deployment, machine: Machine) -> Deployment | None:
    """Return the deployment on another machine if it fits there."""
    try:
        changed = d.on(machine)
    except GyakusanError:
        return None
    return changed if surely_fits(changed) and math.isfinite(changed.spare) else None
