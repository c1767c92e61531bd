"""The tables of docs/*/guide/: the seed guide's hardware and sizes of model, with the figures of today's catalogue."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import gyakusan
from gyakusan import api
from gyakusan.catalog.devices import find
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine, Price
from gyakusan.engines.deployment import Deployment
from gyakusan.message import say
from gyakusan.planning.predict.assessment import assess
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.predict.speed import Estimate
from gyakusan.planning.select.compared_device import device_facts, price_as_named
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.show.amounts import amount_words
from gyakusan.text import tell

GUIDE = "Qiita guide to local LLMs"
"""How the source of a price begins that was taken from the guide itself."""
LADDER = ("llama3.1-8b", "qwen2.5-14b", "gemma3-27b", "qwen2.5-32b", "llama3.3-70b")
"""A well-known dense model of each size that the guide speaks of: 8b, 14b, 27b, 32b, 70b."""
NEWER = ("gpt-oss-20b", "gemma4-26b-a4b", "qwen3.6-35b-a3b")
"""Mixtures of experts that appeared around or after the guide, of about the same size in memory."""
HARDWARE = (
    ("RTX 5050", "RTX 5060 Ti 16GB", "RTX 5080", "RTX 5090"),
    ("RTX 5060 Laptop", "RTX 5080 Laptop", "RTX 5090 gaming laptop PC"),
    ("Jetson Orin Nano 4GB", "Jetson Orin NX 16GB", "Jetson AGX Orin 32GB", "Jetson AGX Orin 64GB"),
    ("DGX Spark",),
    ("GMKtec EVO-X2 64GB", "GMKtec EVO-X2 128GB"),
    ("Mac Studio M4 Max 64GB", "Mac Studio M4 Max 128GB"),
)
"""The rows of the guide's table, each as devices of the catalogue: the smallest, the largest, and what stands between."""
_CACHE = ("memory", "the-kv-cache-of-gpt-oss-20b", "gpt-oss-20b-のkvキャッシュ")
_TWO = ("conclusions", "14b-to-27b-with-two-people", "14b-27b-を2人で")
_SHARED = ("conclusions", "70b-in-unified-memory", "共有メモリで-70b")
PLACES = {
    "files": ("memory", "weights", "重み"), "parts": ("memory", "the-four-parts", "4つの内訳"), "cache": _CACHE,
    "weights": _CACHE, "starting": _CACHE, "growth": ("memory", "what-a-token-costs", "1トークンあたりのメモリ"),
    "dense": ("memory", "14b-27b-and-70b", "14b27b70b"), "two-people": _TWO,
    "largest": ("conclusions", "32b-on-32-gb", "32-gb-に-32b"), "parameters": _SHARED,
    "cards": ("conclusions", "several-gpus", "複数-gpu"), "money": ("hardware", "", ""), "ultra": ("hardware", "", ""),
    "shared": ("hardware", "", ""), "fastest": ("speed", "", ""), "only-14b": _TWO, "accuracy": _SHARED,
    "servers": ("servers", "", ""),
}  # fmt: skip
"""Claim of the article -> page of the guide that works it through, with its heading in English and in Japanese."""
USERS, CONTEXT = 2, 32768
"""The load that the guide draws its charts for. [people], [tokens for each]"""

Texts = Callable[[str, str], str]
Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]


class Tools(NamedTuple):
    """What tools/docs.py lends: translated(text, language), table(head, rows)."""

    translated: Texts
    table: Table


def part(rest: str, language: str, tools: Tools) -> str:
    """One table. rest: claims, hardware, models, or fits with the names of devices. Raises ValueError for another one."""
    name, *devices = shlex.split(rest)
    made = {"claims": _claims, "hardware": _hardware, "models": _models, "fits": _fits}.get(name)
    if made is None:
        raise ValueError(f"the guide has no table {name!r}; there are claims, hardware, models, fits")
    head, rows = made(language, tools.translated, devices)
    return tools.table([tools.translated(h, language) for h in head], rows)


Made = tuple[Sequence[str], list[Sequence[str]]]


def _claims(language: str, texts: Texts, _devices: Sequence[str]) -> Made:
    """Each claim of the article with its verdict, as the page of the article has them, and where it is worked through."""
    from gyakusan.web.article.claims import CLAIMS, JUDGED_TEXTS

    head = ("the article says", "verdict", "what we find", "worked through in")
    rows: list[Sequence[str]] = []
    for claim in CLAIMS:
        page, anchor, japanese = PLACES[claim.name]
        words = [w for w in claim.find().words if not w.template.endswith(":")]  # what leads to a table of the page
        said = ("" if language == "ja" else " ").join(tell(line, language) for line in words)
        where = f"{page}.md#{japanese if language == 'ja' else anchor}".removesuffix("#")
        verdict = tell(JUDGED_TEXTS[claim.judged], language)
        if claim.judged == "corrected":
            verdict = f"**{verdict}**"
        rows.append((tell(claim.said, language), verdict, said, f"[{texts(page, language)}]({where})"))
    return head, rows


