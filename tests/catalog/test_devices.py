"""Devices and computers: what there is, what names mean, and that the two tables of figures agree."""

from __future__ import annotations

import csv

import pytest

from gyakusan import catalog
from gyakusan.catalog import rules
from gyakusan.catalog.chips import chips
from gyakusan.catalog.devices import DeviceRecord, device_records, entry_of, machine_records
from gyakusan.catalog.places import DATA
from gyakusan.core.records import field_names
from gyakusan.errors import UnknownName
from gyakusan.machines import parse
from gyakusan.units import GIB

RECORDS = {r.name: r for r in device_records()}


def test_there_is_something_of_every_kind() -> None:
    assert len(RECORDS) >= 380
    kinds = {kind: sum(r.kind == kind for r in RECORDS.values()) for kind in ("gpu", "unified", "host")}
    assert kinds["gpu"] >= 280
    assert kinds["unified"] >= 45
    assert kinds["host"] >= 30
    assert len(machine_records()) >= 40


BOUGHT = """
RTX 2060 12GB|RTX 2070 SUPER|RTX 2080 Ti|RTX 3050 8GB|RTX 3060 Ti|RTX 3070|RTX 3080 12GB|RTX 3080 Ti|RTX 3090 Ti|RTX 4060
RTX 4070|RTX 4070 SUPER|RTX 4080 SUPER|RTX 4090 D|RTX 4090 Laptop|RTX 4060 Laptop|RTX 5090 D V2|RTX 5050|RTX PRO 4000
RTX PRO 4500|RTX PRO 5000 48GB|RTX PRO 5000 72GB|RTX PRO 6000 Blackwell Server Edition|RTX A2000 12GB|RTX A4000
RTX A5000|RTX A6000
RTX 4000 Ada|RTX 5000 Ada|L4|L40|A2|A10|A16|A30|A40|V100 16GB|T4|P40|H100 NVL|H200|H200 NVL|B200|B300|GB200|GB300
Jetson AGX Thor|Jetson T4000|AGX Xavier 32GB|RX 6600|RX 6700 XT|RX 6800 XT|RX 6950 XT|RX 7600|RX 7700 XT|RX 7800 XT
RX 7900 GRE|RX 7900 XT|RX 9060 XT 16GB|RX 9070|Radeon PRO W6800|Radeon PRO W7900|R9700|MI50 32GB|MI100|MI210|MI250X|MI300A
MI300X|MI325X|MI355X|Ryzen AI Max 385 32GB|HX 370 64GB|780M 32GB|Arc A380|Arc A750|Arc A770|Arc B570|Arc B580|Arc Pro B50
Arc Pro B60|Arc 140V 32GB|M1 8GB|M1 Pro 32GB|M1 Max 64GB|M1 Ultra 128GB|M2 24GB|M2 Pro 32GB|M2 Max 96GB|M2 Ultra 192GB
M3 24GB|M3 Pro 36GB|M3 Max 128GB|M3 Ultra 512GB|M4 32GB|M4 Pro 64GB|M4 Max 36GB|M5 32GB|M5 Pro 64GB|M5 Max 128GB
Ryzen 9 9950X 96GB|Core i9-14900K 64GB|Threadripper 7980X 256GB|EPYC 9654 384GB|Xeon Platinum 8480+ 512GB|DDR5-6000 96GB
DGX H100|Framework Desktop 128GB|Mac mini M4 Pro 64GB|dual 3090
"""


@pytest.mark.parametrize("name", [n for line in BOUGHT.split("\n") for n in line.split("|") if n])
def test_what_people_buy_is_there(name: str) -> None:
    device = catalog.device(name).device()
    assert device.bandwidth
    assert device.memory
    assert device.source
    assert device.checked


SAME = {
    "RTX 5090": "NVIDIA GeForce RTX 5090",
    "rtx5090": "NVIDIA GeForce RTX 5090",
    "NVIDIA GeForce RTX 5090": "NVIDIA GeForce RTX 5090",
    "5090 laptop": "NVIDIA GeForce RTX 5090 Laptop GPU",
    "M4 Max 128GB": "Apple M4 Max",
    "strix halo": "AMD Ryzen AI Max+ 395",
    "dgx spark": "NVIDIA DGX Spark",
    "7900 xtx": "AMD Radeon RX 7900 XTX",
    "A10G": "NVIDIA A10",
}


@pytest.mark.parametrize("text", SAME)
def test_one_record_for_each_name(text: str) -> None:
    assert entry_of(text).name == SAME[text]


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("A100", ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe", "NVIDIA A100-PCIE-40GB")),
        ("A100 80GB", ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe")),
        ("RTX 3060", ("NVIDIA GeForce RTX 3060 12GB", "NVIDIA GeForce RTX 3060 8GB")),
        ("Mac Studio", ("Mac Studio M5 Ultra 512GB", "Mac Studio M3 Ultra 512GB")),
        ("M3 Max", ("Apple M3 Max 128GB", "Apple M3 Max (30-core GPU) 36GB")),
    ],
)
def test_several_are_named(text: str, candidates: tuple[str, ...]) -> None:
    with pytest.raises(UnknownName) as error:
        catalog.device(text)
    assert all(c in str(error.value) for c in candidates)


