"""vLLM beside other servers on one GPU: it takes a share of the memory, so the share must be what it needs."""

from __future__ import annotations

from gyakusan.core.ledger import Ledger
from gyakusan.core.machine import Machine
from gyakusan.engines.vllm.pool import requested
from gyakusan.engines.vllm.profile import visible
from gyakusan.engines.vllm.settings import Settings

MOST_SHARE = 0.98
PERCENTS = 2
"""One percent because shares are whole percents, one for what changes between starts."""


def occupied_bytes(ledger: Ledger) -> tuple[int, ...]:
    """Return what it holds of each account's device: of a GPU at least its whole share [B]."""
    settings = Settings(1, gpu_memory_utilization=ledger.settings["gpu_memory_utilization"])
    totals = (int(a.total) for a in ledger.accounts)
    return tuple(
        total if a.device.kind == "host" else max(total, requested(visible(a.device), settings))
        for a, total in zip(ledger.accounts, totals, strict=True)
    )


def coexisting_settings(ledger: Ledger) -> dict[str, object]:
    """Return the share of a GPU that the ledger needs, in whole percents, and the requests at once that were planned.

    The share is that of the high end of doubt where that fits. More requests than planned would take the speed, and the
    time of the device, from the servers beside it.
    """
    accounts = [a for a in ledger.accounts if a.device.kind != "host"]
    room = all(a.spare is None or a.spare >= PERCENTS / 100 * visible(a.device) for a in accounts)
    needs = [float(a.at_most if room else a.total) / (visible(a.device) or 1) for a in accounts]
    share = min(MOST_SHARE, (int(max(needs) * 100) + PERCENTS) / 100)
    return {"gpu_memory_utilization": share, "max_num_seqs": int(ledger.load.users)}


def coexisting_margin(machine: Machine) -> float:
    """Return what whole percents may take of the largest GPU beyond the need [B]."""
    return PERCENTS / 100 * max((visible(g) for g in machine.gpus), default=0)
