"""Fit: does a model fit on a machine for some people and a context, by how much, and what would mend it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from markupsafe import Markup
from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gyakusan import catalog, models
from gyakusan.core.ledger import KINDS, Account
from gyakusan.doors.shell import shell_words
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import DEFAULT, engine
from gyakusan.engines.service_files import has_systemd, service, shell_line
from gyakusan.errors import GyakusanError
from gyakusan.exports.export import export
from gyakusan.message import Message, duration, in_minutes, people, say
from gyakusan.models.given import PREFIX
from gyakusan.planning.predict.capacity import MOST_USERS, find_capacity
from gyakusan.planning.predict.memory_map import USERS, cache_types, own_cache, stops
from gyakusan.planning.predict.ways import Way, formats_of
from gyakusan.planning.request.request import ranking_metric
from gyakusan.python.inspection import Inspection
from gyakusan.show import ledger as ledgers
from gyakusan.show.charts.drawing import NARROW
from gyakusan.show.charts.memory_bar import memory_bar
from gyakusan.show.tree import Tell, Words
from gyakusan.show.wording import SCALE, format_name, gib, machine_words, needed_gib, quality, rate, seconds, spare_gib
from gyakusan.web import answers
from gyakusan.web.choices import CACHES, TASK_TEXTS, device_names, engine_name, engine_names, model_names
from gyakusan.web.problems import Refused, refused
from gyakusan.web.queries import InspectQuery, StartForm, read, typed
from gyakusan.web.reader import Reader, reader_of
from gyakusan.web.rendering import address, page
from gyakusan.web.server_starts import check

PART_TEXTS = {
    "weights": "Weights", "kv_cache": "KV cache", "recurrent_state": "Recurrent state", "scratch": "Compute buffer",
    "overhead": "Overhead",
}  # fmt: skip
"""Kind of a line -> its name; the page's script says the same."""
QUALITY_TEXTS = {
    "overall": "Quality", "japanese": "Quality in Japanese", "coding": "Quality in coding", "agentic": "Quality as an agent",
}  # fmt: skip
"""Quality that ranks for a task and a language -> head of its tile."""
COLUMN = 640
"""Width of the bar in its column of a wide page. [user units]"""
OTHER_DEVICES = ("RTX 5090", "DGX Spark 128GB", "M4 Max 128GB")
"""What a machine is compared with where nobody names others."""
PUBLIC_DEVICE = "RTX 4090"
"""Where a public copy is asked about no device: it knows no computer."""


class Bar(Struct, frozen=True):
    """The memory of one device as a bar.

    name: of the device
    parts: kind, label and bytes of each part [B]
    account: the same as lines
    wide: the bar for a wide page
    narrow: the bar for a telephone
    """

    name: str
    parts: tuple[tuple[str, str, float], ...]
    account: Account
    wide: Markup
    narrow: Markup


class Tab(Struct, frozen=True):
    """One way to start the server.

    name: shown on the tab
    text: to copy
    then: commands of a client, once the server listens
    """

    name: str
    text: str
    then: tuple[str, ...] = ()


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    query = read(InspectQuery, request.query_params.multi_items())
    if request.app.state.public and query.device is None and query.memory is None:
        query = structs.replace(query, device=PUBLIC_DEVICE)
    if query.quant is None and query.engine != DEFAULT:
        query = structs.replace(query, quant=_usual_format(query))
    found = answers.inspect(query)
    d, reader = found.deployment, reader_of(request)
    formats = _formats(d)
    asked: dict[str, Any] = {
        "engines": engine_names(), "tasks": TASK_TEXTS.items(), "models": model_names(),
        "devices": device_names(), "formats": formats,
        "shown_formats": [format_name(name) for name in formats], "quant": d.quantization,
        "context": int(found.load.context), "users": int(found.load.users), "cache": own_cache(d), "caches": cache_types(d.rules),
        "stops": (stops(d.model.trained_context, int(found.load.context)), sorted({*USERS, int(found.load.users)})),
    }  # fmt: skip
    return page(
        request, "fit.html", say("Does {model} fit on {machine}?", model=d.name, machine=machine_words(d.machine)),
        **asked, query=query, found=found, tone=_tone(found), verdict=_verdict(found), spare=_spare(found.tightest, found),
        takes=_takes(found), bars=[_bar(a, reader.tell) for a in found.accounts], ways=list(_ways(query, found)),
        room=_room(found), tiles=list(_tiles(query, found)), tabs=list(_tabs(found, reader.tell)), lines=list(_lines(found)),
        gib=gib, format_name=format_name, called=_called,
        map_address="" if found.refusals else address("/api/v1/memory-map", **_named(query)), words=_script_words(reader),
        neighbours=_neighbours(query, found), start=_start(query, found) if request.app.state.acts else ("", ()),
    )  # fmt: skip


