"""Why mlx_lm.server did not start or stopped, read from its log.

Source: mlx-lm 0.32.2, mlx_lm/server.py, utils.py (_get_classes, load_model); mlx 0.32.4, backend/metal/allocator.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gyakusan.engines.log_failures import Pattern, first_failure
from gyakusan.engines.server import StartFailure
from gyakusan.message import say

_INSTALL = say("Run: pip install 'gyakusan[mlx]'")
# fmt: off
_TABLE = (
    Pattern(
        "library", re.compile(r"No module named '?(?P<what>mlx[\w.]*)"),
        say("MLX-LM is not installed in that Python."), _INSTALL,
    ),
    Pattern(
        "library", re.compile(r"gyakusan: this MLX-LM is not known: (?P<what>.{1,160})"),
        say("This version of MLX-LM is not supported: {what}."), _INSTALL,
    ),
    Pattern(
        "library", re.compile(r"ImportError: (?P<what>.{0,120}(?:libmlx|mlx).{0,120})"),
        say("MLX cannot be loaded: {what}."), say("Install it again: pip install --force-reinstall 'gyakusan[mlx]'"),
    ),
    Pattern(
        "port", re.compile(r"OSError: \[Errno \d+\] Address already in use"),
        say("The port is in use."), say("Choose another port with --port; without it a free one is used."),
    ),
    Pattern(
        "memory", re.compile(r"kIOGPUCommandBufferCallbackErrorOutOfMemory|\[metal::malloc\]|Unable to allocate \d+ bytes"
        r"|\[malloc_or_wait\]|MemoryError|std::bad_alloc|Attempting to allocate \d+ bytes"),
        say("The server ran out of memory."),
        say("Choose a shorter context, fewer users, or a format with fewer bits."),
    ),
    Pattern(
        "architecture", re.compile(r"Model type (?P<name>[\w.-]{1,80}) not supported"),
        say("This version of MLX-LM does not support the architecture {name}."),
        say("Update it: pip install --upgrade mlx-lm"),
    ),
    Pattern(
        "model", re.compile(r"(?P<what>No safetensors found.{0,120}|Missing \d+ parameters.{0,120}"
        r"|Received \d+ parameters not in model.{0,120}|Expected shape .{0,120})"),
        say("The model's weights cannot be loaded: {what}."),
        say("Get the files again: gyakusan get MODEL --engine mlx"),
    ),
    Pattern(
        "model", re.compile(r"generation thread died: (?P<what>.{1,200})"),
        say("The model cannot be loaded: {what}."), say("Check the folder with: gyakusan inspect FOLDER --engine mlx"),
    ),
    Pattern(
        "argument", re.compile(r"error: (?:unrecognized arguments|argument) (?P<flag>\S{1,80})"),
        say("This mlx_lm.server does not support {flag}."), say("Update it: pip install --upgrade mlx-lm"),
    ),
)
# fmt: on


def start_failure(lines: Iterable[str]) -> StartFailure | None:
    """Return why the server did not start, None if the log does not tell."""
    return first_failure(lines, _TABLE)
