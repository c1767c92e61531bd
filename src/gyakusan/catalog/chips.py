"""Find what a chip can do by its name. Facts: data/chips.csv, one row for each chip; rates are dense."""

from __future__ import annotations

import csv
import re
from functools import cache, lru_cache

from msgspec import Struct

from gyakusan.catalog.names import parse_device_name
from gyakusan.catalog.places import DATA
from gyakusan.doors.files import packaged
from gyakusan.patterns import late
from gyakusan.units import GIB

WITHOUT_BF16 = ("maxwell", "pascal", "volta", "turing", "gcn", "rdna1", "rdna2")
"""Families of chips without products in BF16."""

NVLINK = {"pascal": 80e9, "volta": 150e9, "ampere-dc": 300e9, "hopper": 450e9, "blackwell-dc": 900e9}
"""Family -> bandwidth of all its NVLinks, one way [B/s]."""
FEWER_LINKS = {"A800": 8 / 12, "H800": 8 / 18}
"""Start of a name -> share of the family's NVLinks that it has: 400 GB/s both ways (NVIDIA's data sheets). H20 has all 18."""
LANE = {
    1: 2.5e9 / 8 * 8 / 10,
    2: 5e9 / 8 * 8 / 10,
    3: 8e9 / 8 * 128 / 130,
    4: 16e9 / 8 * 128 / 130,
    5: 32e9 / 8 * 128 / 130,
}
"""Generation of PCIe -> bandwidth of one lane, one way: 8b/10b of 2.5 GT/s, 128b/130b of the others (PCI-SIG) [B/s]."""
ASSUMED_BUS = "4.0 x16"
"""Bus of a card whose own is not known."""
THUNDERBOLT_4, THUNDERBOLT_5 = 5e9, 10e9
"""40 and 80 Gb/s one way (Intel; the 120 Gb/s of Thunderbolt 5 are of a screen alone). USB4 has 40, too [B/s]."""
NETWORKS = (
    (
        ("Apple M4 Pro", "Apple M4 Max", "Apple M3 Ultra", "Apple M5 Pro", "Apple M5 Max", "Apple M5 Ultra"),
        THUNDERBOLT_5,
    ),
    (("GB10", "NVIDIA DGX Spark"), 25e9),
    (("Jetson AGX Thor",), 12.5e9),
    (("Jetson T4000",), 9.375e9),
    (("Jetson AGX Orin",), 1.25e9),
    (("Jetson Orin",), 0.125e9),
)
"""Starts of names -> bandwidth of the network between whole computers, one way; others have Thunderbolt 4 or USB4 [B/s].

Apple's technical specifications; ConnectX-7 of 200 Gb/s (DGX Spark); Ethernet of four times 25, three times 25, 10 and 1 Gb/s
(NVIDIA's data sheets of the Jetson modules, recalled).
"""


class Chip(Struct, frozen=True):
    """One chip, as far as speed is concerned.

    name: ours
    family: its generation, "" = not in our table
    memory: as sold, 0 = several sizes [B]
    bandwidth: of its memory [B/s]
    single: FP32 on the ordinary cores [FLOP/s]
    half: FP16 or BF16 with FP32 sums, on tensor cores where there are any [FLOP/s]
    int8: INT8 products [FLOP/s]
    fp8: FP8 products, 0 = none [FLOP/s]
    fp4: FP4 products, 0 = none [FLOP/s]
    link: how several of them are connected: nvlink, pcie or unified
    source: of the figures
    checked: when they were read, ISO 8601
    bus: generation and lanes of PCIe, e.g. "5.0 x16", "" = not known or none
    """

    name: str
    family: str
    memory: float
    bandwidth: float
    single: float
    half: float
    int8: float
    fp8: float
    fp4: float
    link: str
    source: str
    checked: str
    bus: str = ""

    @property
    def bf16(self) -> float:
        """Rate of BF16 products: that of FP16 where the chip has it, 0 where it has not [FLOP/s]."""
        return 0.0 if self.family.startswith(WITHOUT_BF16) else self.half

    @property
    def between(self) -> float:
        """Bandwidth from one of them to another, one way [B/s].

        NVLink by generation (NVIDIA's data sheets of P100, V100, A100, H100 and B200: half of what both directions have
        together); PCIe by the card's bus. GeForce cards have no way to each other's memory over PCIe (NVIDIA's driver reports
        no peer access), so that everything passes the computer's memory: half.
        """
        if self.link == "nvlink":
            share = next((share for name, share in FEWER_LINKS.items() if self.name.startswith(name)), 1.0)
            return NVLINK.get(self.family, NVLINK["pascal"]) * share
        if self.link == "unified":
            return next((rate for names, rate in NETWORKS if self.name.startswith(names)), THUNDERBOLT_4)
        return self.to_host / (2 if self.name.startswith("GeForce") else 1)

    @property
    def to_host(self) -> float:
        """Bandwidth between the computer's memory and the card, one way: of its PCIe lanes [B/s]."""
        generation, lanes = (self.bus or ASSUMED_BUS).split(" x")
        return LANE[int(float(generation))] * int(lanes)

    @property
    def vendor(self) -> str:
        """nvidia, amd, apple, intel or other, as the family tells."""
        starts = (
            ("apple", "apple"),
            ("rdna", "amd"),
            ("cdna", "amd"),
            ("gcn", "amd"),
            ("xe", "intel"),
            ("asc", "other"),
        )
        return next((vendor for start, vendor in starts if self.family.startswith(start)), "nvidia")