def draw_refused(told: Refused, request: Request) -> Response:
    """Return the page of a question without an answer, with what was typed. Raises GyakusanError."""
    return page(
        request, "fit_refused.html", told.title, heading=say("Does a model fit on a machine?"), status=told.status,
        refused=told, query=typed(InspectQuery, request.query_params.multi_items()), models=model_names(),
        devices=device_names(), engine=engine_name(request.query_params.get("engine")),
        engines=[(name, name) for name in engine_names()], tasks=TASK_TEXTS.items(),
    )  # fmt: skip


def _usual_format(query: InspectQuery) -> str | None:
    """Return the published format of an engine whose weights are nearest in size to those that people usually download."""
    from gyakusan.models.assemble import plain

    try:
        record, rules = catalog.model(query.model), engine(query.engine)
    except GyakusanError:
        return None
    usual = models.load(record.name, offline=True).bytes
    published = [v for v in rules.variants(plain(record), record) if v.published]
    return min(published, key=lambda v: abs(v.model.bytes - usual)).name if published else None


def _named(query: InspectQuery) -> dict[str, Any]:
    return {name: getattr(query, name) for name in query.__struct_fields__}


def _tone(found: Inspection) -> str:
    return "no" if found.refusals else {"fits": "yes", "unsure": "tight", "short": "no"}[found.fit]


def _verdict(found: Inspection) -> Message:
    if found.refusals:
        return say("It does not run.")
    return {"fits": say("It fits."), "unsure": say("It may not fit."), "short": say("It does not fit.")}[found.fit]


def _spare(account: Account, found: Inspection) -> Message | None:
    if found.refusals or account.spare is None:
        return None
    spare = float(account.spare)
    if spare >= 0:
        return say("at least {gib} GiB to spare", gib=spare_gib(spare))
    if found.fit == "unsure":
        return say("up to {gib} GiB short", gib=needed_gib(-spare))
    return say("{gib} GiB short", gib=needed_gib(-spare))


def _takes(found: Inspection) -> tuple[Message, ...]:
    """Return the reason in a sentence or two."""
    if found.refusals:
        return found.refusals
    account, load = found.tightest, found.load
    alone = int(load.users) == 1
    told = {
        "people": people(int(load.users)), "context": f"{int(load.context):,}", "low": gib(float(account.at_least)),
        "high": gib(float(account.at_most)),
    }  # fmt: skip
    usable = account.device.usable
    if usable is None:
        first = (
            say("1 person with {context} tokens takes {high} GiB; the memory is unknown.", **told)
            if alone
            else say("{people} with {context} tokens each take {high} GiB; the memory is unknown.", **told)
        )
    else:
        told["usable"] = gib(float(usable))
        first = (
            say("1 person with {context} tokens takes {low} to {high} GiB; {usable} GiB are usable.", **told)
            if alone
            else say("{people} with {context} tokens each take {low} to {high} GiB; {usable} GiB are usable.", **told)
        )
    more = (
        (say("The model was trained for {n} tokens; {context} are asked for.", n=f"{found.model.trained_context:,}", **told),)
        if found.beyond_training
        else ()
    )  # fmt: skip
    return (first, *more)


def _called(account: Account) -> str:
    """Return the device's name, "RAM" for the computer's memory: what it holds is not the processor's."""
    return "RAM" if account.device.kind == "host" else account.device.name


def _bar(account: Account, tell: Tell) -> Bar:
    parts = tuple((kind, PART_TEXTS[kind], float(account.of(kind))) for kind in KINDS)
    wide, narrow = (Markup(memory_bar(account, tell, width)) for width in (COLUMN, NARROW))
    return Bar(_called(account), tuple(p for p in parts if p[2] > 0), account, wide, narrow)


