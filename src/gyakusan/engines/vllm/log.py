"""What vLLM says of itself: its start-up log, and the line `vllm:cache_config_info` of /metrics.

Lines may carry prefixes and colours, may stand in any order, and may be rubbish: what is not recognised is skipped.
Source: vLLM 0.11 to 0.32, v1/core/kv_cache_utils.py (update_kv_cache_capacity), v1/worker/gpu_worker.py,
v1/worker/gpu_model_runner.py, v1/metrics/loggers.py (log_metrics_info); logs of real servers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from gyakusan.engines.server import ReportedBuffer
from gyakusan.units import GIB

_LONGEST = 8000
"""Longer lines are cut before they are matched [characters]."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What one start printed about its first rank; None for what it did not print.

    version: of vLLM
    weights: memory of the weights [B]
    available: memory for blocks [B]
    graphs: memory of CUDA graphs [B]
    tokens: "KV cache size" [tokens]
    max_model_len: tokens of one request [tokens]
    concurrency: requests of `max_model_len` tokens that fit
    blocks: blocks in the pool
    block_size: tokens of one block [tokens]
    batched: tokens of one batch [tokens]
    utilization: share of the GPU's memory that it takes
    """

    version: str | None = None
    weights: int | None = None
    available: int | None = None
    graphs: int | None = None
    tokens: int | None = None
    max_model_len: int | None = None
    concurrency: float | None = None
    blocks: int | None = None
    block_size: int | None = None
    batched: int | None = None
    utilization: float | None = None

    @property
    def build(self) -> None:
        """None: vLLM has versions, and no build numbers."""
        return

    @property
    def buffers(self) -> tuple[ReportedBuffer, ...]:
        """The weights of the first rank, printed to 0.01 GiB or finer."""
        if self.weights is None:
            return ()
        return (ReportedBuffer("gpu0", "weights", float(self.weights), "Model loading took", 0.005 * GIB),)

    @property
    def request(self) -> int | None:
        """Return the bytes that one request of full length reserves [B]."""
        if self.available is None or not self.concurrency:
            return None
        return round(self.available / self.concurrency)


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def _gib(text: str) -> int:
    return round(float(text) * GIB)


_FACTS: tuple[tuple[re.Pattern[str], tuple[tuple[str, Callable[[str], Any]], ...]], ...] = (
    (re.compile(r"vLLM (?:API server )?version v?(\d[\w.+-]{0,60})"), (("version", str),)),
    (re.compile(r"Initializing a V1 LLM engine \(v(\d[\w.+-]{0,60})\)"), (("version", str),)),
    (re.compile(r"Model loading took (\d{1,6}\.\d{1,6}) GiB"), (("weights", _gib),)),
    (re.compile(r"Available KV cache memory: (\d{1,6}\.\d{1,6}) GiB"), (("available", _gib),)),
    (re.compile(r"Graph capturing finished in [\d.]{1,9} secs?, took (-?\d{1,6}\.\d{1,6}) GiB"), (("graphs", _gib),)),
    (re.compile(r"KV cache size: ([\d,]{1,20}) tokens"), (("tokens", _whole),)),
    (
        re.compile(r"Maximum concurrency for ([\d,]{1,20}) tokens per request: (\d{1,9}\.\d{1,4})x"),
        (("max_model_len", _whole), ("concurrency", float)),
    ),
    (re.compile(r"enabled with max_num_batched_tokens=(\d{1,9})"), (("batched", int),)),
)
_METRIC = re.compile(r'\b(\w+)="([^"]{0,100})"')
_NAMED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "num_gpu_blocks": ("blocks", int),
    "block_size": ("block_size", int),
    "kv_cache_size_tokens": ("tokens", int),
    "kv_cache_max_concurrency": ("concurrency", float),
    "gpu_memory_utilization": ("utilization", float),
}


def read(lines: Iterable[str]) -> Reported:
    """Return what a log, or /metrics, reports. The first rank that speaks counts."""
    facts: dict[str, Any] = {}
    for line in lines:
        text = line[:_LONGEST]
        for name, value in _metrics(text) if "vllm:cache_config_info{" in text else _said(text):
            facts.setdefault(name, value)
    return replace(Reported(), **facts)


def _said(line: str) -> Iterable[tuple[str, Any]]:
    for pattern, names in _FACTS:
        match = pattern.search(line)
        if match:
            yield from ((name, make(text)) for (name, make), text in zip(names, match.groups(), strict=True))


def _metrics(line: str) -> Iterable[tuple[str, Any]]:
    for key, text in _METRIC.findall(line):
        if key in _NAMED and re.fullmatch(r"\d{1,18}(\.\d{1,18})?", text):
            name, make = _NAMED[key]
            yield name, make(float(text)) if make is int else make(text)
