"""What people write for a computer, and --reserve: what the OS keeps, as the user says it."""

from __future__ import annotations

import pytest

from gyakusan import machines
from gyakusan.errors import BadQuantity, BadSetting, UnknownName, UsageError
from gyakusan.machines import MOST, parse
from gyakusan.units import GIB, MIB


@pytest.mark.parametrize(
    "text", ["RTX 5090", "rtx5090", "NVIDIA GeForce RTX 5090", "5090", "geforce rtx 5090", "RTX  5090 32GB", "RTX5090 "]
)
def test_spellings_of_one_card(text: str) -> None:
    machine = parse(text)
    (gpu,) = machine.gpus
    assert gpu.name == "NVIDIA GeForce RTX 5090"
    assert (gpu.kind, gpu.backend, gpu.memory, gpu.bandwidth) == ("gpu", "cuda", 32607 * MIB, 1792e9)
    assert machine.host is not None
    assert machine.host.memory is None


@pytest.mark.parametrize(
    ("text", "machine", "device", "memory"),
    [
        ("5090 laptop", "NVIDIA GeForce RTX 5090 Laptop GPU", "NVIDIA GeForce RTX 5090 Laptop GPU", 24 * GIB),
        (
            "RTX 5070 Ti Mobile",
            "NVIDIA GeForce RTX 5070 Ti Laptop GPU",
            "NVIDIA GeForce RTX 5070 Ti Laptop GPU",
            12 * GIB,
        ),
        ("M4 Max 128GB", "Apple M4 Max 128GB", "Apple M4 Max 128GB", 128 * GIB),
        ("Mac Studio M4 Max 128 GB", "Mac Studio M4 Max 128GB", "Apple M4 Max 128GB", 128 * GIB),
        ("mac studio m3 ultra 512gb", "Mac Studio M3 Ultra 512GB", "Apple M3 Ultra 512GB", 512 * GIB),
        ("Ryzen AI Max+ 395 128GB", "AMD Ryzen AI Max+ 395 128GB", "AMD Ryzen AI Max+ 395 128GB", 128 * GIB),
        ("strix halo 96GB", "AMD Ryzen AI Max+ 395 96GB", "AMD Ryzen AI Max+ 395 96GB", 96 * GIB),
        ("GMKtec EVO-X2 128GB", "GMKtec EVO-X2 128GB", "AMD Ryzen AI Max+ 395 128GB", 128 * GIB),
        ("dgx spark", "NVIDIA DGX Spark", "NVIDIA GB10", 124610 * MIB),
        ("Jetson AGX Orin 64GB", "NVIDIA Jetson AGX Orin 64GB", "NVIDIA Jetson AGX Orin 64GB", 64 * GIB),
        ("jetson orin nano 4gb", "NVIDIA Jetson Orin Nano 4GB", "NVIDIA Jetson Orin Nano 4GB", 4 * GIB),
        ("RTX 5060 Ti 8GB", "NVIDIA GeForce RTX 5060 Ti 8GB", "NVIDIA GeForce RTX 5060 Ti 8GB", 8 * GIB),
        ("h100 sxm", "NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3", 81559 * MIB),
        ("RX 7900 XTX", "AMD Radeon RX 7900 XTX", "AMD Radeon RX 7900 XTX", 24 * GIB),
    ],
)
def test_names(text: str, machine: str, device: str, memory: int) -> None:
    found = parse(text)
    assert (found.name, found.gpus[0].name, found.gpus[0].memory) == (machine, device, memory)
    assert (found.host is None) == (found.gpus[0].kind == "unified")
    assert parse(found.name) == found


def test_a_smaller_chip_is_sold_with_the_smallest_memory() -> None:
    assert parse("Mac Studio M4 Max 36GB").gpus[0].bandwidth == 410e9
    assert parse("Mac Studio M4 Max 48GB").gpus[0].bandwidth == 546e9