def _ways(query: InspectQuery, found: Inspection) -> Iterator[tuple[Way, str, str]]:
    """Yield each change with which it fits, the address that makes it, and what is to spare; "" where no field makes it."""
    for way in found.ways[:4]:
        changed = _changed(way, found.deployment)
        to = "" if changed is None else address("/fit", **{**_named(query), **changed})
        yield way, to, spare_gib(way.surely_left)


def _changed(way: Way, d: Deployment) -> dict[str, str] | None:
    """Return the values of the address that a way changes: its options as they are typed. None if one has no field here."""
    changed: dict[str, str] = {}
    words = shlex.split(way.options)
    for option, value in zip(words[::2], words[1::2], strict=False):
        kind = _cache_of(value, d) if option == "--set" else None
        if kind is not None:
            changed["kv_type"] = kind
            continue
        name = option.removeprefix("--").replace("-", "_")
        if not option.startswith("--") or value.startswith("--") or name not in InspectQuery.__struct_fields__:
            return None
        changed[name] = value
    return None if len(words) % 2 else changed


def _cache_of(pair: str, d: Deployment) -> str | None:
    """Return the type of cache that a setting of an engine means, "kv_cache_type=q8_0"; None for another setting."""
    kinds = cache_types(d.rules)[1:]
    pairs = {
        f"{k}={v}".casefold(): kind for kind in kinds for k, v in (d.rules.cache_setting(kind.upper()) or {}).items()
    }
    return pairs.get(pair.casefold())


def _room(found: Inspection) -> Message | None:
    """Return how far the load can grow where it fits."""
    if found.fit != "fits" or found.refusals or found.beyond_training or found.tightest.spare is None:
        return None
    most, load = find_capacity(found.deployment), found.load
    told = {
        "context": f"{most.context:,}", "now": people(int(load.users)), "people": people(most.users),
        "tokens": f"{int(load.context):,}",
    }  # fmt: skip
    if most.users >= MOST_USERS:
        return say("There is room for {context} tokens for {now}.", **told)
    if most.context <= int(load.context):
        return say("There is room for {people} at {tokens} tokens.", **told)
    return say("There is room for {context} tokens for {now}, or {people} at {tokens} tokens.", **told)


def _tiles(query: InspectQuery, found: Inspection) -> Iterator[tuple[Message, Words, Message | None, Message]]:
    """Yield label, figure, unit and remark of each tile. What does not start has no speed."""
    speed, starts = found.speed, found.fit != "short" and not found.refusals
    turn = found.assessment.turn
    rows: tuple[tuple[Message, str, Message | None, Callable[[float], Words]], ...] = (
        (say("Answer, per person"), "decode_each", say("tokens/s"), rate),
        (say("Reading the prompt"), "prefill", say("tokens/s"), rate),
        (say("First token after"), "ttft", say("s"), seconds),
    )
    for label, name, unit, said in rows:
        if speed is None or not starts:
            reason = (
                say("It does not start, so it has no speed")
                if not starts
                else (found.assessment.unknown or say("Speed unknown"))
            )
            yield label, "-", None, reason
            continue
        figure = getattr(speed, name)
        if name == "ttft" and in_minutes(figure.value):
            unit, said = None, duration
        told = {"low": said(figure.low), "high": said(figure.high), "prompt": f"{turn.prompt:,.0f}"}
        yield label, said(figure.value), unit, say("80 %: {low}-{high}, prompt of {prompt} tokens", **told)
    metric = ranking_metric(query.task or "chat", query.language)
    score = found.assessment.score(metric)
    remark = SCALE if score else say("No published score is known")
    yield Message(QUALITY_TEXTS[metric]), quality(score) if score else "?", None, remark


def _formats(d: Deployment) -> tuple[str, ...]:
    try:
        return formats_of(d) if d.model.catalogue_name else (d.quantization,)
    except GyakusanError:
        return (d.quantization,)


