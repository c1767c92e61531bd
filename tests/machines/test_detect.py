"""Recorded computers -> machines."""

from __future__ import annotations

import os
import stat
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machines.boxes import NAMES, box, laid_out

from gyakusan.machines.detect import PROBES, cpu, detect, gpu_memory, nvidia, system
from gyakusan.machines.detect.system import GpuMemory, Seen, System
from gyakusan.units import GIB, MIB

KIB = 1024
SMI = " ".join(nvidia.QUERY)
RAM = {"/proc/meminfo": "MemTotal: 65536000 kB\nMemAvailable: 60000000 kB\n"}


@pytest.mark.parametrize("name", NAMES)
def test_every_box_says_its_origin_and_gives_a_machine(name: str, tmp_path: Path) -> None:
    text = (Path(__file__).parent / "boxes" / f"{name}.toml").read_text("utf-8")
    assert text.startswith(('origin = "recorded', 'origin = "composed'))
    machine, _ = detect(box(name, tmp_path))
    assert machine.devices
    assert all(d.memory and 0 <= d.reserved < d.memory for d in machine.devices)
    assert machine.cores >= 1


def test_small_vm(tmp_path: Path) -> None:
    machine, notes = detect(box("small_vm", tmp_path))
    assert machine.host is not None
    assert (machine.gpus, machine.name, machine.cores) == ((), "AMD EPYC", 2)
    assert machine.host.memory == 24684084 * KIB
    assert machine.host.usable == 23625560 * KIB
    assert notes == ()


def test_rtx4090(tmp_path: Path) -> None:
    machine, notes = detect(box("rtx4090", tmp_path))
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.kind, gpu.backend) == ("NVIDIA GeForce RTX 4090", "gpu", "cuda")
    assert (gpu.memory, gpu.usable) == (24564 * MIB, 24057 * MIB)
    assert (gpu.memory_basis, gpu.reserved_basis) == ("read", "read")
    assert gpu.bandwidth == 1008e9
    assert machine.host is not None
    assert machine.processor == "AMD Ryzen 9 7950X 16-Core Processor"
    assert notes == ()


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        (None, 2),
        ("0,1", 2),
        ("1", 1),
        ("", 0),
        ("-1", 0),
        ("1,7,0", 1),
        ("GPU-8932f937", 1),
        ("NoDevFiles", 0),
        ("²", 0),
    ],
)
def test_only_the_gpus_that_cuda_shows_are_there(visible: str | None, count: int, tmp_path: Path) -> None:
    machine, notes = detect(replace(box("two_rtx3090", tmp_path), visible=visible))
    assert len(machine.gpus) == count
    assert any("CUDA_VISIBLE_DEVICES" in str(note) for note in notes) == (count < 2)


def test_identifiers_of_unlike_gpus_hide_none(tmp_path: Path) -> None:
    rows = "NVIDIA GeForce RTX 3090, 24576, 24000\nNVIDIA GeForce RTX 4090, 24564, 24000\n"
    both = box("two_rtx3090", tmp_path)
    assert both.answers is not None
    command = next(name for name in both.answers if name.startswith("nvidia-smi"))
    unlike = replace(both, answers={**both.answers, command: rows}, visible="GPU-1")
    machine, notes = detect(unlike)
    assert len(machine.gpus) == 2
    assert any("identifiers" in str(note) for note in notes)


def test_two_rtx3090(tmp_path: Path) -> None:
    machine, _ = detect(box("two_rtx3090", tmp_path))
    assert machine.name == "2x NVIDIA GeForce RTX 3090"
    assert [g.usable for g in machine.gpus] == [9571 * MIB, 24260 * MIB]
    assert {g.bandwidth for g in machine.gpus} == {936.2e9}


def test_gb10_memory_is_the_computers(tmp_path: Path) -> None:
    machine, _ = detect(box("gb10", tmp_path))
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.kind) == ("NVIDIA GB10", "unified")
    assert gpu.memory == 127600748 * KIB
    assert gpu.usable == 118566368 * KIB
    assert machine.host is None
    assert gpu.bandwidth == 273e9


def test_jetson_is_named_by_its_device_tree(tmp_path: Path) -> None:
    (gpu,) = detect(box("jetson_agx_orin", tmp_path))[0].gpus
    assert (gpu.name, gpu.kind, gpu.backend) == ("NVIDIA Jetson AGX Orin 64GB", "unified", "cuda")
    assert (gpu.memory, gpu.usable) == (64335740 * KIB, 60000000 * KIB)
    assert gpu.bandwidth == 204.8e9


def test_jetson_without_nvidia_smi(tmp_path: Path) -> None:
    (gpu,) = detect(box("jetson_orin_nano_no_smi", tmp_path))[0].gpus
    assert gpu.name == "NVIDIA Jetson Orin Nano Super 8GB"
    assert gpu.memory == 7802000 * KIB