def _hardware(language: str, _texts: Texts, _devices: Sequence[str]) -> Made:
    """What each machine has, what of it is usable, and what it cost then and was last seen for."""
    head = (
        "device", "memory (GiB)", "usable (GiB)", "bandwidth (GB/s)", "price in the guide", "the same now", "whole computer now",
    )  # fmt: skip
    rows = [
        (
            machine.name,
            _gib(machine.gpus[0].memory),
            _gib(machine.gpus[0].usable),
            f"{(machine.gpus[0].bandwidth or 0) / 1e9:,.0f}",
            _price([p for p in prices if p.source.startswith(GUIDE)], language),
            *_now(machine, language),
        )
        for machine, prices in map(_machine, sum(HARDWARE, ()))
    ]
    return head, list(rows)


def _machine(name: str) -> tuple[Machine, tuple[Price, ...]]:
    """A machine of the catalogue, and the prices of its own record: a chip's do not count for a computer."""
    machine = api.machine_for(name, None)
    return machine, machine.prices if find(name).is_machine else machine.gpus[0].prices


def _gib(size: int | None) -> str:
    return "?" if size is None else f"{size / 2**30:.1f}"


def _price(prices: Sequence[Price], language: str) -> str:
    """The cheapest and the dearest of one currency, yen if there are any, with the newest date."""
    yen = [p for p in prices if p.currency == "JPY"] or list(prices)
    if not yen:
        return "-"
    amounts = sorted({p.amount for p in yen if p.currency == yen[0].currency})
    shown = " - ".join(f"{a:,.0f}" for a in dict.fromkeys((amounts[0], amounts[-1])))
    amount = amount_words(shown, yen[0].currency)
    return tell(say("{price} ({date})", price=amount, date=max(p.date for p in yen)), language)


def _now(machine: Machine, language: str) -> tuple[str, str]:
    """What plans pay today for what the name says, with its month, and for a whole computer with it."""
    alone, whole = price_as_named(machine), device_facts(machine).price
    same = "-"
    if alone is not None:
        amount = amount_words(f"{alone[0]:,.0f}", "JPY")
        same = tell(say("{price} ({date})", price=amount, date=alone[1]), language)
    return same, "-" if whole is None else tell(amount_words(f"{whole:,.0f}", "JPY"), language)


def _models(language: str, texts: Texts, _devices: Sequence[str]) -> Made:
    """For the guide's load: the largest of its sizes that fits, and what the planner would take today."""
    head = ("device", "largest of the guide's", "tokens/s", "highest quality today", "tokens/s", "quality")
    rows: list[Sequence[str]] = []
    for name in sum(HARDWARE, ()):
        fitting = [(m, asked) for m in LADDER if (asked := _asked(m, name)).ledger.fits]
        found = gyakusan.plan(device=name, users=USERS, context=CONTEXT)
        old = _old(fitting[-1]) if fitting else (texts("none of them", language), "-")
        rows.append((api.machine_for(name, None).name, *old, *_best(found)))
    return head, rows


def _asked(model: str, device: str) -> Deployment:
    return api.deployment(model, load=Load(USERS, CONTEXT), device=device)


def _old(row: tuple[str, Deployment]) -> tuple[str, str]:
    pace = assess(row[1], row[1].ledger).speed
    return f"{row[0]} {row[1].model.quantization}", _figure(pace.decode_each if pace else None)


def _best(found: Recommendation) -> tuple[str, str, str]:
    best = next((p for p in found.plans if "best" in p.roles), None)
    if best is None:
        return "-", "-", "-"
    name = f"{best.name} {best.quantization}, {best.engine}"
    pace = _figure(best.pace.decode_each if best.pace else None)
    return name, pace, f"{best.score.value:.0f} ±{best.score.error:.0f}"


def _figure(found: Estimate | None) -> str:
    """12.3 (9.1-16), with two or three digits."""
    if found is None:
        return "?"

    def digits(x: float) -> str:
        return f"{x:.1f}" if x < 20 else f"{x:,.0f}"

    return f"{digits(found.value)} ({digits(found.low)}-{digits(found.high)})"


def _fits(language: str, texts: Texts, devices: Sequence[str]) -> Made:
    """How long a context each of 1, 2 and 4 people can have, with f16 caches under llama.cpp."""
    people = (1, 2, 4)
    head = ["model", "weights (GB)"] + [f"{d}: {n}" for d in devices for n in people]
    rows: list[Sequence[str]] = []
    for model in (*LADDER, *NEWER):
        cells = [cell for d in devices for cell in _contexts(model, d, people, texts("no", language))]
        rows.append((model, f"{_asked(model, devices[0]).model.bytes / 1e9:.1f}", *cells))
    return head, rows


def _contexts(model: str, device: str, people: Sequence[int], no: str) -> Iterator[str]:
    for users in people:
        asked = api.deployment(model, load=Load(users, 1024), device=device)
        found = find_capacity(asked)
        yield f"{found.context // 1024:,}k" + ("*" if found.trained else "") if found.context >= 1024 else no