def _tabs(found: Inspection, tell: Tell) -> Iterator[Tab]:
    """Yield the command, the Compose file and the unit of systemd, where there is one; nothing for what does not start."""
    d = found.deployment
    if found.refusals or found.fit == "short":
        return
    try:
        made = service(d, d.command)
        yield Tab(d.engine, shell_line(made), tuple(shell_words(words) for words in made.command.then))
    except GyakusanError:
        return
    for name in ("compose", "systemd"):
        if name == "systemd" and not has_systemd(d.machine):
            continue
        with suppress(GyakusanError):
            yield Tab(name, export([d], name, tell=tell), tuple(shell_words(words) for words in made.command.then))


def _lines(found: Inspection) -> Iterator[tuple[Account, Any, Message, str, str]]:
    """Yield each line of the ledger: device, line, label, its bytes and its range [GiB]."""
    for account in found.accounts:
        for line in ledgers.shown(account):
            low, high = gib(float(line.least)), gib(float(line.greatest))
            yield (
                account,
                line,
                ledgers.label(line, account),
                gib(float(line.bytes)),
                "" if low == high else f"{low}-{high}",
            )


def _neighbours(query: InspectQuery, found: Inspection) -> tuple[str, str]:
    """Return the addresses of the two questions beside this one: other machines, other models."""
    context, users = int(found.load.context), int(found.load.users)
    others = tuple(dict.fromkeys((query.device or "RTX 4090", *OTHER_DEVICES)))
    quant = query.quant if query.engine == DEFAULT else None  # a comparison takes its formats from the usual server
    cache = query.kv_type if query.kv_type in CACHES else None
    machines = address(
        "/compare", model=query.model, device=others, quant=quant, context=context, users=users,
        currency=query.currency,
    )  # fmt: skip
    models = address(
        "/plan", device=query.device, memory=query.memory, ram=query.ram, context=context, users=users,
        images=query.images, task=query.task, language=query.language, bandwidth=query.bandwidth, prompt=query.prompt,
        kv_type=cache, currency=query.currency,
    )  # fmt: skip
    return machines, models


def _start(query: InspectQuery, found: Inspection) -> tuple[str, tuple[Message, ...]]:
    """Return where the same is started, or why it cannot be yet: its files are missing.

    Both are empty where it is not this computer, would not start, or has settings of its own.
    """
    from gyakusan.python.options import deployed

    elsewhere = query.device or query.memory or query.ram or query.images or query.model.startswith(PREFIX)
    if elsewhere or found.fit == "short" or found.refusals:
        return "", ()
    context, users = int(found.load.context), int(found.load.users)
    plain = deployed(query.model, {}, engine=query.engine, offline=True, context=context, users=users)
    if plain.settings != found.deployment.settings or plain.quantization != found.deployment.quantization:
        return "", ()  # a start has no field for it
    try:
        check(StartForm(model=query.model, engine=query.engine, context=str(context), users=str(users)))
    except GyakusanError as error:
        return "", refused(error).lines
    return address("/computer", model=query.model, engine=query.engine, context=context, users=users) + "#start", ()


def _script_words(reader: Reader) -> dict[str, str]:
    """Return the sentences that the page's script fills in, in the reader's language."""
    told = {
        "yes": say("It fits."), "tight": say("It may not fit."), "no": say("It does not fit."),
        "spare": Message("at least {gib} GiB to spare"), "upto": Message("up to {gib} GiB short"),
        "short": Message("{gib} GiB short"),
        "takes": Message("{people} with {context} tokens each take {low} to {high} GiB; {usable} GiB are usable."),
        "takes_one": Message("1 person with {context} tokens takes {low} to {high} GiB; {usable} GiB are usable."),
        "one": say("1 person"), "many": Message("{n} people"),
        "contexts": say("context for each person"), "users": say("people at once"),
        "fits": say("fits"), "unsure": say("may not fit"), "does_not": say("does not fit"),
        "edge": Message("edge with {cache}"), "cell": Message("{context} tokens x {people}: {gib} GiB, {fit}"),
        **{kind: say(text) for kind, text in PART_TEXTS.items()},
    }  # fmt: skip
    names = ("gib", "people", "context", "low", "high", "usable", "n", "cache", "fit")
    blank = {name: "{" + name + "}" for name in names}
    return {key: reader.tell(Message(m.template, blank)) for key, m in told.items()}