@pytest.mark.parametrize("text", ["2x RTX 3090", "2 x RTX 3090", "2× RTX 3090", "2xRTX 3090", "2 * 3090", "2x 3090"])
def test_several_equal(text: str) -> None:
    machine = parse(text)
    assert [g.name for g in machine.gpus] == ["NVIDIA GeForce RTX 3090"] * 2
    assert machine.name == "2x NVIDIA GeForce RTX 3090"


def test_several_unequal() -> None:
    machine = parse("RTX 5090 + 2x RTX 3090")
    assert machine.name == "NVIDIA GeForce RTX 5090 + 2x NVIDIA GeForce RTX 3090"
    assert [g.memory for g in machine.gpus] == [32607 * MIB, 24576 * MIB, 24576 * MIB]


@pytest.mark.parametrize("text", ["0x RTX 3090", "-1x RTX 3090", "1000x RTX 3090", "40x RTX 3090 + 40x RTX 4090"])
def test_impossible_counts(text: str) -> None:
    with pytest.raises(BadQuantity, match=rf"devices: the number is out of range. Give a number from 1 to {MOST}"):
        parse(text)


def test_most_devices() -> None:
    assert len(parse(f"{MOST}x RTX 3090").gpus) == MOST


def test_memory_alone_is_an_unnamed_gpu() -> None:
    machine = parse(memory="24GiB")
    (gpu,) = machine.gpus
    assert (gpu.kind, gpu.backend, gpu.memory, gpu.usable) == ("gpu", "cuda", 24 * GIB, 24 * GIB)


def test_memory_instead_of_the_catalogues() -> None:
    (gpu,) = parse("RTX 4090", "48GiB").gpus
    assert (gpu.name, gpu.memory, gpu.bandwidth) == ("NVIDIA GeForce RTX 4090", 48 * GIB, 1008e9)
    assert gpu.reserved == parse("RTX 4090").gpus[0].reserved > 0  # the driver keeps its share of any size


@pytest.mark.parametrize(
    "text", ["RTX 3060 12GB + 64GB RAM", "RTX 3060 12GB + 64 GiB of RAM", "RTX 3060 12GB, 64GB DDR4"]
)
def test_ram_is_named_beside_a_card(text: str) -> None:
    machine = parse(text)
    assert machine.name == parse("RTX 3060 12GB").name
    assert machine.host is not None
    assert (machine.host.memory, machine.host.reserved) == (64 * GIB, 2 * GIB)


def test_ram_of_a_card_is_not_known_unless_it_is_named() -> None:
    bare = parse("2x RTX 3090")
    assert bare.host is not None
    assert bare.host.memory is None
    named = machines.with_ram(bare, "64GB")
    assert named.host is not None
    assert (named.gpus, named.host.memory) == (bare.gpus, 64 * GIB)


@pytest.mark.parametrize("text", ["64GB RAM", "RTX 3060 12GB + 32GB RAM + 32GB RAM"])
def test_ram_alone_or_twice_names_no_device(text: str) -> None:
    with pytest.raises(BadSetting, match="names no device"):
        parse(text)


def test_one_memory_for_cpu_and_gpu_has_no_ram_beside_it() -> None:
    with pytest.raises(BadSetting, match="one memory for CPU and GPU"):
        machines.with_ram(parse("M4 Max 128GB"), "64GiB")


def test_memory_of_each_device() -> None:
    assert [g.memory for g in parse("2x RTX 3090", "20GiB").gpus] == [20 * GIB] * 2


def test_memory_chooses_among_sizes() -> None:
    machine = parse("strix halo", "96GiB")
    assert (machine.name, machine.gpus[0].usable) == ("AMD Ryzen AI Max+ 395 96GB", 72 * GIB)
    assert parse("Mac Studio M4 Max", "64GiB").gpus[0].usable == 48 * GIB


def test_sizes_are_not_guessed() -> None:
    with pytest.raises(UnknownName) as error:
        parse("strix halo")
    assert "395 64GB, AMD Ryzen AI Max+ 395 96GB, AMD Ryzen AI Max+ 395 128GB" in str(error.value)
    assert "--memory" in str(error.value)


