"""How fast is the memory arithmetic, and how long does one question take?

    python benchmarks/planning_speed.py [--json] [--runs N] [--whole]

grid: memory evaluations a second on one core, contexts x users in one call, as the search sifts candidates; one evaluation
is everything that the engine allocates on the GPU and the host for one context and one number of users.
exact: the same as `inspect` and the shown plans count them, by simulating the engine's graph.
command: `gyakusan inspect FILE` of a local GGUF, as a ratio to `python -c "import cyclopts"`, run in turn.
by_name: `gyakusan inspect gpt-oss-20b --device "RTX 4090"` beside the same, CPU time, the least of all runs: it is there where
other work shares the processor. Every command may keep its byte code, as an installed package does.
plan: one box from a cold start, beside llmfit's `fit` and `plan` where it is installed (PyPI, llmfit), run in turn.
cells: complete cells (memory, pace, quality and price) a second on one core, warm, in a grid of every model on the GeForce
cards of two generations, 1 to 8 of each, 5 contexts.
whole (--whole): every model x quantisation x engine x device of the catalogue, 1 to 8 of each, 5 contexts; in a process of
its own, for its peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gyakusan.core.arrays import Number
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers.kv_cache import groups
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.models import load

MODELS = ("llama3.1-8b", "gpt-oss-20b", "qwen3-30b-a3b", "gemma3-27b")
CONTEXTS, USERS = 512, 16
EXACT_CONTEXTS, EXACT_USERS = 4, 2
CONTEXTS_ASKED = (4096, 8192, 16384, 32768, 65536)
CARDS = ("NVIDIA GeForce RTX 50", "NVIDIA GeForce RTX 40")
EVERY = ("",)
"""Every name begins so."""


def evaluate(model: Model, graph: Model, settings: Settings) -> Number:
    """Bytes on the GPU and the host. graph: the model whose graph is counted, without tensors for closed forms [B]."""
    held, made = weights(model, settings), compute_buffer(graph, settings)
    return held.gpu + held.host + sum(g.bytes for g in groups(model, settings)) + made.gpu + made.host


def grid_rate(model: Model) -> float:
    """Evaluations a second over a grid of contexts x users, as the search sifts, the best of several calls. [1/s]"""
    settings, sifted = grid(CONTEXTS, USERS), replace(model, tensors=())
    size = evaluate(model, sifted, settings).size
    return size / best(lambda: evaluate(model, sifted, settings))


def exact_rate(model: Model) -> float:
    """Exact evaluations a second, each by a simulation of its own, the first ones. [1/s]"""
    settings = grid(EXACT_CONTEXTS, EXACT_USERS)
    begun = time.perf_counter()
    size = evaluate(model, model, settings).size
    return size / (time.perf_counter() - begun)


def grid(contexts: int, users: int) -> Settings:
    """Settings of every context and number of users."""
    context = np.arange(1, contexts + 1, dtype=np.int64)[:, None] * 256
    people = np.arange(1, users + 1, dtype=np.int64)[None, :]
    return Settings(context=context * people, slots=people)


def best(call: Callable[[], object], runs: int = 30) -> float:
    """Shortest time of several calls. [s]"""
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def tiny_gguf(path: Path) -> None:
    """A small but real GGUF: a llama of two blocks, with a hole for data."""
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(4096)
    writer.add_embedding_length(256)
    writer.add_feed_forward_length(512)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_vocab_size(1000)
    for name, shape in _shapes():
        writer.add_tensor(name, np.zeros(shape, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes() -> list[tuple[str, tuple[int, ...]]]:
    block = {"attn_q": (256, 256), "attn_k": (128, 256), "attn_v": (128, 256), "attn_output": (256, 256)}
    block |= {"ffn_gate": (512, 256), "ffn_up": (512, 256), "ffn_down": (256, 512)}
    blocks = [(f"blk.{i}.{n}.weight", s) for i in range(2) for n, s in block.items()]
    norms = [(f"blk.{i}.{n}.weight", (256,)) for i in range(2) for n in ("attn_norm", "ffn_norm")]
    return [("token_embd.weight", (1000, 256)), ("output_norm.weight", (256,)), *blocks, *norms]


def command_ratio(runs: int) -> dict[str, float]:
    """Wall seconds of the command and of the bare CLI library, run in turn, and the median of the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.gguf"
        tiny_gguf(path)
        ours = [sys.executable, "-m", "gyakusan", "inspect", str(path), "--device", "RTX 4090"]
        bare = [sys.executable, "-c", "import cyclopts"]
        pairs = [(wall(ours), wall(bare)) for _ in range(runs + 1)][1:]
    ratios = [a / b for a, b in pairs]
    return {
        "inspect_s": statistics.median(a for a, _ in pairs),
        "bare_s": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(ratios),
    }


