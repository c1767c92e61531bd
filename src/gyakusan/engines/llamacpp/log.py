"""What llama.cpp's server logs about itself: the buffers that it allocated, and what it does while it starts.

Lines may carry a prefix (`0.00.201.386 I llama_kv_cache: `) and may be rubbish: what is not recognised is skipped.
Source: llama.cpp b11434, src/llama-model.cpp (load_tensors), src/llama-kv-cache.cpp, src/llama-memory-recurrent.cpp,
src/llama-context.cpp (llama_context, sched_reserve), tools/server/server-http.cpp (start).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gyakusan.engines.llamacpp.log_errors import LONGEST_LINE
from gyakusan.engines.server import ReportedBuffer
from gyakusan.message import Message, say
from gyakusan.units import MIB

BufferKind = Literal["weights", "kv_cache", "recurrent_state", "scratch", "output"]

_BUFFER = re.compile(
    r"([A-Za-z][\w.:\[\]-]{0,63}) +(model|KV|RS|compute|output|LoRA|DSV4 [\w -]{1,40}? state) buffer size = +"
    r"(\d{1,12}\.\d{1,4}) MiB"
)
_KIND: dict[str, BufferKind] = {
    "model": "weights",
    "LoRA": "weights",
    "KV": "kv_cache",
    "RS": "recurrent_state",
    "compute": "scratch",
    "output": "output",
}
_BUILD = re.compile(r"\b(?:build_info: b|build: |build )(\d{1,7})(?:-| \()")
_FACT = re.compile(r"llama_context: (n_ctx|n_seq_max|n_batch|n_ubatch|kv_unified|flash_attn) += (\w+)")
_FLASH = re.compile(r"Flash Attention (enabled|disabled|not supported)|Flash Attention was auto, set to (\w+)")
_FITTED = re.compile(r"(?:llama_params_fit|common_fit_params|common_params_fit)\w*: (.{1,300})")
_ADDRESS = re.compile(r"listening on https?://(?:\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):(\d{1,5})\b")
_WORKER = re.compile(r"using device RPC(\d{1,3}) \(([\w.:\[\]-]{1,100})\)")
_ON_WORKER = re.compile(r"RPC(\d{1,3})\[([\w.:\[\]-]{1,100})\]")
_OWN_GPU = re.compile(r"([A-Za-z]{1,20})(\d{1,3})")
_ROUNDING = 0.005 * MIB
"""llama.cpp prints two digits of MiB: a figure is right to half a hundredth. [B]"""
FIRST_BUILD = 1000
"""Smaller numbers are not llama.cpp's: a build outside its repository calls itself 0 or 1."""
_NUMBERS = {"n_ctx": "context", "n_seq_max": "slots", "n_batch": "batch", "n_ubatch": "ubatch"}


@dataclass(frozen=True, slots=True)
class Reported:
    """What one start of the server logged, None for what it did not log.

    buffers: in the order of the log
    build: llama.cpp's number
    context: n_ctx, all slots together [tokens]
    slots: conversations at the same time
    batch: the logical batch [tokens]
    ubatch: the physical batch [tokens]
    unified: one cache for all slots
    flash: flash attention is used
    fitted: lines of `--fit`, empty if it is off
    """

    buffers: tuple[ReportedBuffer, ...] = ()
    build: int | None = None
    context: int | None = None
    slots: int | None = None
    batch: int | None = None
    ubatch: int | None = None
    unified: bool | None = None
    flash: bool | None = None
    fitted: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """The build as people write it."""
        return None if self.build is None else f"b{self.build}"

    def of(self, kind: BufferKind) -> float:
        """Return the bytes of one kind over all devices [B]."""
        return sum(buffer.bytes for buffer in self.buffers if buffer.kind == kind)

    @property
    def total(self) -> float:
        """Return the bytes of all buffers [B]."""
        return sum(buffer.bytes for buffer in self.buffers)


