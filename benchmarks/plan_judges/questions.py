"""Questions of a fixed seed: what people own or may spend, how many they are, what they do, in which language and currency.

Devices are drawn by halves from what people own (public surveys and forums know these names) and from every device of the
catalogue; nothing here was chosen by the answer it gives.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gyakusan import machines
from gyakusan.catalog.devices import device_records
from gyakusan.catalog.records import entries
from gyakusan.errors import UnknownName

OWNED = (
    *("RTX 3060 12GB", "RTX 3070", "RTX 3080 10GB", "RTX 3090", "2x RTX 3090", "RTX 4060 8GB", "RTX 4060 Ti 16GB"),
    *("RTX 4070", "RTX 4070 Ti SUPER", "RTX 4080", "RTX 4090", "2x RTX 4090", "RTX 5060 Ti 16GB", "RTX 5070"),
    *("RTX 5070 Ti", "RTX 5080", "RTX 5090", "2x RTX 5090", "RTX A6000", "RTX PRO 6000 Blackwell", "L40S"),
    *("A100 80GB PCIe", "8x H100 80GB HBM3", "RX 6700 XT", "RX 7900 XTX", "RX 9070 XT", "AI PRO R9700"),
    *("Arc A770 16GB", "Arc B580", "DGX Spark", "Jetson AGX Orin 64GB", "Jetson Orin Nano 8GB", "M1 Max 64GB"),
    *("M2 Ultra 192GB", "M3 Max 96GB", "M4 Pro 48GB", "M4 Max 128GB", "M3 Ultra 512GB", "Framework Desktop 128GB"),
    *("Tesla T4", "Tesla P40", "GTX 1080 Ti"),
)  # fmt: skip
"""What people own, as they write it."""
BUDGETS = {
    "JPY": (30_000, 60_000, 100_000, 200_000, 350_000, 500_000, 800_000, 1_000_000, 1_500_000, 2_500_000, 4_000_000),
    "USD": (200, 400, 700, 1_000, 1_500, 2_500, 4_000, 6_000, 10_000, 20_000),
    "EUR": (250, 500, 1_000, 2_000, 3_500, 6_000, 12_000),
}
TASKS = ("chat", "coding", "rag", "agents", "translation")
CONTEXTS = ("8k", "16k", "32k", "64k", "128k")
USERS = (1, 1, 2, 4, 5, 8, 16, 32)
OLLAMA = 7
"""Every seventh question asks for Ollama; seven is no multiple of three, so every kind of question does."""
RAM = (None, None, "16GiB", "32GiB", "64GiB", "128GiB")


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    number: its place
    values: options of `gyakusan plan`
    currency: of the asker, "" = no money is asked about
    """

    number: int
    values: dict[str, Any]
    currency: str = ""

    @property
    def command(self) -> str:
        """Return the question as one types it."""
        return "gyakusan plan " + " ".join(f"--{k.replace('_', '-')} {_quoted(v)}" for k, v in self.values.items())


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text


def questions(count: int, seed: int) -> Iterator[Question]:
    """Yield questions: a third about a device that people own, a third about any device, a third about a budget."""
    rng = random.Random(seed)
    every = sorted(set(catalogue_devices()))
    for number in range(count):
        values: dict[str, Any] = {}
        currency = ""
        if number % 3 == 2:
            currency = rng.choice(tuple(BUDGETS))
            values["budget"] = f"{rng.choice(BUDGETS[currency])}{currency}"
            if rng.random() < 0.3:
                values["used"] = True
        else:
            values["device"] = rng.choice(OWNED) if number % 3 == 0 else rng.choice(every)
            ram = rng.choice(RAM)
            if ram is not None and machines.parse(values["device"]).host is not None:  # no RAM beside one shared memory
                values["ram"] = ram
        if number % OLLAMA == OLLAMA - 1:
            values["engine"] = "ollama"
        yield Question(number, {**values, **_people(rng)}, currency)


def _people(rng: random.Random) -> dict[str, Any]:
    """Return who asks: people, task, context and language; what nobody says is left out."""
    found: dict[str, Any] = {
        "users": rng.choice(USERS),
        "task": rng.choice(TASKS),
        "language": rng.choice(("en", "ja")),
    }
    if rng.random() < 0.7:
        found["context"] = rng.choice(CONTEXTS)
    if rng.random() < 0.3:
        found["prefer"] = rng.choice(("quality", "speed", "price"))
    return found


def catalogue_devices() -> Iterator[str]:
    """Yield names of graphics cards and computers of the catalogue, with a size where the name alone means several."""
    records = dict(zip(entries("device"), device_records(), strict=True))
    for entry in (*entries("device"), *entries("machine")):
        if entry in records and records[entry].kind == "host":
            continue
        try:
            machines.parse(entry.name)
            yield entry.name
        except UnknownName:
            yield from (f"{entry.name} {size:g}GB" for size in entry.sizes)


def budget_chains(count: int, seed: int) -> Iterator[tuple[Question, ...]]:
    """Yield questions that differ in the budget alone, each a quarter above the one before."""
    rng = random.Random(seed + 1)
    for number in range(count):
        currency = rng.choice(tuple(BUDGETS))
        start, people = rng.choice(BUDGETS[currency][:-2]), _people(rng)
        steps = [round(start * 1.25**i) for i in range(6)]
        yield tuple(Question(number, {"budget": f"{amount}{currency}", **people}, currency) for amount in steps)