def by_name(runs: int) -> dict[str, float]:
    """Least CPU seconds of `inspect` by name and of the bare CLI library, run in turn, and their ratio."""
    ours = [sys.executable, "-m", "gyakusan", "inspect", "gpt-oss-20b", "--device", "RTX 4090"]
    bare = [sys.executable, "-c", "import cyclopts"]
    pairs = [(cpu(ours), cpu(bare)) for _ in range(runs + 1)][1:]
    mine, library = min(a for a, _ in pairs), min(b for _, b in pairs)
    return {"inspect_s": mine, "bare_s": library, "ratio": mine / library}


def plan_times(runs: int) -> dict[str, float]:
    """Wall seconds of a plan for one box from a cold start, and of llmfit's answers where it is installed, in turn."""
    commands = {
        "gyakusan plan": [sys.executable, "-m", "gyakusan", "plan", "--device", "RTX 4090"],
        "gyakusan plan --budget": [sys.executable, "-m", "gyakusan", "plan", "--budget", "1000000JPY", "--users", "5"],
    }
    llmfit = shutil.which("llmfit")
    if llmfit is not None:
        commands["llmfit fit"] = [llmfit, "--memory", "24G", "fit", "-n", "5"]
        commands["llmfit plan"] = [llmfit, "--memory", "24G", "plan", "Qwen/Qwen3-8B", "--context", "8192"]
    seen: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs + 1):
        for name, command in commands.items():
            seen[name].append(wall(command))
    return {name: statistics.median(times[1:]) for name, times in seen.items()}


def cells(devices: Sequence[str]) -> dict[str, float]:
    """A grid of every model over devices of the catalogue whose names begin so, 1 to 8 of each, CONTEXTS_ASKED."""
    from gyakusan.planning.candidates import hardware, model_table
    from gyakusan.planning.evaluate.sweep import sweep
    from gyakusan.planning.request.money import Money
    from gyakusan.planning.request.request import PlanRequest

    begun = time.perf_counter()
    known = model_table.load()
    places = np.arange(len(known.models))
    question = PlanRequest(users=4, budget=Money(1e12, "JPY"))
    every = [o for o in hardware.all_machines(question) if o.machine.gpus[0].name.startswith(tuple(devices))]

    def run() -> int:
        return sweep(question, known, every, places, reduce=True, contexts=CONTEXTS_ASKED).count

    count = run()
    first = time.perf_counter() - begun
    warm = best(run, 3) if devices != EVERY else first
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"cells": count, "first_s": first, "warm_s": warm, "peak_bytes": peak, "offers": len(every)}


def whole() -> dict[str, float]:
    """The whole catalogue in a process of its own."""
    found = subprocess.run(
        [sys.executable, __file__, "--only-whole"], check=True, capture_output=True, text=True, encoding="utf-8"
    )
    answer: dict[str, float] = json.loads(found.stdout)
    return answer


def wall(command: list[str]) -> float:
    """Wall time of a command. [s]"""
    begun = time.perf_counter()
    quietly(command)
    return time.perf_counter() - begun


def cpu(command: list[str]) -> float:
    """CPU time of a command. [s]"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quietly(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def quietly(command: list[str]) -> None:
    """Run a command whose output nobody reads, with its byte code kept."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--only-whole", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only_whole:
        print(json.dumps(cells(EVERY)))
        return
    rates = {name: grid_rate(load(name)) for name in MODELS}
    exact = {name: exact_rate(load(name)) for name in MODELS}
    report = {
        "evaluations_per_second": rates,
        "exact_per_second": exact,
        "command": command_ratio(asked.runs),
        "by_name": by_name(asked.runs),
        "plan_s": plan_times(asked.runs),
        "cells": cells(CARDS),
    }
    if asked.whole:
        report["whole"] = whole()
    if asked.json:
        print(json.dumps(report, indent=1))
        return
    for name, rate in rates.items():
        print(f"{name:20} {rate / 1e6:7.1f} million memory evaluations a second on one core; exact: {exact[name]:.0f}")
    c = report["command"]
    print(
        f"inspect of a GGUF: {c['inspect_s']:.3f} s, {c['ratio']:.2f} x `python -c 'import cyclopts'` ({c['bare_s']:.3f} s)"
    )
    c = report["by_name"]
    print(f"inspect by name: {c['inspect_s']:.3f} s of CPU, {c['ratio']:.2f} x the same")
    for name, seconds in report["plan_s"].items():
        print(f"{name:24} {seconds:6.3f} s from a cold start")
    for name in ("cells", "whole"):
        if name in report:
            print(f"{name}: {_cells_line(report[name])}")


def _cells_line(c: dict[str, float]) -> str:
    return (
        f"{c['cells'] / 1e6:.2f} million cells, first {c['first_s']:.2f} s, warm {c['warm_s']:.3f} s"
        f" ({c['cells'] / c['warm_s'] / 1e6:.1f} million a second), peak {c['peak_bytes'] / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
