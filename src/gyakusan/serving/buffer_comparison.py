"""The buffers that we predicted for a server, each with the bytes that the server reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.server import PredictedBuffer, ReportedBuffer, ServerReport


@dataclass(frozen=True, slots=True)
class BufferComparison:
    """What we predicted and what the server reported for one kind of buffer on one device.

    kind: what the buffers hold, e.g. "weights"
    device: "host", "gpu0", ...
    predicted: our figure, None if we have none [B]
    reported: the server's figure, None if it has none [B]
    error_bytes: predicted less reported, None if one of them is missing [B]
    error_share: error_bytes over reported, None if one of them is missing or nothing is reported
    parts: the server's lines that are summed up
    model: name of the model whose process it is, "" where there is only one
    """

    kind: str
    device: str
    predicted: float | None
    reported: float | None
    error_bytes: float | None
    error_share: float | None
    parts: tuple[ReportedBuffer, ...] = ()
    model: str = ""

    @property
    def exact(self) -> bool:
        """True if prediction and report differ by no more than the rounding of the printed figures."""
        rounding = sum(part.rounding for part in self.parts)
        return self.error_bytes is not None and abs(self.error_bytes) <= rounding + 1e-6


def compare_buffers(
    predicted: Sequence[PredictedBuffer], report: ServerReport, device_family: Callable[[str], str]
) -> tuple[BufferComparison, ...]:
    """Return one comparison for each kind on each family of devices, ours first, then what only the server reports.

    Several figures of one kind on one family are summed on both sides. A prediction of 0 that the server does not print
    is left out.
    """
    expected: dict[tuple[str, str], float] = {}
    for entry in predicted:
        key = entry.kind, device_family(entry.device)
        expected[key] = expected.get(key, 0.0) + entry.bytes
    printed: dict[tuple[str, str], list[ReportedBuffer]] = {}
    for buffer in report.buffers:
        printed.setdefault((buffer.kind, device_family(buffer.device)), []).append(buffer)
    keys = [key for key in expected if expected[key] or key in printed]
    keys += [key for key in printed if key not in expected]
    return tuple(_comparison(key, expected.get(key), tuple(printed.get(key, ()))) for key in keys)


def compare_deployment(deployment: Deployment, report: ServerReport) -> tuple[BufferComparison, ...]:
    """Return our figures for a deployment, compared with those that its server reported."""
    module = deployment.server
    return compare_buffers(
        module.predicted_buffers(deployment.model, deployment.settings), report, module.device_family
    )


def _comparison(key: tuple[str, str], predicted: float | None, parts: tuple[ReportedBuffer, ...]) -> BufferComparison:
    reported = sum(part.bytes for part in parts) if parts else None
    if predicted is None or reported is None:
        return BufferComparison(*key, predicted, reported, None, None, parts)
    error = predicted - reported
    return BufferComparison(*key, predicted, reported, error, error / reported if reported else None, parts)
