"""RAM, usable cores and name of the CPU: Linux by /proc and cgroups, macOS by sysctl, Windows by its API."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from gyakusan.core.machine import Device, Simd
from gyakusan.errors import DetectError
from gyakusan.machines.detect.system import Ram, System, silent
from gyakusan.message import Message, say
from gyakusan.units import format_bytes

UNLIMITED = 2**60
"""cgroup v1 writes about 2^63 for "no limit". [B]"""


@dataclass(frozen=True, slots=True)
class Host:
    """The CPU and the RAM of a computer.

    device: the RAM as a Device
    ram: what the OS and the cgroup say
    cores: cores that this process may use
    notes: what could not be read
    """

    device: Device
    ram: Ram
    cores: int
    notes: tuple[Message, ...] = ()


def probe(system: System) -> Host:
    """Return the CPU and the RAM of the computer. A figure that cannot be read is unknown, with a note."""
    notes: list[Message] = []
    try:
        ram = memory(system)
    except DetectError as error:
        notes.append(say("The size of the RAM could not be read ({what}: {why}).", **error.message.facts))
        device = Device(name(system), "host", None, "cpu", source="unreadable")
        return Host(device, Ram(0, 0), cores(system), tuple(notes))
    if ram.limit is not None and ram.limit < ram.total:
        notes.append(
            say(
                "A cgroup limits this process to {limit} of {total} RAM.",
                limit=format_bytes(ram.limit),
                total=format_bytes(ram.total),
            )
        )
    kept = ram.capacity - ram.free
    device = Device(
        name(system),
        "host",
        ram.capacity,
        "cpu",
        reserved=kept,
        reserved_basis="read",
        reserved_reason=say("{kept} is in use now.", kept=format_bytes(kept)),
        memory_basis="read",
        source="detected",
    )
    return Host(device, ram, cores(system), tuple(notes))


def memory(system: System) -> Ram:
    """Return the RAM. Raises DetectError if the OS does not say."""
    if system.platform == "darwin":
        return _darwin(system)
    if system.platform == "win32" and system.is_this:
        return _windows()
    fields = meminfo(system)
    ram = Ram(fields["MemTotal"], fields.get("MemAvailable", fields.get("MemFree", fields["MemTotal"])))
    limit = cgroup_limit(system)
    return ram if limit is None else replace(ram, limit=limit[0], used=limit[1])


def meminfo(system: System) -> dict[str, int]:
    """Return the RAM by /proc/meminfo [B]. Raises DetectError if it has no MemTotal."""
    text = system.read("/proc/meminfo")
    fields = {k: int(v) * 1024 for k, v in re.findall(r"^(\w+):\s+(\d{1,15}) kB", text, re.MULTILINE)}
    if fields.get("MemTotal", 0) <= 0:
        raise silent("/proc/meminfo", say("no MemTotal"))
    return fields


def cgroup_limit(system: System) -> tuple[int, int] | None:
    """Return the tightest memory limit from this process's cgroup upwards, and the use in it without page cache [B].

    v2: memory.max; v1: memory.limit_in_bytes. In a container the path of /proc/self/cgroup may be outside of the mount: then
    the mounted root is the container's own group. None: no limit.
    """
    found = []
    for folder, limit, usage, cache in _groups(system):
        top = _number(system, f"{folder}/{limit}")
        if top is not None and top < UNLIMITED:
            used = (_number(system, f"{folder}/{usage}") or 0) - _stat(system, f"{folder}/memory.stat", cache)
            found.append((top, max(0, used)))
    return min(found, key=lambda f: f[0] - f[1], default=None)


def cores(system: System) -> int:
    """Return the usable cores: affinity, and the cgroup's CPU quota (v2 cpu.max, v1 cfs_quota) rounded up."""
    if system.platform == "darwin":
        return _sysctl_number(system, "hw.physicalcpu") or system.cores
    quotas = [q for q in (_quota(system, folder) for folder in _cpu_groups(system)) if q]
    return max(1, min([system.cores, *(math.ceil(q) for q in quotas)]))


