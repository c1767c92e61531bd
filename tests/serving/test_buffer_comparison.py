"""Predicted and reported buffers, line by line."""

from pathlib import Path

import pytest

from gyakusan.engines.llamacpp import log
from gyakusan.engines.llamacpp.log import Reported
from gyakusan.engines.llamacpp.server import device_family
from gyakusan.engines.server import PredictedBuffer, ReportedBuffer
from gyakusan.serving.buffer_comparison import BufferComparison, compare_buffers
from gyakusan.units import MIB

SMOLLM2 = Path(__file__).parents[1] / "logs" / "llamacpp" / "b11549" / "smollm2_cpu.log"


def compared(predicted: list[PredictedBuffer], reported: Reported) -> tuple[BufferComparison, ...]:
    return compare_buffers(predicted, reported, device_family)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("CPU", "host"),
        ("CPU_Mapped", "host"),
        ("CPU_REPACK", "host"),
        ("CUDA_Host", "host"),
        ("host", "host"),
        ("CUDA0", "gpu0"),
        ("CUDA11", "gpu11"),
        ("Vulkan1", "gpu1"),
        ("MTL0_Mapped", "gpu0"),
        ("Metal", "gpu0"),
        ("gpu", "gpu0"),
        ("RPC1", "gpu1"),
        ("RPC0[10.0.0.1:50052]", "rpc0[10.0.0.1:50052]"),
    ],
)
def test_family(device: str, expected: str) -> None:
    assert device_family(device) == expected


def test_a_recorded_log_against_what_we_know() -> None:
    """SmolLM2's tensors take 96576768 B; 30 layers x 8192 cells x (192 + 192) f16; 4 rows of 49152 logits."""
    said = [
        PredictedBuffer("weights", "host", 96_576_768),
        PredictedBuffer("kv_cache", "CPU", 30 * 8192 * (192 + 192) * 2),
        PredictedBuffer("recurrent_state", "host", 0),
        PredictedBuffer("output", "host", 4 * 49152 * 4),
    ]
    rows = compared(said, log.read(SMOLLM2.read_text().splitlines()))
    assert [r.kind for r in rows] == ["weights", "kv_cache", "output", "scratch"]
    assert [r.exact for r in rows] == [True, True, True, False]
    assert (rows[1].error_bytes, rows[1].error_share) == (0, 0)
    assert rows[3].predicted is None
    assert rows[3].error_bytes is None


def test_split_lines_are_summed_and_kept() -> None:
    parts = (ReportedBuffer("CPU_Mapped", "weights", 100.0, ""), ReportedBuffer("CPU_REPACK", "weights", 20.0, ""))
    gpu = ReportedBuffer("CUDA0", "weights", 50.0, "")
    rows = compared(
        [PredictedBuffer("weights", "gpu0", 40), PredictedBuffer("weights", "host", 132)], Reported((*parts, gpu))
    )
    assert [(r.device, r.reported, r.error_bytes, r.error_share) for r in rows] == [
        ("gpu0", 50, -10, -0.2),
        ("host", 120, 12, 0.1),
    ]
    assert rows[1].parts == parts


def test_exact_means_within_the_printed_digits() -> None:
    seen = Reported((ReportedBuffer("CPU", "scratch", 16.64 * MIB, "", 0.005 * MIB),))
    assert compared([PredictedBuffer("scratch", "CPU", 16.6449 * MIB)], seen)[0].exact
    assert not compared([PredictedBuffer("scratch", "CPU", 16.6451 * MIB)], seen)[0].exact


def test_what_the_server_never_said_has_no_error() -> None:
    (row,) = compared([PredictedBuffer("kv_cache", "gpu0", 5)], Reported())
    assert (row.reported, row.error_bytes, row.exact) == (None, None, False)
