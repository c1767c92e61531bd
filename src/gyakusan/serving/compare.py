"""Said and seen: the bytes that we predicted beside the bytes that the server reported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.llamacpp.log import Buffer, BufferKind, Reported
from gyakusan.units import MIB

_PRINTED = 0.005 * MIB
"""llama.cpp prints two digits of MiB: each line is right to half a hundredth. [B]"""
_GPU = re.compile(
    r"(?:cuda|rocm|hip|musa|vulkan|mtl|metal|sycl|opencl|gpu)[ _]?(\d{0,3})(?:_(?:mapped|split|private))?"
)


@dataclass(frozen=True, slots=True)
class Predicted:
    """One figure of ours. device: "host", "gpu0", or a name as llama.cpp prints it (CPU, CUDA0, CUDA_Host)."""

    kind: BufferKind
    device: str
    bytes: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison.

    device: the family; predicted, reported: None where one side says nothing; parts: the server's lines [B];
    error_bytes: predicted less reported [B]; error_share: that, over reported.
    """

    kind: BufferKind
    device: str
    predicted: float | None
    reported: float | None
    error_bytes: float | None
    error_share: float | None
    parts: tuple[Buffer, ...] = ()

    @property
    def exact(self) -> bool:
        """True if prediction and report differ by no more than the rounding of the printed figures."""
        return self.error_bytes is not None and abs(self.error_bytes) <= _PRINTED * len(self.parts) + 1e-6


def family(device: str) -> str:
    """ "CPU_Mapped", "CPU_REPACK", "CUDA_Host" -> "host"; "CUDA0", "Vulkan0", "gpu" -> "gpu0"; others as they are."""
    name = device.casefold()
    if name.startswith(("cpu", "host")) or name.endswith("_host"):
        return "host"
    match = _GPU.fullmatch(name)
    return f"gpu{match[1] or 0}" if match else name


def compare(predicted: Sequence[Predicted], reported: Reported) -> tuple[Row, ...]:
    """A row for each kind on each family of devices, ours first, then what only the server reports.

    Several figures of one kind on one family are summed on both sides; a prediction of nothing that the server does
    not print is no row.
    """
    said: dict[tuple[BufferKind, str], float] = {}
    for entry in predicted:
        key = entry.kind, family(entry.device)
        said[key] = said.get(key, 0.0) + entry.bytes
    seen: dict[tuple[BufferKind, str], list[Buffer]] = {}
    for buffer in reported.buffers:
        seen.setdefault((buffer.kind, family(buffer.device)), []).append(buffer)
    keys = [key for key in said if said[key] or key in seen]
    keys += [key for key in seen if key not in said]
    return tuple(_row(key, said.get(key), tuple(seen.get(key, ()))) for key in keys)


def _row(key: tuple[BufferKind, str], said: float | None, parts: tuple[Buffer, ...]) -> Row:
    seen = sum(part.bytes for part in parts) if parts else None
    if said is None or seen is None:
        return Row(*key, said, seen, None, None, parts)
    error = said - seen
    return Row(*key, said, seen, error, error / seen if seen else None, parts)


def compared(deployment: Deployment, reported: Reported) -> tuple[Row, ...]:
    """Return our figures beside those that the server of a deployment reported."""
    from gyakusan.engines.llamacpp.expected_log import buffers
    from gyakusan.engines.llamacpp.settings import Settings

    assert isinstance(deployment.settings, Settings)
    return compare([Predicted(*b) for b in buffers(deployment.model, deployment.settings)], reported)
