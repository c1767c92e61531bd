"""Gather what the rule of listing_rule.py needs of every model: its record, its scores, what is published, its use."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache

from gyakusan.catalog import quality, tags
from gyakusan.catalog.artifacts import artifacts
from gyakusan.catalog.listing_rule import Candidate, ModeScores
from gyakusan.catalog.models import ModelRecord, model_records
from gyakusan.catalog.places import DATA
from gyakusan.catalog.quality import Quality
from gyakusan.catalog.quality_names import Mode, matches_rule, short_name
from gyakusan.catalog.thinking import always_thinks, usual_name
from gyakusan.doors.files import packaged

FILE = DATA / "hub.csv"
"""What the hub counts of repositories: written by tools/hub_facts.py."""
BOTH: tuple[Mode, Mode] = ("off", "on")
"""Modes in which models are compared."""

EXPERIMENT = re.compile(r"^ui-|embodied|gui|-exp(-|$)|preview|-(sft|dpo)(-|$)|midtrain|^zwz|^step3-vl|translate")
"""Short names of experiments, of steps of a training and of models for screens."""


def candidates() -> tuple[Candidate, ...]:
    """Return every model of the catalogue that is ours, as the rule sees it."""
    from gyakusan.catalog.records import entries

    own = {e.name for e in entries("model") if e.own}
    return tuple(candidate(r) for r in model_records() if r.name not in own)


def candidate(record: ModelRecord) -> Candidate:
    """Return a model as the rule sees it."""
    repositories = [a for a in record.aliases if "/" in a]
    always = always_thinks(record.name)
    modes, usual = _modes(record, always)
    return Candidate(
        name=record.name,
        maker=repositories[0].partition("/")[0].casefold() if repositories else "",
        origin=record.derived_from,
        special=_special(record),
        coder=record.role == "code",
        released=record.released,
        parameters=record.parameters,
        active=record.active or quality.active_parameters(record) or record.parameters,
        context=record.trained_context,
        license=record.license,
        modalities=frozenset(record.modalities),
        counted=record.beside != "count",
        publishers=_publishers(record),
        downloads=max((downloads().get(r.casefold(), 0) for r in repositories), default=0),
        languages=frozenset(record.languages),
        thinks_always=always,
        narrow=frozenset(record.languages) if record.role == "finetune" else frozenset(),
        mode=usual,
        modes=modes,
    )


def _modes(record: ModelRecord, always: bool) -> tuple[Mapping[str, ModeScores], Mode]:
    """Return the scores of a model with and without thinking, as far as it can answer so, and its default mode."""
    every = quality.find(record.name)
    tested = {thinking_mode(record.name, q.mode) for q in every if q.basis != "assumed"}
    usual: Mode = "on" if always else every[0].mode if every[0].mode in BOTH else "on"
    wanted = [m for m in BOTH if m in tested or m == usual or (m == "off" and not always)]
    return {m: _scores(record.name, m, every) for m in wanted if not (m == "off" and always)}, usual


def thinking_mode(name: str, mode: str) -> str:
    """Return "off" or "on"; an effort other than the default one is neither."""
    return usual_name(name, mode) or ""


def _scores(name: str, mode: Mode, every: Sequence[Quality]) -> ModeScores:
    """Return the best known scores in a mode: tested, else what those of the other modes tell."""
    here = [q for q in every if q.basis != "assumed" and thinking_mode(name, q.mode) == mode]
    behind = max(here or every, key=lambda q: (q.independent, q.scores))
    found = behind if here else quality.find(name, mode)[0]
    return ModeScores(bool(here), behind.scores, found.overall, found.japanese, found.coding)


def _special(record: ModelRecord) -> bool:
    names = [short_name(a) for a in record.aliases if "/" in a] or [record.name]
    return (
        record.role == "base"
        or all(q.kind for q in quality.find(record.name))
        or all(matches_rule("special", n) or EXPERIMENT.search(n) for n in names)
    )


def _publishers(record: ModelRecord) -> frozenset[str]:
    """Return who is known to publish the weights: in listings and texts, or as the record names them; Ollama is one."""
    owners = {a.repository.partition("/")[0] for a in artifacts(record.name) if a.format != "ollama"}
    owners |= {r.partition("/")[0] for r in (*record.gguf, *record.mlx)}
    owners |= {a.partition("/")[0] for a in record.aliases if a.casefold() in downloads()}
    return frozenset(o.casefold() for o in owners) | ({"ollama"} if tags.of_model(record.name) else frozenset())


@cache
def downloads() -> Mapping[str, int]:
    """Return the downloads of repositories in a month, by their lower-cased names."""
    rows = csv.DictReader(packaged(FILE).decode().splitlines())
    return {row["repository"].casefold(): int(row["downloads"]) for row in rows}
