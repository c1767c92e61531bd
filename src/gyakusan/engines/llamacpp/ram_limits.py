"""Limits of what llama-server keeps in RAM as it is used, where its own limits are more than the computer has.

Source: llama.cpp b11434, common/arg.cpp: --cache-ram (idle conversations of all people) and --ctx-checkpoints (snapshots of
windows and states, for each slot). Both only save work that is done before: with less of them a conversation that was set
aside is computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gyakusan.core.broadcast import is_array
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers.server_memory import PROMPT_CACHE, checkpoint, prompt_cache
from gyakusan.engines.llamacpp.ledger import accounts
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.units import MIB

STEP = 256
"""--cache-ram is a multiple of this, so that a few MiB more or less of free memory give the same command. [MiB]"""
GROWING = frozenset({"overhead.prompt_cache", "overhead.checkpoints"})
"""Parts that these limits are about."""


def within_ram(model: Model, load: Load, machine: Machine, chosen: Settings, changes: Mapping[str, object]) -> Settings:
    """Return settings whose limits the RAM holds beside everything else; llama-server's own where there is room.

    Half of the room is for checkpoints where it does not hold both, and what one of both leaves is for the other.
    changes: what was given: a limit that somebody gave stays, and the other gets what it leaves
    """
    given = {"cache_ram", "ctx_checkpoints"} & changes.keys()
    if len(given) == 2 or is_array(chosen.context, chosen.slots, chosen.batch):
        return chosen
    if all(d.usable is None for d in machine.devices if d.kind != "gpu"):
        return chosen
    room = _room(model, load, machine, chosen)
    each, kept = int(chosen.slots * checkpoint(model, chosen)), _kept(chosen)
    if room is None or room >= kept + chosen.ctx_checkpoints * each:
        return chosen
    if "cache_ram" in given:
        count = min(chosen.ctx_checkpoints, max(0, room - kept) // each) if each else chosen.ctx_checkpoints
        return replace(chosen, ctx_checkpoints=count)
    count = chosen.ctx_checkpoints if "ctx_checkpoints" in given else _checkpoints(room, each)
    cache = min(chosen.cache_ram, max(0, room - count * each) // (STEP * MIB) * STEP)
    return replace(chosen, cache_ram=cache, ctx_checkpoints=count)


def _kept(chosen: Settings) -> int:
    """Return what idle conversations take at most, as the ledger charges it [B]."""
    return sum(int(line.greatest) for line in prompt_cache(chosen))


def _checkpoints(room: int, each: int) -> int:
    """Return how many checkpoints a slot gets of the RAM that is free, at most llama-server's own number.

    each: of all slots together [B]
    """
    if not each:
        return Settings.ctx_checkpoints
    shared = max(max(room // 2, room - PROMPT_CACHE) // each, 1 if room >= each else 0)
    return min(Settings.ctx_checkpoints, shared)


def _room(model: Model, load: Load, machine: Machine, chosen: Settings) -> int | None:
    """Return the RAM beside all else at the high end of doubt [B], None where it is not known or it does not fit."""
    try:
        charged = accounts(model, load, machine, chosen)
    except BadSetting:
        return None
    held = next((a for a in charged if any(line.part in GROWING for line in a.lines)), None)
    if held is None or held.spare is None or not all(a.fits for a in charged):
        return None
    return max(0, int(held.spare))