def read(lines: Iterable[str]) -> Reported:
    """Return the facts in a log. It never raises, whatever the text."""
    buffers: list[ReportedBuffer] = []
    workers = _Workers({}, 0)
    fitted: list[str] = []
    facts: dict[str, int | bool] = {}
    for line in lines:
        line = line[:LONGEST_LINE]
        if (buffer := _buffer(line)) is not None:
            buffers.append(_numbered(buffer, workers) if workers.devices else buffer)
        elif match := _WORKER.search(line):
            workers = workers.add(match[2], int(match[1]))
        elif match := _FITTED.search(line):
            fitted.append(match[1].strip())
        else:
            facts |= _facts(line)
    return Reported(tuple(buffers), fitted=tuple(fitted), **facts)  # type: ignore[arg-type]


def _buffer(line: str) -> ReportedBuffer | None:
    match = _BUFFER.search(line)
    if match is None:
        return None
    kind = _KIND.get(match[2], "recurrent_state")
    return ReportedBuffer(match[1], kind, float(match[3]) * MIB, match[0], _ROUNDING)


@dataclass(frozen=True, slots=True)
class _Workers:
    """RPC workers that were named so far.

    first: number of the first device of each address
    devices: of all of them
    """

    first: Mapping[str, int]
    devices: int

    def add(self, address: str, number: int) -> _Workers:
        """Return these and one more device. number: among all devices of workers."""
        return _Workers({address: number, **self.first}, max(self.devices, number + 1))


def _numbered(buffer: ReportedBuffer, workers: _Workers) -> ReportedBuffer:
    """Return a buffer under the number of its RPC device, or of the computer's own GPU behind all of them.

    Buffers are called RPC0, RPC1 ... anew for each address, which they name. Source: llama.cpp b11434,
    ggml/src/ggml-rpc/ggml-rpc.cpp (ggml_backend_rpc_buffer_type), src/llama.cpp (llama_prepare_model_devices: workers
    come first).
    """
    if match := _ON_WORKER.fullmatch(buffer.device):
        number = workers.first.get(match[2])
        return buffer if number is None else replace(buffer, device=f"RPC{number + int(match[1])}")
    if match := _OWN_GPU.fullmatch(buffer.device):
        return replace(buffer, device=f"{match[1]}{int(match[2]) + workers.devices}")
    return buffer


def _facts(line: str) -> dict[str, int | bool]:
    """Return the fields of Reported that one line tells."""
    if match := _FACT.search(line):
        name, value = match[1], match[2]
        if name in _NUMBERS:
            return {_NUMBERS[name]: int(value)} if value.isdecimal() and len(value) < 16 else {}
        if name == "kv_unified":
            return {"unified": value == "true"}
        return {"flash": value == "enabled"} if value in ("enabled", "disabled") else {}
    if match := _FLASH.search(line):
        return {"flash": "enabled" in (match[1], match[2])}
    if (match := _BUILD.search(line)) and int(match[1]) >= FIRST_BUILD:
        return {"build": int(match[1])}
    return {}


def listens(line: str, port: int) -> bool:
    """Return True if this line says that the server listens on `port` and has loaded the model."""
    match = _ADDRESS.search(line[:LONGEST_LINE])
    return match is not None and int(match[1]) == port


def works(line: str) -> bool:
    """Return True if this line says that the model computes for somebody."""
    return "slot " in line[:80] and "| task " in line[:LONGEST_LINE]


_STAGES = (
    ("warming up the model", say("Warming up.")),
    ("constructing llama_context", say("Allocating memory for conversations.")),
    ("load_tensors: loading model tensors", say("Loading the weights.")),
    ("loading model '", say("Reading the model's header.")),
)


def stage(line: str) -> Message | None:
    """Return what the server begins with this line, None if nothing."""
    return next((message for text, message in _STAGES if text in line[:LONGEST_LINE]), None)
