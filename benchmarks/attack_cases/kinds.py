"""The classes of hostile input, and how much each counts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from benchmarks.attack_cases import folders, gguf_files, guard, kept, servers, texts
from benchmarks.attack_cases.case import Case
from benchmarks.attack_cases.guard import Task

KINDS: dict[str, tuple[Callable[[Random], Case], int]] = {
    "GGUF bytes: flips, cuts, splices, lying counts": (gguf_files.spoilt, 220),
    "GGUF keys and tensors that lie": (gguf_files.lying, 200),
    "very large headers": (gguf_files.large, 5),
    "file names, and what is no file": (gguf_files.named, 30),
    "folders with a config.json": (folders.config, 160),
    "safetensors headers, indexes, shards": (folders.safetensors, 90),
    "questions in TOML and JSON": (texts.question, 70),
    "absurd arguments": (texts.argument, 80),
    "records of one's own": (kept.record, 30),
    "scores of one's own": (kept.scores, 10),
    "saved answers": (kept.saved, 20),
    "kept releases": (kept.kept_release, 15),
    "releases from a publisher": (servers.publisher, 15),
    "signed releases that are none": (servers.signed_publisher, 10),
    "web servers and redirects": (servers.web, 40),
    "hubs": (servers.hub, 30),
    "Ollama registries": (servers.registry, 20),
    "encodings and widths of the terminal": (texts.encoding, 30),
}
"""Name -> what makes a case, and its share of all. [per thousand, about]"""
ALONE = {
    "records of one's own",
    "saved answers",
    "kept releases",
    "releases from a publisher",
    "signed releases that are none",
}
"""Classes whose cases each need a process of their own: what stands in the user's folder is kept by name."""


def make(task: Task) -> Case:
    """Return the case of a class and a seed, always the same."""
    return KINDS[task.kind][0](Random(f"{task.kind} {task.seed}"))


def tasks(cases: int, seed: int) -> Iterator[Task]:
    """Yield about `cases` tasks, shared among the classes; another seed makes others."""
    whole = sum(share for _, share in KINDS.values())
    for kind, (_, share) in KINDS.items():
        for n in range(max(1, round(cases * share / whole))):
            yield Task(kind, seed * 1_000_000 + n)


def warm() -> None:
    """Import what the command needs, and read the catalogue, once for all forked processes."""
    from gyakusan.catalog import devices, models
    from gyakusan.cli import catalog, compare, fleet, inspect, plan, serve, upgrade  # noqa: F401
    from gyakusan.models.sources import http, hub, ollama  # noqa: F401

    models.find("gpt-oss-20b")
    devices.entry_of("RTX 4090")
    for words in (
        ("inspect", "gpt-oss-20b", "--device", "RTX 4090", "--engine", "all"),
        ("compare", "RTX 5090", "--model", "gpt-oss-20b"),
        ("plan", "--device", "RTX 4090", "--model", "gpt-oss-20b", "--json"),
    ):
        guard.called(Case(words), Path(tempfile.gettempdir()))