def test_strix_halo_uses_gtt(tmp_path: Path) -> None:
    machine, _ = detect(box("strix_halo_gtt", tmp_path))
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.kind) == ("AMD Ryzen AI Max+ 395 128GB", "unified")
    assert gpu.memory == 129880000 * KIB + 4 * GIB
    assert gpu.usable == 103079215104 - 104857600
    assert "ttm.pages_limit" in str(gpu.reserved_reason)
    assert machine.host is None


def test_strix_halo_uses_the_carve_out(tmp_path: Path) -> None:
    (gpu,) = detect(box("strix_halo_carveout", tmp_path))[0].gpus
    assert gpu.usable == 103079215104 - 209715200


def test_radeon_beside_integrated_graphics(tmp_path: Path) -> None:
    machine, notes = detect(box("rx7900xtx", tmp_path))
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.kind, gpu.backend) == ("AMD Radeon RX 7900 XTX", "gpu", "rocm")
    assert (gpu.memory, gpu.usable) == (25753026560, 25753026560 - GIB)
    assert gpu.bandwidth == 960e9
    assert [str(n) for n in notes] == ["The integrated graphics (AMD GPU 0x164e rev 0xc1) are left out."]


def test_m4_max(tmp_path: Path) -> None:
    machine, notes = detect(box("m4_max_128", tmp_path))
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.kind, gpu.backend) == ("Apple M4 Max 128GB", "unified", "metal")
    assert (gpu.memory, gpu.usable, gpu.reserved_basis) == (128 * GIB, 110100 * MIB, "measured")
    assert gpu.bandwidth == 546e9
    assert (machine.host, machine.cores, notes) == (None, 16, ())


def test_m4_max_with_a_wired_limit(tmp_path: Path) -> None:
    mac = box("m4_max_128", tmp_path)
    answers = {**(mac.answers or {}), "sysctl -n iogpu.wired_limit_mb": "122880\n"}
    (gpu,) = detect(System(tmp_path, "darwin", 16, answers))[0].gpus
    assert (gpu.usable, gpu.reserved_basis) == (120 * GIB, "read")


def test_m4_16(tmp_path: Path) -> None:
    (gpu,) = detect(box("m4_16", tmp_path))[0].gpus
    assert (gpu.name, gpu.usable, gpu.bandwidth) == ("Apple M4 16GB", 10922 * MIB, 120e9)


def test_intel_mac_has_a_cpu_only(tmp_path: Path) -> None:
    machine, notes = detect(box("intel_mac", tmp_path))
    assert (machine.gpus, machine.name) == ((), "Intel Core i9-9880H CPU @ 2.30GHz")
    assert "no Apple silicon" in str(notes[-1])


def test_container(tmp_path: Path) -> None:
    machine, notes = detect(box("container_8gib", tmp_path))
    assert machine.host is not None
    assert machine.host.memory == 8 * GIB
    assert machine.host.usable == 8 * GIB - (1610612736 - 536870912)
    assert machine.cores == 2
    assert str(notes[0]) == "A cgroup limits this process to 8.00 GiB of 62.50 GiB RAM."


def test_limit_of_a_parent_group(tmp_path: Path) -> None:
    host = cpu.probe(box("nested_groups", tmp_path))
    assert (host.device.memory, host.device.usable) == (16 * GIB, 15 * GIB)
    assert host.cores == 8


def test_cgroup_v1(tmp_path: Path) -> None:
    host = cpu.probe(box("docker_v1", tmp_path))
    assert (host.device.memory, host.device.usable) == (4 * GIB, 4 * GIB - (GIB - 256 * MIB))
    assert host.cores == 2


def test_arc(tmp_path: Path) -> None:
    (gpu,) = detect(box("arc_b580", tmp_path))[0].gpus
    assert (gpu.name, gpu.memory) == ("Intel Arc B580", 0x2FA000000)


@pytest.mark.parametrize(
    "text",
    [
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        "No devices were found\n",
        "\x00\x01\x02,,,\n",
        "{" * 5000,
    ],
)
def test_rubbish_from_nvidia_smi_is_a_note(text: str, tmp_path: Path) -> None:
    machine, notes = detect(laid_out(tmp_path, RAM, {SMI: text}))
    assert machine.gpus == ()
    assert notes


def test_one_bad_row_does_not_hide_the_others(tmp_path: Path) -> None:
    machine, notes = detect(laid_out(tmp_path, RAM, {SMI: "oops\nNVIDIA GeForce RTX 4090, 24564, 24057\n"}))
    assert [g.name for g in machine.gpus] == ["NVIDIA GeForce RTX 4090"]
    assert len(notes) == 1


def test_unknown_card_is_taken_as_reported(tmp_path: Path) -> None:
    machine, _ = detect(laid_out(tmp_path, RAM, {SMI: "NVIDIA GeForce RTX 9090, 49140, 48000\n"}))
    (gpu,) = machine.gpus
    assert (gpu.name, gpu.memory, gpu.bandwidth, gpu.source) == (
        "NVIDIA GeForce RTX 9090",
        49140 * MIB,
        None,
        "detected",
    )