def name(system: System) -> str:
    """Return the name of the CPU, "CPU" if unknown. Arm gives only part numbers: the board's model stands in."""
    if system.platform == "darwin":
        return _plain(_answer(system, "sysctl", "-n", "machdep.cpu.brand_string"))
    text = _text(system, "/proc/cpuinfo")
    found = re.search(r"^(?:model name|Model|Hardware|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    said = found[1] if found else _text(system, "/proc/device-tree/model").strip("\0 \n")
    return _plain(said)


def simd(system: System) -> Simd:
    """Return the vector units that llama.cpp repacks weights for, as wheels and plain builds are made: AVX2 at most on x86.

    A build for AVX-512 repacks Q2_K too; it says so in its log, and `simd` is a setting.
    """
    if system.platform == "darwin":
        return "neon"
    line = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _text(system, "/proc/cpuinfo"), re.MULTILINE)
    flags = set(line[1].split()) if line else set()
    return "avx2" if "avx2" in flags else "neon" if "asimddp" in flags else "none"


def _plain(said: str) -> str:
    """Return a name without marks and runs of spaces; "CPU" for nothing."""
    return re.sub(r"\s+", " ", re.sub(r"\((?:R|TM)\)", "", said)).strip()[:120] or "CPU"


def _groups(system: System) -> list[tuple[str, str, str, str]]:
    """Return the folders from this process's cgroup up to the root: folder, limit file, usage file, page cache key."""
    v2 = ("memory.max", "memory.current", "inactive_file")
    v1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    out = []
    for mount, path, files in (
        ("/sys/fs/cgroup", _path(system, ""), v2),
        ("/sys/fs/cgroup/unified", _path(system, ""), v2),
        ("/sys/fs/cgroup/memory", _path(system, "memory"), v1),
    ):
        out += [(folder, *files) for folder in _upwards(mount, path)]
    return out


def _cpu_groups(system: System) -> list[str]:
    v2, v1 = _upwards("/sys/fs/cgroup", _path(system, "")), []
    for mount in ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"):
        v1 += _upwards(mount, _path(system, "cpu"))
    return v2 + v1


def _upwards(mount: str, path: str) -> list[str]:
    """Return mount/a/b, mount/a and mount for "/a/b" under a mount. A path that climbs out of it is the mount."""
    parts = [p for p in path.split("/") if p]
    if ".." in parts or len(parts) > 64:
        parts = []
    return ["/".join([mount, *parts[:n]]) for n in range(len(parts), -1, -1)]


def _path(system: System, controller: str) -> str:
    """Return this process's path for a v1 controller, or for v2 (controller "")."""
    for line in _text(system, "/proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if (number == "0" and not names and not controller) or (controller and controller in names.split(",")):
            return path
    return ""


def _quota(system: System, folder: str) -> float | None:
    """Return the CPUs that a group may use, None if it is not limited."""
    words = _text(system, f"{folder}/cpu.max").split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
        return int(words[0]) / int(words[1])
    quota, period = _number(system, f"{folder}/cpu.cfs_quota_us"), _number(system, f"{folder}/cpu.cfs_period_us")
    return quota / period if quota and period else None


def _number(system: System, path: str) -> int | None:
    """Return the whole number in a file; None if there is none ("max", -1, absent)."""
    text = _text(system, path).strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _stat(system: System, path: str, key: str) -> int:
    found = re.search(rf"^{key} (\d{{1,18}})$", _text(system, path), re.MULTILINE)
    return int(found[1]) if found else 0


def _text(system: System, path: str) -> str:
    """Return the text of a file, "" if it cannot be read."""
    try:
        return system.read(path)
    except DetectError:
        return ""


def _answer(system: System, *argv: str) -> str:
    try:
        return system.run(*argv).strip()
    except DetectError:
        return ""


def _sysctl_number(system: System, key: str) -> int | None:
    text = _answer(system, "sysctl", "-n", key)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _darwin(system: System) -> Ram:
    """Return the RAM of macOS: hw.memsize, and vm_stat for what is free, inactive or purgeable."""
    total = _sysctl_number(system, "hw.memsize")
    if not total:
        raise silent("sysctl hw.memsize", say("not a number"))
    text = _answer(system, "vm_stat")
    size = re.search(r"page size of (\d{1,7}) bytes", text)
    pages = dict(re.findall(r"^Pages ([a-z ]+):\s+(\d{1,15})\.", text, re.MULTILINE))
    kinds = ("free", "inactive", "speculative", "purgeable")
    available = sum(int(pages.get(k, 0)) for k in kinds) * int(size[1]) if size else total
    return Ram(total, min(total, available))


def _windows() -> Ram:
    """Return the RAM of Windows by GlobalMemoryStatusEx."""
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (f"n{i}", ctypes.c_ulonglong) for i in range(7)
        ]

    status = Status()
    status.length = ctypes.sizeof(Status)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        raise silent("GlobalMemoryStatusEx", say("failed"))
    return Ram(int(status.n0), int(status.n1))
