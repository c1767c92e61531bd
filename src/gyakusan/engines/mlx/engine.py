"""The face of MLX-LM: see engines/base.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Attention, Model
from gyakusan.engines.base import Command
from gyakusan.engines.mlx import cache, families, log
from gyakusan.engines.mlx.ledger import ledger
from gyakusan.engines.mlx.settings import CAVEAT, VERSION, Settings, format_of
from gyakusan.errors import unknown
from gyakusan.message import Message, say

NAME = "MLX-LM"
KEY = ""

__all__ = ["CAVEAT", "KEY", "NAME", "VERSION", "Settings", "command", "ledger", "read", "refusals", "settings"]


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """The server's defaults for this load, weights as MLX's nearest format. Raises UnknownName for unknown fields."""
    known = [f.name for f in fields(Settings)]
    for name in changes:
        if name not in known:
            raise unknown(say("setting"), name, known)
    chosen = {"context": load.context, "users": load.users, "weights": format_of(model.quantization), **changes}
    return Settings(**chosen)


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """No Apple silicon, a GGUF file, an architecture without a file, a cache that cannot be quantised."""
    found = []
    if not any(g.backend == "metal" for g in machine.gpus):
        found.append(say("MLX-LM needs Apple silicon; {name} has none.", name=machine.name))
    if model.source.endswith(".gguf"):
        found.append(say("MLX-LM reads no GGUF file; take the model from Hugging Face, or an MLX conversion."))
    if model.graph.encoder:
        found.append(say("An encoder is priced under llama.cpp only."))
    if model.architecture in families.LACKING or model.inferred:
        found.append(
            say(
                "MLX-LM {version} does not run {name}, or not so that it can be priced.",
                version=VERSION,
                name=model.architecture,
            )
        )
    uneven = cache.uneven(model, settings) if settings.kv_bits is not None else None
    if uneven is not None:
        found.append(_no_bits(uneven, settings))
    return tuple(found)


def _no_bits(memory: Any, s: Settings) -> Message:
    if isinstance(memory, Attention) and memory.window is None:
        return say(
            "MLX-LM cannot quantise this cache: heads of {width} values are no multiple of {group}.",
            width=memory.key_head,
            group=s.kv_group_size,
        )
    what = say("window layers") if getattr(memory, "window", None) is not None else say("latent attention")
    return say("MLX-LM cannot quantise the cache of {what}: leave kv_bits out.", what=what)


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """`mlx_lm.server` with what differs from its defaults. The model: a directory or a repository that is an MLX conversion."""
    argv = ["mlx_lm.server", "--model", model.source.removeprefix("catalog:") or model.name]
    for name in (f.name for f in fields(Settings)):
        if name in ("context", "users", "weights"):
            continue
        value, usual = getattr(settings, name), Settings.__dataclass_fields__[name].default
        if value != usual:
            argv += [f"--{name.replace('_', '-')}", str(value)]
    return Command(tuple(argv))


def convert(model: Model, settings: Settings) -> tuple[str, ...]:
    """`mlx_lm.convert`: how weights of this format are made from a Hugging Face model. Empty for bf16 as published."""
    form = settings.format
    argv = ("mlx_lm.convert", "--hf-path", model.source.removeprefix("catalog:") or model.name)
    if form.bits == 16:
        return ()
    mode = () if form.scale == 4 else ("--q-mode", settings.weights.split("-")[0])
    return (*argv, "-q", "--q-bits", str(form.bits), "--q-group-size", str(form.group), *mode)


def read(lines: Iterable[str]) -> log.Reported:
    """What the server printed of its prompt cache."""
    return log.read(lines)