def test_same_name_with_another_memory_takes_no_facts(tmp_path: Path) -> None:
    (gpu,) = detect(laid_out(tmp_path, RAM, {SMI: "NVIDIA GeForce RTX 3060, 4096, 4000\n"}))[0].gpus
    assert (gpu.memory, gpu.bandwidth) == (4096 * MIB, None)


def test_sizes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    rows = "NVIDIA GeForce RTX 5060 Ti, 8151, 8000\nNVIDIA GeForce RTX 5060 Ti, 16311, 16000\n"
    gpus = detect(laid_out(tmp_path, RAM, {SMI: rows}))[0].gpus
    assert [p.amount for p in gpus[0].prices] == [69980]
    assert [p.amount for p in gpus[1].prices] != [69980]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_no_output_of_nvidia_smi_is_a_crash(text: str) -> None:
    recorded = System(Path("/nonexistent"), "linux", 1, {SMI: text})
    machine, _ = detect(recorded)
    assert machine.host is None or machine.host.memory is None


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["hw.memsize", "machdep.cpu.brand_string", "iogpu.wired_limit_mb"]), st.text()))
def test_no_answer_of_sysctl_is_a_crash(answers: dict[str, str]) -> None:
    detect(System(Path("/nonexistent"), "darwin", 1, {f"sysctl -n {k}": v for k, v in answers.items()}))


def test_a_computer_that_tells_nothing(tmp_path: Path) -> None:
    machine, notes = detect(System(tmp_path, "linux", 3, {}))
    assert machine.host is not None
    assert (machine.host.memory, machine.cores) == (None, 3)
    assert "RAM could not be read" in str(notes[0])


def test_a_probe_that_breaks_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_system: System, _ram: system.Ram) -> Seen:
        raise RuntimeError("boom")

    monkeypatch.setattr("gyakusan.machines.detect.PROBES", (("Odd", broken), *PROBES))
    _, notes = detect(box("rtx4090", tmp_path))
    assert str(notes[0]) == "Odd GPUs could not be detected (RuntimeError: boom)."


def script(folder: Path, name: str, body: str) -> None:
    """An executable shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name != "posix", reason="shell scripts")
@pytest.mark.parametrize(
    ("body", "why"), [("exec sleep 30", "no answer within"), ("exit 9", "exit status 9"), ("kill -9 $$", "exit status")]
)
def test_a_command_that_hangs_or_fails(body: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "nvidia-smi", body)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(system, "LONGEST", 0.3)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    machine, notes = detect()
    assert all(g.vendor != "NVIDIA" for g in machine.gpus)
    assert any(why in str(n) for n in notes)


def fake_nvml(broken: bool = False) -> types.ModuleType:
    """A pynvml with a 4090 and a GPU that reports no memory."""
    nvml = types.ModuleType("pynvml")

    def info(handle: int) -> object:
        if handle == 1:
            raise RuntimeError("Not Supported")
        return types.SimpleNamespace(total=24564 * MIB, free=24000 * MIB)

    def start() -> None:
        if broken:
            raise RuntimeError("Driver Not Loaded")

    facts = {
        "nvmlInit": start,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda i: i,
        "nvmlDeviceGetName": lambda i: (b"NVIDIA GeForce RTX 4090", "NVIDIA GB10")[i],
        "nvmlDeviceGetMemoryInfo": info,
    }
    vars(nvml).update(facts)
    return nvml


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/meminfo")
def test_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    machine, _ = detect()
    card, spark = (g for g in machine.gpus if g.vendor == "NVIDIA")
    assert (card.memory, card.usable) == (24564 * MIB, 24000 * MIB)
    assert (spark.kind, spark.memory) == ("unified", cpu.meminfo(System())["MemTotal"])


def test_what_gpus_hold_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A GPU that uses the computer's RAM has no memory of its own that could be in use."""
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    mine = [m for m in gpu_memory() if "RTX" in m.name]
    assert mine == [GpuMemory("NVIDIA GeForce RTX 4090", 564 * MIB, 24564 * MIB)]
    told = {SMI: "NVIDIA GeForce RTX 3090, 24576, 20000\nNVIDIA GB10, [N/A], [N/A]\n"}
    card = "/sys/class/drm/card1/device"
    files = {
        "vendor": "0x1002",
        "device": "0x744c",
        "mem_info_vram_total": f"{24 * GIB}",
        "mem_info_vram_used": f"{GIB}",
    }
    seen = gpu_memory(laid_out(tmp_path, {**RAM, **{f"{card}/{k}": v for k, v in files.items()}}, told))
    assert [(m.used, m.total) for m in seen] == [(4576 * MIB, 24576 * MIB), (GIB, 24 * GIB)]
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(broken=True))
    assert [m for m in gpu_memory() if "RTX 4090" in m.name] == []


def test_nvml_without_a_driver_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(broken=True))
    machine, _ = detect()
    assert machine.cores >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/meminfo")
def test_this_computer() -> None:
    machine, _ = detect()
    total = cpu.meminfo(System())["MemTotal"]
    assert machine.cores <= (os.cpu_count() or 1)
    if machine.host is not None:
        assert machine.host.memory is not None
        assert 0 < machine.host.memory <= total