def test_a_size_that_is_not_sold() -> None:
    with pytest.raises(UnknownName, match="but with 32 GB"):
        parse("RTX 5090 24GB")


def test_unknown_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean .*RTX 5090"):
        parse("RTX 5900")


@pytest.mark.parametrize(
    "text", ["", "   ", "+", "RTX 5090 +", "gpu", "2x", "x" * 5000, "ＲＴＸ", "\x00", "RTX 5090,,"]
)
def test_nonsense_is_one_line(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)
    assert len(str(error.value)) < 400


def test_memory_needs_a_unit() -> None:
    with pytest.raises(BadQuantity, match="no unit"):
        parse("RTX 5090", "24")


def test_computers_are_not_combined() -> None:
    with pytest.raises(BadSetting, match="cannot be combined"):
        parse("2x DGX Spark")


def test_neither_is_this_computer() -> None:
    machine = parse()
    assert machine.cores >= 1
    assert machine.devices


def test_cpu() -> None:
    machine = parse("cpu")
    assert (machine.gpus, len(machine.devices)) == ((), 1)
    assert parse("CPU", "64GiB").devices[0].usable == 64 * GIB


def test_what_the_driver_keeps_is_said() -> None:
    (gpu,) = parse("RTX 4090").gpus
    assert (gpu.reserved, gpu.reserved_basis) == (464 * MIB, "assumed")
    assert "driver keeps" in str(gpu.reserved_reason)


def test_prices_of_a_computer() -> None:
    prices = parse("DGX Spark").prices
    assert [(p.amount, p.currency) for p in prices] == [(550000, "JPY"), (4699, "USD")]


@pytest.mark.parametrize("name", ["M4 Max 128GB", "DGX Spark", "Ryzen AI Max+ 395 128GB", "RTX 5090", "2x RTX 3090"])
def test_it_replaces_our_figure(name: str) -> None:
    before, after = machines.parse(name), machines.with_reserved_memory(machines.parse(name), "8GiB")
    for was, gpu in zip(before.gpus, after.gpus, strict=True):
        assert was.reserved not in (0, 8 * GIB)
        assert (gpu.reserved, gpu.memory) == (8 * GIB, was.memory)
        assert "--reserve" in str(gpu.reserved_reason)


def test_nothing_may_be_kept() -> None:
    gpu = machines.with_reserved_memory(machines.parse("DGX Spark"), "0 GiB").gpus[0]
    assert gpu.usable == gpu.memory


def test_ram_where_there_is_no_gpu() -> None:
    found = machines.with_reserved_memory(machines.parse("cpu", "64GiB"), "4GiB")
    assert found.host is not None
    assert found.host.usable == 60 * GIB


@pytest.mark.parametrize("text", ["8", "-1GiB", "400GiB", "much"])
def test_what_makes_no_sense(text: str) -> None:
    with pytest.raises(BadQuantity):
        machines.with_reserved_memory(machines.parse("DGX Spark"), text)


@pytest.mark.parametrize(
    ("text", "count", "name"),
    [
        ("2x5090", 2, "NVIDIA GeForce RTX 5090"),
        ("4x4090", 4, "NVIDIA GeForce RTX 4090"),
        ("2x7900 XTX", 2, "AMD Radeon RX 7900 XTX"),
        ("2x 5090", 2, "NVIDIA GeForce RTX 5090"),
        ("7900 XTX", 1, "AMD Radeon RX 7900 XTX"),
        ("MI50 32GB", 1, "AMD Instinct MI50 32GB"),
    ],
)
def test_what_people_type(text: str, count: int, name: str) -> None:
    found = machines.parse(text)
    assert [g.name for g in found.gpus] == [name] * count


@pytest.mark.parametrize("text", ["2x9999", "99x5090", "2x50"])
def test_a_count_before_no_device(text: str) -> None:
    with pytest.raises((UnknownName, BadQuantity)):
        machines.parse(text)
