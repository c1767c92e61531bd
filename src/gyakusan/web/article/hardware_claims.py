"""What the article says of machines, money, speed and servers."""

from __future__ import annotations

from gyakusan import api
from gyakusan.catalog.devices import largest
from gyakusan.catalog.prices import prices_of
from gyakusan.catalog.rates import rate
from gyakusan.core.machine import Machine
from gyakusan.engines import registry
from gyakusan.message import say
from gyakusan.planning.select.compared_device import device_facts, price_as_named
from gyakusan.show.compare import Compared
from gyakusan.show.report import Picture, compare_report
from gyakusan.show.tree import Column, Table, Text
from gyakusan.show.wording import figure, quality
from gyakusan.units import GIB
from gyakusan.web.article.claim import BIG_CARD, CARD, MACHINES, PAIR, SHARED, Claim, Found, asked, compared, fit, named
from gyakusan.web.rendering import address

PAID = (
    ("RTX 5090", 450_000), ("Jetson AGX Orin 64GB", 410_000), ("DGX Spark", 550_000), ("GMKtec EVO-X2 128GB", 410_000),
    ("Mac Studio M4 Max 128GB", 583_800),
)  # fmt: skip
"""Machines of the article's table, and what they cost in December 2025; for the RTX 5090 the card alone [JPY]."""
ULTRA = "Mac Studio M3 Ultra"
SIZED = ("llama3.1-8b", "qwen2.5-14b")
"""The models of the article's figures 8 and 9."""
MAKES = ("RTX 4090", "RX 7900 XTX", "Mac Studio M4 Max 128GB")
"""A machine of each maker."""
KEY = Text(say("dot: forecast, bar: 80 % interval, diamond: measured by others"), "note")
"""What the signs of the charts are."""
SLOW, MIXED = "llama3.3-70b", ("gpt-oss-120b", "qwen3-next-80b")
"""A dense model, and mixtures of experts that are larger."""


def money() -> Found:
    """Return what the machines cost then, and what plans pay for them now."""
    rows = []
    for name, then in PAID:
        now, whole = price_as_named(_machine(name)), device_facts(_machine(name)).price
        alone = "?" if now is None else f"{now[0]:,.0f}"
        rows.append((name, f"{then:,}", alone, "?" if whole is None else f"{whole:,.0f}"))
    words = (
        say(
            "The article's price of the RTX 5090 is of the card alone; with a PC around it it costs what the last column says."
        ),
        say("Prices with shop and date stand in the catalogue."),
    )
    table = named(
        tuple(rows), say("machine"), say("article (JPY)"), say("the same now (JPY)"), say("whole computer (JPY)")
    )
    known = [device_facts(_machine(name)).price for name, _ in PAID]
    return Found(words, any(p is not None and p <= 1_000_000 for p in known), (table,))


def ultra() -> Found:
    """Return what the largest Macs cost at their launch."""
    prices = {size: next(p for p in prices_of(ULTRA, size) if p.launch) for size in (256, 512)}
    yen = {size: p.amount * rate(p.currency, "JPY", p.date).rate for size, p in prices.items()}
    rows = tuple((f"{ULTRA} {size} GB", f"{prices[size].amount:,.0f}", f"{yen[size]:,.0f}") for size in prices)
    words = (
        say("With 512 GB, yes. With 256 GB it was near the limit at its launch, before tax, not far above it."),
        say("Neither is made any more, so that plans propose none."),
    )
    table = named(rows, say("machine"), say("at launch (USD)"), say("by the rate of then (JPY)"))
    return Found(words, yen[512] > 1_300_000 and yen[256] < 1_200_000, (table,))


def shared_memory() -> Found:
    """Return what of shared memory an engine can have."""
    machines = [_machine(name) for name in SHARED]
    rows = tuple(
        (name, f"{(m.gpus[0].memory or 0) / GIB:.1f}", f"{(m.gpus[0].usable or 0) / GIB:.1f}")
        for name, m in zip(SHARED, machines, strict=True)
    )
    words = say("The system, its programs and a limit of the driver or the BIOS come first.")
    table = named(rows, say("machine"), say("memory (GiB)"), say("usable (GiB)"))
    return Found((words,), all(_share(m) < 0.95 for m in machines), (table,))


def _share(machine: Machine) -> float:
    gpu = machine.gpus[0]
    return (gpu.usable or 0) / (gpu.memory or 1)


def _machine(name: str) -> Machine:
    return api.machine_for(largest(name), None)


def fastest() -> Found:
    """Return the article's figures 8 and 9."""
    found = compared(MACHINES, *SIZED)
    pace = {(r.model, r.device): _pace(r) for r in found.rows}
    by_device = {d: pace[SIZED[1], d] for m, d in pace if m == SIZED[1]}
    first = max(by_device, key=by_device.__getitem__)
    rest = [v for d, v in by_device.items() if d not in _cards(by_device)]
    words = say(
        "{device} answers with {n} tokens/s of {model}. All of these are faster than people read; people and prompts decide.",
        device=first, n=figure(by_device[first]), model=SIZED[1],
    )  # fmt: skip
    pictures = compare_report(found.rows, ()).pictures
    return Found((words,), first in _cards(by_device) and by_device[first] > 2 * max(rest), (KEY,), pictures)


def _cards(names: object) -> list[str]:
    return [str(n) for n in names if "RTX" in str(n)]  # type: ignore[attr-defined]


def _pace(row: Compared) -> float:
    return row.judged.speed.decode_each.value if row.judged.speed is not None else 0.0