@lru_cache(maxsize=4096)
def find(text: str, memory: float | None = None) -> Chip | None:
    """Return the chip that `text` means, None if it is not in our table.

    memory: chooses among sizes [B]. Whole computers, repository spellings ("h100_sxm") and
    drivers' names ("NVIDIA A100-SXM4-80GB") are understood.
    """
    for key, size in _spellings(text):
        every = _chips(key)
        if every:
            wanted = memory if memory and size is None else (size or 0) * GIB
            return min(every, key=lambda c: abs(c.memory - wanted)) if wanted else every[0]
    return _of_record(text)


def _of_record(text: str) -> Chip | None:
    """Return the chip that the catalogue's record of a device names, where its own name is spelled otherwise."""
    from gyakusan.catalog.records import lookup

    key = parse_device_name(text).key
    every = (*lookup("device", key), *lookup("machine", key)) if key else ()
    named = next((str(e.fields()["chip"]) for e in every if e.fields().get("chip")), None)
    return next((c for c in _chips(parse_device_name(named).key) if c.name == named), None) if named else None


def chips() -> tuple[Chip, ...]:
    """Return every chip of the table."""
    return tuple(dict.fromkeys(c for key in _rows() for c in _chips(key)))


# Whole computers and other words for a chip: words of which one is there, then a pattern. The first that matches decides.
# Patterns are compiled only where a word is there: to compile all of them takes longer than the rest of a look-up.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("gb10 spark gx10", r"gb10|dgx ?spark|ascent gx10|\bspark\b", "NVIDIA DGX Spark (GB10)"),
    (
        "395 8060s halo evo framework",
        r"max\+? ?395|8060s|strix ?halo|ryzen ai halo|evo-?x2|framework (desktop|mainboard)",
        "AMD Ryzen AI Max+ 395 (Radeon 8060S)",
    ),
    ("390 8050s", r"max (pro )?390|8050s", "AMD Ryzen AI Max 390 (Radeon 8050S)"),
    ("385", r"max (pro )?385", "AMD Ryzen AI Max 385 (Radeon 8050S)"),
    ("gb300", r"gb300", "GB300"),
    ("gb200", r"gb200", "GB200"),
    ("b300", r"b300", "B300"),
    ("b200", r"b200", "B200"),
    ("h200", r"h200.?nvl", "H200 NVL"),
    ("h200", r"h200", "H200 SXM 141 GB"),
    ("h100", r"h100.?nvl", "H100 NVL 94 GB"),
    ("h100", r"h100.*pcie", "H100 PCIe 80 GB"),
    ("h100", r"h100", "H100 SXM5 80 GB"),
    ("a100", r"a100.*40 ?g.*pcie|a100.*pcie.*40 ?g", "A100 PCIe 40 GB"),
    ("a100", r"a100.*40 ?g", "A100 SXM4 40 GB"),
    ("a100", r"a100.*pcie", "A100 PCIe 80 GB"),
    ("a100", r"\ba100(?!\d)", "A100 SXM4 80 GB"),
    ("a40", r"(?<!arc pro )\ba40\b", "A40 PCIe"),
    ("a30", r"\ba30\b", "A30 PCIe"),
    ("a10", r"\ba10g?\b", "A10 PCIe"),
    ("780m", r"780m", "Radeon 780M"),
    ("760m", r"760m", "Radeon 760M"),
    ("890m", r"890m", "Radeon 890M"),
    ("880m", r"880m", "Radeon 880M"),
    ("840m 860m", r"8[46]0m", "Radeon 860M"),
    ("130v 140v", r"1[34]0v", "Arc 140V"),
    ("140t", r"140t", "Arc 140T"),
    ("iris", r"iris xe", "Iris Xe Graphics"),
    ("910b", r"910b", "Ascend 910B"),
    ("mi300x", r"mi300x", "Radeon Instinct MI300X"),
    ("orin", r"agx orin.*32", "Jetson AGX Orin 32GB"),
    ("orin", r"agx orin", "Jetson AGX Orin 64GB"),
    ("blackwell", r"pro 6000 blackwell workstation", "RTX PRO 6000 Blackwell"),
)
_APPLE = late(r"\bm([1-9])[\s-]*(pro|max|ultra)?\b", re.IGNORECASE)
_NOT_APPLE = late(r"rtx|gtx|radeon|intel|amd|quadro|tesla|nvidia|\brx\b|ryzen", re.IGNORECASE)
_CORES = late(r"(\d+)[\s\u2010-\u2015-]*(?:gpu|core[\s-]*gpu)", re.IGNORECASE)
_FEWER = {
    "m1 max": 24,
    "m1 ultra": 48,
    "m2 max": 30,
    "m2 ultra": 60,
    "m3 max": 30,
    "m3 ultra": 60,
    "m4 max": 32,
    "m5 max": 32,
}
"""Apple chips sold with fewer GPU cores."""