def test_a_begun_name_ends_with_a_word() -> None:
    with pytest.raises(UnknownName, match="No device is called"):
        catalog.device("RTX 50 32GB")


OTHERS_SAY = {
    "Tesla V100-SXM2-16GB": "NVIDIA's data sheet says 900 GB/s; TechPowerUp has the V100S's",
    "NVIDIA H200 NVL": "NVIDIA's data sheet says 4.8 TB/s",
    "AMD Instinct MI308X": "TechPowerUp counts the Infinity Cache",
    "AMD Instinct MI350X": "AMD's data sheet says 8 TB/s",
    "AMD Instinct MI355X": "AMD's data sheet says 8 TB/s",
    "AMD Instinct MI325X": "announced with 288 GB, sold with 256",
    "AMD Instinct MI300A": "TechPowerUp has the MI300X's memory; the APU has 128 GB",
}
"""Devices whose row in chips.csv has another bandwidth or memory, and why ours is another."""


@pytest.mark.parametrize("record", [r for r in RECORDS.values() if r.chip], ids=lambda r: r.name)
def test_devices_and_chips_agree(record: DeviceRecord) -> None:
    chip = record.rates
    assert chip is not None, record.chip
    if record.name not in OTHERS_SAY:
        assert chip.bandwidth == pytest.approx(record.bandwidth_gb_s * 1e9, rel=0.005)
    if chip.memory and record.kind == "gpu" and record.name not in OTHERS_SAY:
        assert chip.memory / GIB == pytest.approx(record.sizes_gib[0], rel=0.08)


@pytest.mark.parametrize("record", [r for r in RECORDS.values() if r.rates and r.pcie], ids=lambda r: r.name)
def test_devices_and_chips_have_the_same_bus(record: DeviceRecord) -> None:
    assert record.rates is not None
    assert record.rates.bus in ("", record.pcie)


def test_nearly_every_device_has_rates() -> None:
    without = [r.name for r in RECORDS.values() if not r.chip and r.kind != "host"]
    assert len(without) <= 12


def test_every_figure_has_a_source_and_a_date() -> None:
    for r in (*RECORDS.values(), *machine_records()):
        assert r.source, r.name
        assert rules.DATE.fullmatch(r.checked), r.name
        assert set(r.assumed) <= set(field_names(r)), r.name
        for price in r.prices:
            assert price.source, r.name
            assert rules.DATE.fullmatch(price.date), r.name
            assert price.currency in ("JPY", "USD"), r.name
    assert all(c.source and rules.DATE.fullmatch(c.checked) for c in chips())
    with (DATA / "chips.csv").open(encoding="utf-8") as file:
        assert all(row["source"] and row["checked"] for row in csv.DictReader(file))


def test_three_devices_as_their_makers_publish_them() -> None:
    """Read by hand in stored reports of what the makers announced, 2026-11-23: ai-infrastructure.net/dgx-spark (NVIDIA),
    notebookcheck.net 911098 (Apple), jaredwatkins.com mi300-series and aiwiki.ai amd_instinct_mi300x (AMD).
    """
    spark, max_, mi = RECORDS["NVIDIA GB10"], RECORDS["Apple M4 Max"], RECORDS["AMD Instinct MI300X"]
    assert (spark.sizes_gib, spark.bandwidth_gb_s, spark.memory_type) == ((128,), 273, "LPDDR5X")
    assert (max_.sizes_gib, max_.bandwidth_gb_s, max_.cores) == ((48, 64, 128), 546, 40)
    assert (mi.sizes_gib, mi.bandwidth_gb_s, mi.power_w) == ((192,), 5300, 750)
    assert mi.rates is not None
    assert mi.rates.half == pytest.approx(1307e12, rel=0.001)


def test_a_build_has_its_cards_and_its_ram() -> None:
    machine = parse("dual 3090")
    assert [g.name for g in machine.gpus] == ["NVIDIA GeForce RTX 3090"] * 2
    assert machine.host is not None
    assert (machine.host.memory, machine.processor) == (128 * GIB, "AMD Ryzen 9 5950X")
    assert machine.host.bandwidth == pytest.approx(51.2e9)


def test_a_processor_is_a_machine_without_cards() -> None:
    machine = parse("EPYC 9654 384GB")
    assert machine.gpus == ()
    assert machine.host is not None
    assert (machine.host.memory, machine.host.bandwidth, machine.cores) == (384 * GIB, 460.8e9, 96)
    assert 0 < machine.host.reserved < 4 * GIB


def test_a_card_beside_a_named_processor() -> None:
    machine = parse("RTX 4090 + Ryzen 9 7950X 64GB")
    assert [g.name for g in machine.gpus] == ["NVIDIA GeForce RTX 4090"]
    assert machine.host is not None
    assert machine.host.memory == 64 * GIB


def test_a_built_in_gpu_gets_half() -> None:
    device = catalog.device("HX 370 64GB").device()
    assert device.usable == 32 * GIB