def only_14b() -> Found:
    """Return whether a card holds more than 14b."""
    found = asked("gemma3-27b", 32768, 2, CARD)
    pace = found.speed
    words = say(
        "gemma3-27b fits 24 GB for two people with 32,768 tokens each, and answers each with {n} tokens/s.",
        n="?" if pace is None else figure(pace.decode_each.value),
    )  # fmt: skip
    return Found((words,), bool(found.fits))


def accuracy_first() -> Found:
    """Return a dense 70b beside larger mixtures of experts on shared memory."""
    found = compared(SHARED, SLOW, *MIXED)
    dense = [_pace(r) for r in found.rows if r.model == SLOW]
    mixed = [_pace(r) for r in found.rows if r.model != SLOW]
    words = (
        say(
            "{model}, a dense 70b, fits and answers with {low} to {high} tokens/s.",
            model=SLOW,
            low=figure(min(dense)),
            high=figure(max(dense)),
        ),
        say(
            "Larger mixtures of experts ({models}) answer with {n} or more on the same machines, and better.",
            n=figure(min(mixed)),
            models=", ".join(MIXED),
        ),
    )
    scores = {r.model: r.judged.overall for r in found.rows}
    better = all((s := scores[m]) is not None and (d := scores[SLOW]) is not None and s.value > d.value for m in MIXED)
    return Found(
        words, better and min(mixed) > 3 * max(dense), (KEY,), _answers(compare_report(found.rows, ()).pictures)
    )


def _answers(pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
    """Return the charts of answers: each model has one of answers, then one of prompts."""
    return pictures[::2]


def more_parameters() -> Found:
    """Return the quality of a small new model beside a large older one."""
    new, old = (asked(m, 8192, 1, "Mac Studio M4 Max 128GB").overall for m in ("gemma4-26b-a4b", SLOW))
    words = say(
        "Within one family, yes. Across years, no: gemma4-26b-a4b has {new} points, llama3.3-70b {old}.",
        new="?" if new is None else quality(new), old="?" if old is None else quality(old),
    )  # fmt: skip
    return Found((words,), new is not None and old is not None and float(new.value) > float(old.value))


def several_cards() -> Found:
    """Return whether two cards hold a 70b, and how fast."""
    two, spark = asked(SLOW, 8192, 2, PAIR), asked(SLOW, 8192, 2, "DGX Spark")
    speeds = [f.speed.decode_each.value if f.speed else 0.0 for f in (two, spark)]
    words = (
        say("Two RTX 3090 hold llama3.3-70b for two people with 8,192 tokens each."),
        say(
            "They answer with {two} tokens/s, a DGX Spark with {spark}.", two=figure(speeds[0]), spark=figure(speeds[1])
        ),
        say("They need a board, a case and a supply for two; one card is enough for what one would run today."),
    )
    return Found(words, bool(two.fits) and speeds[0] > speeds[1])


def servers() -> Found:
    """Return which server runs on which machine; of the four, two refuse some of them."""
    refused = {(e, d): bool(asked(SIZED[0], 8192, 1, d, e, "BF16").refusals) for e in registry.NAMES for d in MAKES}
    holds = not any(refused[registry.DEFAULT, d] for d in MAKES) and sum(refused.values()) == 3
    no, yes = Text(say("does not run"), "note"), Text(say("runs"))
    rows = tuple((Text(e), *(no if refused[e, d] else yes for d in MAKES)) for e in registry.NAMES)
    words = say("Nearly right: vLLM runs on some AMD cards, too. MLX-LM's own server is still not for production.")
    return Found((words,), holds, (Table((Column(say("server")), *map(Column, MAKES)), rows),))


CLAIMS = (
    Claim(
        "parameters", say("More parameters mean better answers, as a rule."), "conditions", more_parameters,
        address("/compare", model=("gemma4-26b-a4b", SLOW), device="Mac Studio M4 Max 128GB"),
    ),
    Claim(
        "cards", say("Several GPUs are possible, and not realistic."), "conditions", several_cards,
        fit(SLOW, 8192, 2, PAIR),
    ),
    Claim(
        "money", say("Machines for local models can be had for less than 1,000,000 yen."), "right", money,
        address("/plan", budget="1000000JPY", users=2),
    ),
    Claim(
        "ultra", say("A Mac Studio M3 Ultra with 256 or 512 GB is far above 1,000,000 yen."), "conditions", ultra,
        address("/catalogue/record", name=f"{ULTRA} 256GB"),
    ),
    Claim(
        "shared", say("Of shared memory, the computer's own part has to be subtracted."), "right", shared_memory,
        fit("gpt-oss-120b", 32768, 2, "DGX Spark"),
    ),
    Claim(
        "fastest", say("Where speed counts, an RTX 4090 or 5090 is best for models of about 14b."), "right", fastest,
        address("/compare", device=MACHINES, model=SIZED),
    ),
    Claim(
        "only-14b", say("On an RTX, about 14b is the largest model in practice."), "corrected", only_14b,
        fit("gemma3-27b", 32768, 2, CARD),
    ),
    Claim(
        "accuracy", say("Where answers count more than speed: 27b, 32b or 70b on an M4 Max or a DGX Spark."), "conditions",
        accuracy_first, address("/compare", device=SHARED, model=(SLOW, *MIXED)),
    ),
    Claim(
        "servers", say("Ollama is the easiest server; llama.cpp, vLLM and MLX-LM have their places."), "conditions", servers,
        address("/fit", model="gpt-oss-20b", device=BIG_CARD),
    ),
)  # fmt: skip
"""The claims about machines and servers, in the order of the article."""