def _spellings(text: str) -> list[tuple[str, int | None]]:
    """Return keys to look up, the likeliest first, each with the size that `text` names [GiB]."""
    plain = text.casefold().replace("_", " ")
    asked = parse_device_name(plain)
    apple = None if _NOT_APPLE.search(plain) else _APPLE.search(plain)
    if apple:
        return [(parse_device_name(_apple(plain, apple)).key, None)]
    for words, pattern, name in _WORDS:
        if any(w in plain for w in words.split()) and re.search(pattern, plain):
            return [(parse_device_name(name).key, parse_device_name(name).size)]
    tries = [
        asked.key,
        "rtx" + asked.key,
        "gtx" + asked.key,
        "rx" + asked.key,
        "tesla" + asked.key,
        "titan" + asked.key,
    ]
    tries += [asked.key.removeprefix("rtx"), asked.key.removeprefix("tesla"), asked.key + "ada", asked.key + "pcie"]
    return [(key, asked.size) for key in tries]


def _apple(plain: str, found: re.Match[str]) -> str:
    base = f"m{found[1]} {found[2] or ''}".strip()
    cores = _CORES.search(plain)
    fewer = _FEWER.get(base)
    return f"Apple {base} {fewer}c" if cores and fewer and int(cores[1]) <= fewer else f"Apple {base}"


@cache
def _rows() -> dict[str, tuple[dict[str, str], ...]]:
    """Return the rows of the table by key. To make records of all of them takes longer than to find one."""
    found: dict[str, tuple[dict[str, str], ...]] = {}
    table = csv.reader(packaged(DATA / "chips.csv").decode().splitlines())
    heads = next(table)
    place = heads.index("name")
    for row in table:
        key = parse_device_name(row[place]).key
        found[key] = (*found.get(key, ()), dict(zip(heads, row, strict=True)))
    return found


@cache
def _chips(key: str) -> tuple[Chip, ...]:
    return tuple(map(_chip, _rows().get(key, ())))


def _chip(row: dict[str, str]) -> Chip:
    rate = {k: float(row[k]) * 1e12 for k in ("single", "half", "int8", "fp8", "fp4")}
    return Chip(
        name=row["name"],
        family=row["family"],
        memory=float(row["memory_gib"]) * GIB,
        bandwidth=float(row["bandwidth_gb_s"]) * 1e9,
        link=row["link"],
        bus=row["bus"],
        source=row["source"],
        checked=row["checked"],
        **rate,
    )
